// Waiting for a moment of a running program: told by what it has written, never by how long it has run.

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { Ended, Running } from "./program.ts";

/** A program that shows nothing within so many looks hangs: some minutes, as a cold and busy machine may need one. */
const LOOKS_MAX = 200_000;

/** Looks about every ms until `look` is true; false if the program ended before. Fails if neither happens. */
export async function reached(running: Running, look: () => boolean): Promise<boolean> {
  let hasEnded = false;
  const note = (): boolean => (hasEnded = true);
  running.ended.then(note, note);
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    if (look()) return true;
    if (hasEnded) return false;
    await pause(1);
  }
  running.child.kill("SIGKILL");
  return assert.fail(`the moment never came: ${running.output()}`);
}

/** Waits for the moment, which must come before the program ends. */
export async function mustReach(running: Running, look: () => boolean): Promise<void> {
  if (!(await reached(running, look))) assert.fail(`ended before the moment: ${running.output()}`);
}

/** Waits for the moment, then sends the signal and waits for the end; undefined if the program ended before. */
export async function endAt(
  running: Running,
  signal: NodeJS.Signals,
  look: () => boolean,
): Promise<Ended | undefined> {
  if (!(await reached(running, look))) return undefined;
  running.child.kill(signal);
  return running.ended;
}

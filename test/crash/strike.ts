// One process of the real program, killed with SIGKILL at a fault point, at a time, or at a moment of its work.

import type { FaultPoint } from "../../src/support/fault-point.ts";
import { reached } from "../support/moments.ts";
import { startPreloaded } from "../support/preloaded.ts";

/** When a process is killed. */
export type Blow =
  | { readonly at: "point"; readonly point: FaultPoint; readonly passing: number }
  | { readonly at: "time"; readonly afterMs: number }
  | { readonly at: "moment"; readonly look: () => boolean }
  | { readonly at: "never" };

/** A kill that hit. */
export interface Hit {
  /** The command: `run`, `ingest` … */
  readonly command: string;
  readonly at: Exclude<Blow["at"], "never">;
  /** The fault point that was passed last; undefined if there was none yet. */
  readonly passed: string | undefined;
}

/**
 * Starts `atrium ARGS` and strikes; returns the kill, or undefined if the process ended by itself before. Then it must have
 * ended well (0, or 99 for nothing to do): whatever earlier kills left behind, it may not stumble over it.
 */
export async function strike(
  args: readonly string[],
  blow: Blow,
  options: { readonly folder: string },
): Promise<Hit | undefined> {
  const running = startPreloaded(args, { ...options, ...(blow.at === "point" ? blow : {}) });
  const kill = (): boolean => running.child.kill("SIGKILL");
  const timer = blow.at === "time" ? setTimeout(kill, blow.afterMs) : undefined;
  if (blow.at === "moment" && (await reached(running, blow.look))) kill();
  const ended = await running.ended;
  clearTimeout(timer);
  const command = args[0] ?? "";
  if (ended.signal === "SIGKILL" && blow.at !== "never") {
    return { command, at: blow.at, passed: running.passed() };
  }
  if (ended.code === 0 || ended.code === 99) return undefined;
  throw new Error(`atrium ${args.join(" ")} ended with ${ended.code ?? ended.signal}: ${running.output()}`);
}

// The real program with kill-at.ts preloaded: it dies or halts at a fault point, and tells which one it passed last.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { FaultPoint } from "../../src/support/fault-point.ts";
import { QUIET } from "./lake-folder.ts";
import { mustReach } from "./moments.ts";
import { start, type Running } from "./program.ts";

const PRELOAD = pathToFileURL(join(import.meta.dirname, "kill-at.ts")).href;

/** A process that tells what it passed. */
export interface Preloaded extends Running {
  /** The fault point that it passed last; undefined before the first. */
  passed(): string | undefined;
}

/** What happens at a fault point. */
export interface FaultPlan {
  /** A folder for the file in which the process tells what it passed. */
  readonly folder: string;
  /** Where the signal is sent; left out: nowhere. */
  readonly point?: FaultPoint;
  /** At which passing of the point, from 1. Default 1. */
  readonly passing?: number;
  /** Default SIGKILL. */
  readonly signal?: "SIGKILL" | "SIGSTOP";
}

let processes = 0;

/** Starts `atrium ARGS` with a plan. */
export function startPreloaded(args: readonly string[], plan: FaultPlan): Preloaded {
  processes += 1;
  const passedFile = join(plan.folder, `passed-${processes}`);
  const { point, passing = 1, signal = "SIGKILL" } = plan;
  const env = {
    ...QUIET,
    NODE_OPTIONS: `--import=${PRELOAD}`,
    PASSED_FILE: passedFile,
    KILL_SIGNAL: signal,
    ...(point === undefined ? {} : { KILL_AT: `${point}#${passing}` }),
  };
  return { ...start(args, { env }), passed: () => passedIn(passedFile) };
}

/** Starts `atrium ARGS`, which halts when it first comes to a point; SIGCONT lets it go on. */
export async function haltedAt(
  args: readonly string[],
  point: FaultPoint,
  folder: string,
): Promise<Preloaded> {
  const running = startPreloaded(args, { folder, point, signal: "SIGSTOP" });
  await mustReach(running, () => running.passed() === point);
  return running;
}

function passedIn(file: string): string | undefined {
  try {
    const passed = readFileSync(file, "utf8").trim();
    return passed === "" ? undefined : passed;
  } catch {
    // It has not come so far as to make the file.
    return undefined;
  }
}

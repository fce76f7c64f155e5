// The command line for tests: the real bin/atrium in a child process, and dispatch with streams that keep what they get.

import { execFile } from "node:child_process";
import { join } from "node:path";
import type { Output, Registry } from "../../src/commands/dispatch.ts";
import { dispatch } from "../../src/commands/dispatch.ts";
import type { Sources } from "../../src/config/values.ts";
import type { Clock } from "../../src/support/clock.ts";
import type { ExitCode } from "../../src/support/errors.ts";

/** The checkout. */
export const ROOT = join(import.meta.dirname, "../..");

/** What a process said and how it ended. */
export interface Ended<Code = number> {
  readonly code: Code;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs bin/atrium with nothing of this machine's settings in its environment; at most 120 s. */
export async function atrium(
  args: readonly string[],
  options: {
    readonly cwd?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly bin?: string;
  } = {},
): Promise<Ended> {
  const { cwd = ROOT, env = {}, bin = join(ROOT, "bin/atrium") } = options;
  const childEnv = { PATH: process.env["PATH"], HOME: process.env["HOME"], ...env };
  return new Promise((resolve) => {
    execFile(bin, args, { cwd, env: childEnv, timeout: 120_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      resolve({ code: typeof code === "number" ? code : -1, stdout, stderr });
    });
  });
}

/** What dispatch is given, where a test cares. */
export interface DispatchOptions {
  readonly sources?: Partial<Sources>;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly isTerminal?: boolean;
}

/** Runs dispatch with these commands and keeps what it writes. */
export async function dispatched(
  argv: readonly string[],
  registry: Registry,
  options: DispatchOptions = {},
): Promise<Ended<ExitCode>> {
  const stdout = keeper(options.isTerminal ?? false);
  const stderr = keeper(options.isTerminal ?? false);
  const code = await dispatch(argv, {
    registry,
    version: "1.2.3",
    sources: () => ({ cwd: "/somewhere", ...options.sources }),
    clock: options.clock ?? stoppedClock(),
    signal: options.signal ?? new AbortController().signal,
    stdout,
    stderr,
  });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

/** A clock that stands still until a test moves it; sleeping moves it at once. */
export function stoppedClock(): Clock & { advance(ms: number): void; readonly sleptMs: number[] } {
  let nowMs = 0;
  const sleptMs: number[] = [];
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: (ms) => {
      sleptMs.push(ms);
      nowMs += ms;
      return Promise.resolve();
    },
    advance: (ms) => {
      nowMs += ms;
    },
    sleptMs,
  };
}

function keeper(isTerminal: boolean): Output & { text(): string } {
  let kept = "";
  return {
    write: (text) => {
      kept += text;
    },
    isTerminal,
    columns: () => 80,
    text: () => kept,
  };
}

// Runs a program in a process of its own and measures it: wall time from outside, CPU and memory by its own last words.

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { numbersIn } from "./figures.ts";

/** The checkout. */
export const ROOT = resolve(import.meta.dirname, "..");
/** The real command line. */
export const ATRIUM = join(ROOT, "bin/atrium");

/** What a process used from its start to its end, the start of Node included. */
export interface Usage {
  readonly wallSeconds: number;
  /** User and system, all threads. */
  readonly cpuSeconds: number;
  /** Largest resident set. */
  readonly peakMemoryMb: number;
}

/** A process that has ended well. */
export interface Measured extends Usage {
  readonly stdout: string;
}

/** Where and how long a process may run. */
export interface MeasureOptions {
  /** Working folder: one without a `.env`, so that nobody's settings are measured. */
  readonly cwd: string;
  /** Ends the process. */
  readonly signal: AbortSignal;
  /** Settings beside those that every process has. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Takes word of what is measured next. */
export type Say = (what: string) => void;

/** A process under way. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Measured>;
  /** What it has written to standard output so far. */
  readonly output: () => string;
}

/** No measured process runs longer, s. */
const PROCESS_SECONDS_MAX = 180;
const PRELOAD = pathToFileURL(join(ROOT, "bench/report-usage.ts")).href;

/** Runs a program to its end. Throws if it does not end with exit code 0. */
export async function measure(
  program: string,
  args: readonly string[],
  options: MeasureOptions,
): Promise<Measured> {
  return start(program, args, options).ended;
}

/** Starts a program (Node or a script that becomes Node) with the preload that reports its usage. */
export function start(
  program: string,
  args: readonly string[],
  { cwd, signal, env = {} }: MeasureOptions,
): Running {
  const { PATH = "", HOME = "", TMPDIR = tmpdir() } = process.env;
  const startMs = performance.now();
  const child = spawn(program, args, {
    cwd,
    signal,
    timeout: PROCESS_SECONDS_MAX * 1000,
    killSignal: "SIGKILL",
    env: { PATH, HOME, TMPDIR, LOG_LEVEL: "error", NODE_OPTIONS: `--import=${PRELOAD}`, ...env },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const stdout = textOf(child.stdio[1]);
  const stderr = textOf(child.stdio[2]);
  const usage = textOf(child.stdio[3]);
  const ended = new Promise<Measured>((done, fail) => {
    child.once("error", fail);
    child.once("close", (code, killedBy) => {
      const wallSeconds = (performance.now() - startMs) / 1000;
      try {
        if (code !== 0) throw new Error(`ended with ${code ?? killedBy ?? "nothing"}: ${stderr()}`);
        const { cpuSeconds, peakMemoryMb } = numbersIn(usage(), ["cpuSeconds", "peakMemoryMb"]);
        done({ stdout: stdout(), wallSeconds, cpuSeconds, peakMemoryMb });
      } catch (cause) {
        fail(new Error(`\`${[program, ...args].join(" ")}\` could not be measured`, { cause }));
      }
    });
  });
  // Whoever awaits it meets its error; until then it must not count as unhandled.
  ended.catch(() => undefined);
  return { child, ended, output: stdout };
}

/** A temporary folder that is removed, with all that is in it, when it is disposed. */
export async function temporaryFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "atrium-bench-"));
  return { path, [Symbol.asyncDispose]: async () => removeFolder(path) };
}

/** Removes a folder; a process that has just been ended may still leave something in it. */
export async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** Collects what a process writes. */
function textOf(stream: unknown): () => string {
  const chunks: Buffer[] = [];
  (stream as Readable).on("data", (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString("utf8");
}

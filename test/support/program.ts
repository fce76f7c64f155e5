// Runs the real program, as its user does, in processes of their own.

import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { worldEnvironment } from "./world.ts";

/** The checkout's own launcher. */
export const ATRIUM = resolve(import.meta.dirname, "../../bin/atrium");

/** How a process ended and what it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process under way. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has written to standard output and error so far. */
  output(): string;
}

/** Starts `atrium ARGS`; only the given environment is passed on, with that of the world and what a process needs to run at all. */
export function start(
  args: readonly string[],
  options: { readonly env?: Record<string, string>; readonly cwd?: string } = {},
): Running {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(ATRIUM, args, {
    cwd: options.cwd,
    env: { PATH, HOME, ...worldEnvironment(args), ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<Ended>((done, fail) => {
    child.once("error", fail);
    child.once("close", (code, signal) => done({ code, signal, stdout, stderr }));
  });
  return { child, ended, output: () => stdout + stderr };
}

/** Runs `atrium ARGS` to its end. */
export async function atrium(
  args: readonly string[],
  options: Parameters<typeof start>[1] = {},
): Promise<Ended> {
  return start(args, options).ended;
}

/** Runs `atrium ARGS`, which must end with exit code 0, and returns its standard output. */
export async function done(
  args: readonly string[],
  options: Parameters<typeof start>[1] = {},
): Promise<string> {
  const ended = await atrium(args, options);
  if (ended.code !== 0) {
    throw new Error(`atrium ${args.join(" ")} ended with ${ended.code ?? ended.signal}: ${ended.stderr}`);
  }
  return ended.stdout;
}

/** A temporary folder that is removed when it is disposed. */
export async function temporaryFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "atrium-test-"));
  return { path, [Symbol.asyncDispose]: async () => rm(path, { recursive: true, force: true }) };
}

// Processes that outlive their starter: told apart by process id and time of start, so that no foreign one is ever ended.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "./service.ts";

/** A process as it is kept in the state: ids come again, times of start don't. */
export interface ProcessId {
  readonly pid: number;
  /** The system's own note of when it started; differs after a restart of the machine. */
  readonly started: string;
}

/** Where the output goes and how long the process lives. */
export interface LaunchOptions {
  /** Appended to. */
  readonly log: string;
  /** False: the process ends with its starter. */
  readonly outlives: boolean;
}

/** Ends a child with its parent, however that ends; Linux has it. */
const SETPRIV = "/usr/bin/setpriv";
const TERM_SECONDS_MAX = 15;
const KILL_SECONDS_MAX = 60;
const LOOK_AGAIN_MS = 20;

/** What ends with this process. */
const tied = new Set<ProcessId>();
process.once("exit", () => {
  for (const id of tied) signal(id, "SIGKILL");
});

/** Starts a program in the background. @throws Error if it cannot be started. */
export async function launch(command: Command, { log, outlives }: LaunchOptions): Promise<ProcessId> {
  await using output = await open(log, "a", 0o600);
  const { program, args } = outlives || !existsSync(SETPRIV) ? command : tiedToParent(command);
  const child = spawn(program, args, {
    env: { ...process.env, ...command.env },
    stdio: ["ignore", output.fd, output.fd],
    detached: outlives,
  });
  await once(child, "spawn");
  child.unref();
  const { pid } = child;
  const started = pid === undefined ? undefined : startOf(pid);
  if (pid === undefined || started === undefined) throw new Error(`${program} ended at once: see ${log}`);
  if (!outlives) tied.add({ pid, started });
  return { pid, started };
}

/** True while that very process runs (or is stopped). */
export function isAlive({ pid, started }: ProcessId): boolean {
  return startOf(pid) === started;
}

/** Sends a signal, if that very process is there; false otherwise. */
export function signal(target: ProcessId, name: NodeJS.Signals): boolean {
  if (!isAlive(target)) return false;
  try {
    return process.kill(target.pid, name);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}

/** Ends a process: SIGTERM, and SIGKILL if it has not ended after 15 s. @throws Error if it is still there then. */
export async function end(target: ProcessId): Promise<void> {
  signal(target, "SIGTERM");
  // A stopped process takes no notice of SIGTERM.
  signal(target, "SIGCONT");
  if (await hasEnded(target, TERM_SECONDS_MAX)) return;
  await kill(target);
}

/** Ends a process at once, as a power cut would. @throws Error if it is still there after 60 s. */
export async function kill(target: ProcessId): Promise<void> {
  signal(target, "SIGKILL");
  if (!(await hasEnded(target, KILL_SECONDS_MAX))) throw new Error(`process ${target.pid} does not end`);
}

/** Stops a process until SIGCONT: when this returns, none of its threads runs. @throws Error if that takes longer than 60 s. */
export async function freeze(target: ProcessId): Promise<void> {
  signal(target, "SIGSTOP");
  const giveUpMs = performance.now() + KILL_SECONDS_MAX * 1000;
  while (isAlive(target) && runsStill(target.pid)) {
    if (performance.now() > giveUpMs) throw new Error(`process ${target.pid} does not stop`);
    await delay(LOOK_AGAIN_MS);
  }
}

/** When the process started, in the system's own words; undefined if there is none, or only its exit code is left of it. */
export function startOf(pid: number): string | undefined {
  try {
    return existsSync("/proc/self/stat") ? startFromProc(pid) : startFromPs(pid);
  } catch {
    return undefined;
  }
}

function startFromProc(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name before the parenthesis may hold anything. See proc(5): field 3 is the state, 20 the threads, 22 the start.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, threads, ticksSinceBoot = ""] = [fields[0], Number(fields[17]), fields[19]];
  // The first thread may be gone while others still hold files and ports.
  if (state === "X" || (state === "Z" && threads <= 1)) return undefined;
  return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${ticksSinceBoot}`;
}

function startFromPs(pid: number): string | undefined {
  const [state, ...start] = execFileSync("ps", ["-o", "state=,lstart=", "-p", String(pid)], {
    encoding: "utf8",
  })
    .trim()
    .split(/\s+/);
  return state === undefined || state.startsWith("Z") ? undefined : start.join(" ");
}

function runsStill(pid: number): boolean {
  const tasks = `/proc/${pid}/task`;
  if (!existsSync(tasks)) return false;
  return readdirSync(tasks).some((task) => {
    try {
      return !readFileSync(join(tasks, task, "stat"), "utf8").includes(") T ");
    } catch {
      // A thread that has ended meanwhile.
      return false;
    }
  });
}

async function hasEnded(target: ProcessId, secondsMax: number): Promise<boolean> {
  const giveUpMs = performance.now() + secondsMax * 1000;
  while (isAlive(target)) {
    if (performance.now() > giveUpMs) return false;
    await delay(LOOK_AGAIN_MS);
  }
  return true;
}

function tiedToParent({ program, args }: Command): Command {
  return { program: SETPRIV, args: ["--pdeathsig", "KILL", program, ...args] };
}

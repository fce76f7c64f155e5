// Runs Airflow's processes as one: makes its database, starts the three, and ends them all, with their tasks, on SIGTERM or when one ends.
//
// Usage: node airflow-processes.ts PYTHON PORT, with Airflow's settings in the environment.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

const [python = "", port = ""] = process.argv.slice(2);
/** Below the 15 s after which this process itself is killed. */
const TERM_MS_MAX = 8000;
const LOOK_AGAIN_MS = 50;
const SETPRIV = "/usr/bin/setpriv";

/** The scheduler would offer the logs of its tasks on every address; there is one machine here, which has the files. */
const PROCESSES: readonly (readonly string[])[] = [
  ["api-server", "--host", "127.0.0.1", "--port", port],
  ["dag-processor"],
  ["scheduler", "--skip-serve-logs"],
];

const children: ChildProcess[] = [];
let isEnding = false;
for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => void endAll(0));

const migrate = begin(["db", "migrate"]);
const [code] = (await once(migrate, "exit")) as [number | null];
if (code !== 0) await endAll(1);
if (!isEnding) for (const args of PROCESSES) begin(args).once("exit", () => void endAll(1));

/** Each in a group of its own; SIGTERM comes to it when this process is killed. */
function begin(args: readonly string[]): ChildProcess {
  const command = [python, "-m", "airflow", ...args];
  const [program = "", ...rest] = existsSync(SETPRIV)
    ? [SETPRIV, "--pdeathsig", "TERM", ...command]
    : command;
  const child = spawn(program, rest, { stdio: ["ignore", "inherit", "inherit"], detached: true });
  children.push(child);
  return child;
}

/** SIGTERM to the three, who tell their tasks; what is left after a while is killed, tasks in groups of their own included. */
async function endAll(exitCode: number): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  const pids = children.flatMap(({ pid }) => pid ?? []);
  const all = new Set([...pids, ...descendantsOf(pids)]);
  for (const pid of pids) send(pid, "SIGTERM");
  const giveUpMs = performance.now() + TERM_MS_MAX;
  while ([...all].some(isThere) && performance.now() < giveUpMs) await delay(LOOK_AGAIN_MS);
  for (const pid of all) send(pid, "SIGKILL");
  process.exitCode = exitCode;
}

function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    // It has ended.
    return false;
  }
}

function isThere(pid: number): boolean {
  return send(pid, 0);
}

/** Children and theirs, by Linux's own list of processes; elsewhere none are found. */
function descendantsOf(roots: readonly number[]): readonly number[] {
  if (!existsSync("/proc/self/stat")) return [];
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      // After the name in parentheses: the state, then the parent.
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  const found = new Set(roots);
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  return [...found].filter((pid) => !roots.includes(pid));
}

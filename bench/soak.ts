// `node bench/soak.ts --minutes 10 --rate 5000`: runs `up` on time-warped readings and watches memory, files and lag.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { DuckDBInstance } from "@duckdb/node-api";
import { type Dataset, filesOf, openDataset, sourceArguments } from "./dataset.ts";
import { type LakeProbe, probeLake } from "./lake-probe.ts";
import { ATRIUM, temporaryFolder } from "./measure.ts";
import { minutesText, type Sample, verdictOf, verdictText } from "./soak-report.ts";

// What stands behind `--` goes to `up`.
const { values, positionals: upArguments } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    rate: { type: "string", default: "5000" },
  },
  allowPositionals: true,
});
const minutes = Number(values.minutes);
const SAMPLE_MS = 2_000;
/** So much of the log holds the sparse beginning: some 300,000 messages. */
const BEGINNING_BYTES = 1_000_000;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort());
await using folder = await temporaryFolder();
const { signal } = stopping;
const dataset = await openDataset([], { cwd: folder.path, signal });
const factor = await factorOf(dataset, Number(values.rate));
say(
  `${dataset.name}, ${values.minutes} min, time-warp ${Math.round(factor)}: about ${values.rate} messages/s`,
);
const samples = await soak();
process.stdout.write(`${minutesText(samples)}\n${verdictText(verdictOf(samples))}`);
process.exitCode = verdictOf(samples).isBounded ? 0 : 1;

/** How many times faster than measured, so that this many readings come a second. */
async function factorOf(set: Dataset, rate: number): Promise<number> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "2" });
  const connection = await instance.connect();
  const files = filesOf(set).map((file) => `'${file.replaceAll("'", "''")}'`);
  const answer = await connection.runAndReadAll(`
    select count(*) * 0.98, quantile_disc(ts, 0.99) - quantile_disc(ts, 0.01)
    from read_csv([${files.join(", ")}], header = false, auto_detect = false, delim = ',', columns = {ts: 'BIGINT', value: 'DOUBLE'})`);
  connection.closeSync();
  instance.closeSync();
  const [count, seconds] = (answer.getRows()[0] ?? []).map(Number);
  return (rate * (seconds ?? 0)) / (count ?? 1);
}

/** Sends the beginning at once, in which few sensors are there yet, so that the rate is the wanted one from then on. */
async function skipBeginning(lake: string): Promise<void> {
  const args = ["replay", ...sourceArguments(dataset), "--lake", lake, "--replay-mode", "max"];
  const replay = start(args, "error");
  const log = join(lake, "_log/log.db-wal");
  const written = (): number => statSync(log, { throwIfNoEntry: false })?.size ?? 0;
  while (replay.child.exitCode === null && written() < BEGINNING_BYTES) await pause(5);
  replay.child.kill("SIGTERM");
  if ((await replay.ended) !== 0) throw new Error("replay could not begin");
}

function start(
  args: readonly string[],
  level: string,
): { readonly child: ChildProcess; readonly ended: Promise<number | null> } {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(ATRIUM, args, {
    cwd: folder.path,
    env: { PATH, HOME, LOG_LEVEL: level },
    stdio: ["ignore", "ignore", "inherit"],
  });
  return { child, ended: new Promise((done) => child.once("close", done)) };
}

async function soak(): Promise<readonly Sample[]> {
  const lake = join(folder.path, "lake");
  await skipBeginning(lake);
  const pace = ["--replay-mode", "timewarp", "--timewarp-factor", factor.toFixed(3)];
  const args = [
    "up",
    ...sourceArguments(dataset),
    "--lake",
    lake,
    "--api-port",
    "0",
    ...pace,
    ...upArguments,
  ];
  const { child: up, ended } = start(args, "warn");
  const taken: Sample[] = [];
  try {
    await using probe = await probeLake(lake, join(folder.path, "scratch"));
    const startMs = performance.now();
    let minute = 1;
    while (performance.now() - startMs < minutes * 60_000 && up.exitCode === null && !signal.aborted) {
      await pause(SAMPLE_MS);
      const sample = await sampleOf(probe, up.pid ?? 0, (performance.now() - startMs) / 1000);
      if (sample !== undefined) taken.push(sample);
      if ((sample?.seconds ?? 0) < minute * 60) continue;
      say(lineOf(minute, taken));
      minute += 1;
    }
  } finally {
    up.kill("SIGTERM");
  }
  const code = await ended;
  if (code !== 0) throw new Error(`up ended with ${code}`);
  return taken;
}

function lineOf(minute: number, taken: readonly Sample[]): string {
  const { memoryMb = 0, messages = 0, lag = 0, filesOnDisk = 0 } = taken.at(-1) ?? {};
  return `minute ${minute}: ${messages} messages, lag ${lag}, ${memoryMb.toFixed(0)} MB, ${filesOnDisk} files on disk`;
}

/** Undefined if something was being moved while it was looked at. */
async function sampleOf(probe: LakeProbe, pid: number, seconds: number): Promise<Sample | undefined> {
  try {
    return { seconds, memoryMb: memoryMb(pid), ...(await probe.look()) };
  } catch (error) {
    process.stderr.write(`soak: a look failed: ${error instanceof Error ? error.message : String(error)}\n`);
    return undefined;
  }
}

/** Resident memory of a process; NaN where the machine does not tell. */
function memoryMb(pid: number): number {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return Number.NaN;
  return Number(/^VmRSS:\s*(\d+) kB/m.exec(readFileSync(file, "utf8"))?.[1]) / 1024;
}

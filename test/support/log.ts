// For tests of the log: a clock that stands still, records of chance, reading to the end, a child process that writes.

import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { EventLog, Position, RecordBatch } from "../../src/log/event-log.ts";
import { keyAt, offsetAt, positionAfter, valuesOf } from "../../src/log/records.ts";
import { seededChance } from "../../src/support/chance.ts";
import type { Clock } from "../../src/support/clock.ts";

/** A clock that moves only when it is told to. */
export interface StillClock extends Clock {
  /** Moves on by `ms` and ends the sleeps that are due. */
  advance(ms: number): void;
  /** Sleeps that have not ended. */
  sleeping(): number;
}

/** Makes a clock that stands at `startMs`. */
export function stillClock(startMs = 1_377_299_108_000): StillClock {
  let passedMs = 0;
  const sleepers = new Map<() => void, number>();
  return {
    nowMs: () => startMs + passedMs,
    monotonicMs: () => passedMs,
    sleep: (ms, signal) => {
      if (signal?.aborted === true || ms <= 0) return Promise.resolve();
      return new Promise((resolve) => {
        const end = (): void => {
          sleepers.delete(end);
          resolve();
        };
        sleepers.set(end, passedMs + ms);
        signal?.addEventListener("abort", end, { once: true });
      });
    },
    advance: (ms) => {
      passedMs += ms;
      for (const [end, dueMs] of sleepers) if (dueMs <= passedMs) end();
    },
    sleeping: () => sleepers.size,
  };
}

/** Bytes that do not compress, the same for the same seed. */
export function noise(bytes: number, seed = 1): Uint8Array {
  const chance = seededChance(seed);
  return Uint8Array.from({ length: bytes }, () => chance.below(256));
}

/** A new folder for one test, and its removal. */
export function temporaryFolder(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "atrium-log-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A record as a test compares it. */
export interface SeenRecord {
  readonly at: string;
  readonly key: string;
  readonly value: string;
}

/** The records of batches, one by one; those below `from` are dropped, as every reader has to. */
export function recordsSeen(batches: readonly RecordBatch[], from: readonly Position[]): SeenRecord[] {
  const seen: SeenRecord[] = [];
  for (const batch of batches) {
    const { topic, partition, records } = batch;
    const first = from.find((position) => position.topic === topic && position.partition === partition);
    let i = 0;
    for (const value of valuesOf(records)) {
      const offset = offsetAt(batch, i);
      const text = Buffer.from(value).toString("latin1");
      if (offset >= (first?.offset ?? 0n)) {
        seen.push({ at: `${topic}/${partition}/${offset}`, key: String(keyAt(records, i)), value: text });
      }
      i += 1;
    }
  }
  return seen;
}

/** Reads from the positions to the ends that the log has now. `waitMs` is for logs that need time to answer. */
export async function readToEnd(
  log: EventLog,
  from: readonly Position[],
  waitMs = 0,
): Promise<RecordBatch[]> {
  const ranges = await log.ranges([...new Set(from.map(({ topic }) => topic))]);
  const endOf = (at: Position): bigint =>
    ranges.find((r) => r.topic === at.topic && r.partition === at.partition)?.end ?? 0n;
  const all: RecordBatch[] = [];
  let positions = from;
  while (positions.some((position) => position.offset < endOf(position))) {
    const batches = await log.read(positions, { recordsMax: 1000, waitMs });
    if (batches.length === 0) throw new Error("nothing was read before the end");
    for (const batch of batches) positions = movedOn(positions, batch);
    all.push(...batches);
  }
  return all;
}

/** The positions after a batch was read. */
export function movedOn(positions: readonly Position[], batch: RecordBatch): Position[] {
  const next = positionAfter(batch);
  return positions.map((old) => (old.topic === next.topic && old.partition === next.partition ? next : old));
}

/** Lets every promise that can go on do so. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A process that appends to an embedded log: see log-child.ts for what it is told and answers. */
export interface LogChild {
  readonly process: ChildProcessByStdio<Writable, Readable, null>;
  /** Sends one line. */
  tell(line: string): void;
  /** The next line it prints; undefined once it has ended. */
  answer(): Promise<string | undefined>;
  /** Kills it so that it cannot tidy up, and waits until it is gone. */
  kill(): Promise<void>;
}

/** Starts such a process on the log in `file`. */
export function startLogChild(file: string): LogChild {
  const script = join(import.meta.dirname, "log-child.ts");
  const child = spawn(process.execPath, [script, file], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const gone = once(child, "exit");
  child.stdin.on("error", () => undefined);
  return {
    process: child,
    tell: (line) => void child.stdin.write(`${line}\n`),
    answer: async () => {
      const next = await lines.next();
      return next.done === true ? undefined : next.value;
    },
    kill: async () => {
      child.kill("SIGKILL");
      await gone;
    },
  };
}

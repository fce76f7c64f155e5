// For tests of the replay: raw files in memory, a log in memory that can fail, and a clock that only sleeping moves.

import { setImmediate as eventLoopTurn } from "node:timers/promises";
import type { EventLog, OutgoingBatch, Progress } from "../../src/log/event-log.ts";
import { SENSOR_TYPES } from "../../src/reading/terms.ts";
import type { RawSource } from "../../src/replay/raw-source.ts";
import { replay, type ReplayOptions, type ReplaySummary } from "../../src/replay/replay.ts";
import type { Clock } from "../../src/support/clock.ts";
import { silentLogger } from "../../src/support/logger.ts";

/** One record as the log took it. */
export interface AppendedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key: string;
  readonly value: string;
  /** Number of its append, from 0. */
  readonly append: number;
  /** When the append ended, by the log's clock. */
  readonly atMs: number;
}

/** A log that keeps its records as text. */
export interface RecordingLog extends EventLog {
  readonly records: AppendedRecord[];
  readonly notes: Map<string, string>;
}

/** What may happen at an append; its number counts from 0, tries included. */
export interface RecordingLogOptions {
  readonly clock?: Clock;
  /** Throws before the append takes effect, or lets it pass. */
  readonly before?: (append: number) => void | Promise<void>;
  /** Throws after the append has taken effect, or lets it pass. */
  readonly after?: (append: number) => void | Promise<void>;
}

/** Makes the log. It looks at the records some event-loop turns late, so that a buffer that is used too early shows. */
export function recordingLog(options: RecordingLogOptions = {}): RecordingLog {
  const records: AppendedRecord[] = [];
  const notes = new Map<string, string>();
  const topics = new Map<string, number>();
  let appends = 0;
  const unused = (): never => {
    throw new Error("The replay does not read.");
  };
  return {
    records,
    notes,
    identity: async () => "recording",
    createTopics: async (wanted) => {
      for (const { name, partitions } of wanted) if (!topics.has(name)) topics.set(name, partitions);
    },
    partitions: async () => topics,
    append: async (batches, progress) => {
      const append = appends;
      appends += 1;
      await options.before?.(append);
      for (let turn = 0; turn < 4; turn += 1) await eventLoopTurn();
      const atMs = options.clock?.monotonicMs() ?? 0;
      records.push(...batches.flatMap(recordsIn).map((record) => ({ ...record, append, atMs })));
      for (const [name, note] of progress?.notes ?? []) notes.set(name, note);
      await options.after?.(append);
    },
    progress: async (): Promise<Progress> => new Map(notes),
    read: unused,
    ranges: unused,
    release: unused,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Raw files in memory; chunks are at most `chunkBytes`. */
export function memorySource(
  files: Readonly<Record<string, string | Uint8Array>>,
  chunkBytes = 64,
): RawSource {
  const stored = new Map(
    Object.entries(files).map(([path, content]) => [path, Buffer.from(content)] as const),
  );
  return {
    name: "memory",
    list: async () => [...stored].map(([path, content]) => ({ path, sizeBytes: content.length })),
    async *open(path, opening) {
      const content = stored.get(path) ?? Buffer.alloc(0);
      const step = Math.min(chunkBytes, opening.chunkBytes);
      for (let at = opening.fromBytes; at < content.length; at += step) {
        await eventLoopTurn();
        yield Uint8Array.from(content.subarray(at, at + step));
      }
    },
  };
}

/** A clock that sleeping moves, by as much as was asked for and `oversleepMs` more. */
export interface SleepingClock extends Clock {
  /** Lets time pass, ms. */
  pass(ms: number): void;
  readonly slept: number[];
}

/** Wall time at the start of a test clock, ms: well after the readings that tests replay. */
const WALL_START_MS = Date.UTC(2026, 0, 1);

/** Makes the clock; it starts at 1000 ms. */
export function sleepingClock(oversleepMs: () => number = () => 0): SleepingClock {
  let nowMs = 1000;
  const slept: number[] = [];
  return {
    slept,
    nowMs: () => WALL_START_MS + nowMs,
    monotonicMs: () => nowMs,
    pass: (ms) => {
      nowMs += ms;
    },
    sleep: async (ms, signal) => {
      await eventLoopTurn();
      if (signal?.aborted === true) return;
      slept.push(ms);
      nowMs += ms + oversleepMs();
    },
  };
}

/** Options for a test: what is left out is quiet, unpaced, and one partition a topic. */
export function replayOptions(
  given: Pick<ReplayOptions, "source" | "log"> & Partial<ReplayOptions>,
): ReplayOptions {
  const topic = (name: string): { name: string; partitions: number } => ({
    name: `iot.${name}`,
    partitions: 2,
  });
  const [co2, humidity, luminosity, pir, temperature] = SENSOR_TYPES;
  return {
    clock: sleepingClock(),
    logger: silentLogger,
    pace: { mode: "max" },
    topics: {
      co2: topic(co2),
      humidity: topic(humidity),
      luminosity: topic(luminosity),
      pir: topic(pir),
      temperature: topic(temperature),
    },
    partitionOf: (key, partitions) => key.length % partitions,
    producer: "test",
    ...given,
  };
}

/** Replays files of memory into a new log. */
export async function replayed(
  files: Readonly<Record<string, string | Uint8Array>>,
  given: Partial<ReplayOptions> = {},
): Promise<{
  readonly values: readonly string[];
  readonly summary: ReplaySummary;
  readonly log: RecordingLog;
}> {
  const log = recordingLog();
  // One record an append: then the order of the log is the order of the merge.
  const options = replayOptions({ source: memorySource(files), log, batchRecordsMax: 1, ...given });
  const summary = await replay(options);
  return { values: log.records.map(({ value }) => value), summary, log };
}

/** By key the values, in order. */
export function valuesByKey(log: RecordingLog): ReadonlyMap<string, readonly string[]> {
  return new Map(
    [...Map.groupBy(log.records, ({ key }) => key)].map(([key, records]) => [
      key,
      records.map(({ value }) => value),
    ]),
  );
}

function recordsIn({ topic, partition, records }: OutgoingBatch): Omit<AppendedRecord, "append" | "atMs">[] {
  const lines = Buffer.from(records.values).toString("latin1").split("\n");
  if (lines.pop() !== "" || lines.length !== records.count || records.keyIndexes.length !== records.count) {
    throw new Error("The values are not framed as the port says.");
  }
  if (new Set(records.keyIndexes).size !== records.keys.length) throw new Error("Keys without records.");
  if (new Set(records.keys).size !== records.keys.length) throw new Error("A key is there twice.");
  return lines.map((line, place) => ({
    topic,
    partition,
    key: records.keys[records.keyIndexes[place] ?? -1] ?? "no key",
    value: Buffer.from(line, "latin1").toString("utf8"),
  }));
}

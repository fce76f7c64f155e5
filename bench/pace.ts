// Does replay keep its pace? With the real clock, the raw files and an embedded log; the appends are timed from outside.

import { join } from "node:path";
import { openEmbeddedLog } from "../src/adapters/embedded/event-log.ts";
import { localRawSource } from "../src/adapters/local/raw-source.ts";
import type { EventLog } from "../src/log/event-log.ts";
import { partitionOf } from "../src/log/partitioner.ts";
import { SENSOR_TRAITS } from "../src/reading/terms.ts";
import type { Pace } from "../src/replay/pace.ts";
import { replay, type ReplaySummary } from "../src/replay/replay.ts";
import { systemClock } from "../src/support/clock.ts";
import { silentLogger } from "../src/support/logger.ts";
import type { Dataset } from "./dataset.ts";
import { removeFolder, type Say } from "./measure.ts";

/** How well one pace was kept. */
export interface PaceKept {
  readonly mode: "rate" | "timewarp";
  /** Messages a second that were wanted; for timewarp about. */
  readonly wanted: number;
  readonly messages: number;
  /** Messages a second between the first append and the last. */
  readonly measured: number;
  /** From due to durable in the log, ms. */
  readonly latenessMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** What is measured: messages a second, and for how long. */
const RATES = [
  { wanted: 1, seconds: 5 },
  { wanted: 100, seconds: 4 },
  { wanted: 10_000, seconds: 4 },
  { wanted: 100_000, seconds: 4 },
] as const;
const TIMEWARP = { wanted: 10_000, seconds: 5 } as const;
/** The beginning is left out of timewarp: sensors start at different times, so it is sparse. */
const SKIPPED_MESSAGES = 200_000;
/** As many messages behind it tell how dense the readings are. */
const PROBE_MESSAGES = 40_000;

/** Replays at each pace for a few seconds. */
export async function measurePaces(dataset: Dataset, options: PaceOptions): Promise<readonly PaceKept[]> {
  const folder = join(options.cwd, "log-of-pace");
  const kept: PaceKept[] = [];
  for (const { wanted, seconds } of RATES) {
    options.say(`pace: rate ${wanted}/s`);
    const pace = { mode: "rate", messagesPerSecond: wanted } as const;
    try {
      const { signal } = options;
      kept.push(
        keptOf({ mode: "rate", wanted }, await replayFor(dataset, { signal, folder, pace, seconds })),
      );
    } finally {
      await removeFolder(folder);
    }
  }
  options.say("pace: timewarp");
  try {
    return [...kept, await measureTimewarp(dataset, { signal: options.signal, folder })];
  } finally {
    await removeFolder(folder);
  }
}

/** What measuring a pace needs. */
export interface PaceOptions {
  readonly cwd: string;
  readonly signal: AbortSignal;
  readonly say: Say;
}

/** Skips the beginning, looks how dense the readings are behind it, and goes on from there in timewarp. */
async function measureTimewarp(
  dataset: Dataset,
  options: { readonly signal: AbortSignal; readonly folder: string },
): Promise<PaceKept> {
  const pace = { mode: "max" } as const;
  await replayFor(dataset, { ...options, pace, messagesMax: SKIPPED_MESSAGES });
  const { summary } = await replayFor(dataset, { ...options, pace, messagesMax: PROBE_MESSAGES });
  const { messages, firstEventMs = 0, lastEventMs = 0 } = summary;
  const { wanted, seconds } = TIMEWARP;
  const factor = (wanted * (lastEventMs - firstEventMs)) / 1000 / messages;
  const warped = await replayFor(dataset, { ...options, pace: { mode: "timewarp", factor }, seconds });
  return keptOf({ mode: "timewarp", wanted }, warped);
}

interface ReplayFor {
  /** Where the log is: one that is there already is gone on with. */
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly pace: Pace;
  /** Ends this long after the first append … */
  readonly seconds?: number;
  /** … or with this many messages. */
  readonly messagesMax?: number;
}

/** When an append was done, and how many messages were in the log then. */
interface Append {
  readonly atMs: number;
  readonly messages: number;
}

interface Replayed {
  readonly summary: ReplaySummary;
  readonly appends: readonly Append[];
}

async function replayFor(dataset: Dataset, options: ReplayFor): Promise<Replayed> {
  const { folder, pace, seconds, messagesMax = Infinity } = options;
  const enough = new AbortController();
  const appends: Append[] = [];
  let timer: NodeJS.Timeout | undefined;
  const onAppend = (messages: number): void => {
    const total = (appends.at(-1)?.messages ?? 0) + messages;
    appends.push({ atMs: performance.now(), messages: total });
    if (seconds !== undefined) timer ??= setTimeout(() => enough.abort(), seconds * 1000 + MARGIN_MS);
    if (total >= messagesMax) enough.abort();
  };
  try {
    await using log = await openEmbeddedLog({
      file: join(folder, "log.db"),
      clock: systemClock,
      logger: silentLogger,
      retention: { maxBytes: 2 ** 32 },
    });
    const summary = await replay({
      ...partsOf(dataset),
      log: watched(log, onAppend),
      pace,
      batchRecordsMax: BATCH_RECORDS,
      signal: AbortSignal.any([enough.signal, options.signal]),
    });
    options.signal.throwIfAborted();
    return { summary, appends };
  } finally {
    clearTimeout(timer);
  }
}

/** The last message of a whole number of seconds is due right at their end. */
const MARGIN_MS = 50;
const PARTITIONS = 3;
/** The probe ends within one append of what it wants. */
const BATCH_RECORDS = 10_000;

function partsOf({ folder, rooms }: Dataset) {
  const topic = (type: keyof typeof SENSOR_TRAITS) => ({
    name: SENSOR_TRAITS[type].topic,
    partitions: PARTITIONS,
  });
  return {
    source: localRawSource(folder),
    rooms,
    clock: systemClock,
    logger: silentLogger,
    topics: {
      co2: topic("co2"),
      humidity: topic("humidity"),
      luminosity: topic("luminosity"),
      pir: topic("pir"),
      temperature: topic("temperature"),
    },
    partitionOf,
    producer: "bench",
  };
}

/** The same log, but `onAppend` hears of every append once it is done. */
function watched(log: EventLog, onAppend: (messages: number) => void): EventLog {
  return {
    identity: async (topic) => log.identity(topic),
    createTopics: async (topics) => log.createTopics(topics),
    partitions: async () => log.partitions(),
    append: async (batches, progress) => {
      await log.append(batches, progress);
      onAppend(batches.reduce((sum, batch) => sum + batch.records.count, 0));
    },
    progress: async (producer) => log.progress(producer),
    read: async (from, limits, signal) => log.read(from, limits, signal),
    ranges: async (topics) => log.ranges(topics),
    release: async (positions) => log.release(positions),
    [Symbol.asyncDispose]: async () => log[Symbol.asyncDispose](),
  };
}

function keptOf(pace: Pick<PaceKept, "mode" | "wanted">, { summary, appends }: Replayed): PaceKept {
  const [first, last] = [appends[0], appends.at(-1)];
  const { messages, latenessMs } = summary;
  const measured =
    first === undefined || last === undefined
      ? Number.NaN
      : ((last.messages - first.messages) * 1000) / (last.atMs - first.atMs);
  return { ...pace, messages, measured, latenessMs };
}

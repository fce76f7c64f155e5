// How the commands put the stages together from the configuration: the settings they share, and their wiring.

import { createHash } from "node:crypto";
import { assemble, type Assembly, type AssemblyOptions } from "../assemble.ts";
import type { SettingName } from "../config/settings.ts";
import type { IngestedBatch, IngestOptions } from "../lakehouse/bronze/ingest.ts";
import { identitiesOf } from "../lakehouse/bronze/positions.ts";
import type { Restated } from "../lakehouse/gold/restatements.ts";
import type { Lake } from "../lakehouse/lake.ts";
import type { EventLog } from "../log/event-log.ts";
import { partitionOf } from "../log/partitioner.ts";
import type { StageOptions } from "../pipeline.ts";
import { SENSOR_TYPES } from "../reading/terms.ts";
import type { MalformedLine } from "../replay/merge.ts";
import type { Pace } from "../replay/pace.ts";
import { replay, type ReplayProgress, type ReplaySummary } from "../replay/replay.ts";
import { selectFiles, type FileFilter } from "../replay/select-files.ts";
import { present } from "../support/assert.ts";
import { AtriumError } from "../support/errors.ts";
import type { Logger } from "../support/logger.ts";
import type { CommandContext } from "./command.ts";

/** Settings of every command that opens a lake. */
export const LAKE_SETTINGS: readonly SettingName[] = [
  "LAKE_URL",
  "ENGINE",
  "SPARK_REMOTE",
  "ENGINE_MEMORY_MB",
  "ENGINE_THREADS",
  "QUERY_TIMEOUT_SECONDS",
  "S3_ENDPOINT",
  "CACHE_DIR",
  "CACHE_MB",
];

/** Settings of every command that opens the log. */
export const LOG_SETTINGS: readonly SettingName[] = [
  "LOG",
  "LOG_PATH",
  "LOG_MAX_MB",
  "LOG_MAX_AGE_HOURS",
  "TOPIC_CO2",
  "TOPIC_HUMIDITY",
  "TOPIC_LUMINOSITY",
  "TOPIC_PIR",
  "TOPIC_TEMPERATURE",
  "TOPIC_PARTITIONS",
  "KAFKA_BOOTSTRAP",
  "ACKS",
  "BATCH_SIZE",
  "KAFKA_SECURITY",
  "KAFKA_SASL_MECHANISM",
  "KAFKA_USERNAME",
  "KAFKA_PASSWORD",
  "KAFKA_CA_FILE",
  "KAFKA_CERT_FILE",
  "KAFKA_KEY_FILE",
  "KAFKA_COMPRESSION",
  "KAFKA_REPLICATION",
  "KAFKA_GROUP",
  "INGEST_SHARD",
];

/** Settings of the batches from the log to silver. */
export const BATCH_SETTINGS: readonly SettingName[] = ["BATCH_SECONDS", "BATCH_ROWS", "BRONZE_PARTITION_BY"];

/** Settings of a replay, its pace left out. */
export const SOURCE_SETTINGS: readonly SettingName[] = ["SOURCE_URL", "ROOMS", "SENSORS", "PROGRESS_EVERY"];

/** Settings of a replay's pace. */
export const PACE_SETTINGS: readonly SettingName[] = [
  "REPLAY_MODE",
  "RATE_MSG_PER_SEC",
  "TIMEWARP_FACTOR",
  "LINGER_MS",
];

/** The name under which an embedded log keeps how far the replay of raw files is. */
const REPLAY_PRODUCER = "replay";
/** Malformed lines beyond these are only counted. */
const MALFORMED_NAMED_MAX = 10;
/** How often a stage looks for what another process did, ms. */
const POLL_MS = 1000;

/** The parts that the configuration of a command names; queries may also read the lakes `alsoReads`. */
export function parts(
  { config, clock, logger }: CommandContext,
  options: Pick<AssemblyOptions, "alsoReads" | "onRetry"> = {},
): Assembly {
  return assemble(config, { clock, logger, ...options });
}

/** What late readings changed, in a line for people. */
export function restatedText({ daysRestated, valuesRestated, lateReadings }: Restated): string {
  const count = (value: number, what: string): string =>
    `${value.toLocaleString("en")} ${what}${value === 1 ? "" : "s"}`;
  return `${daysRestated.join(", ")} (${count(valuesRestated, "value")}, ${count(lateReadings, "late reading")})`;
}

/** Days whose gold cannot be made again, in a line for people. */
export function expiredText(daysExpired: readonly string[]): string {
  return `${daysExpired.join(", ")} (silver does not keep these days any more)`;
}

/** Options of the stages behind the log. */
export function stageOptions({ config, clock, logger }: CommandContext, lake: Lake): StageOptions {
  return {
    lake,
    clock,
    logger,
    batchRowsMax: config.lake.batchRowsMax,
    queryTimeoutMs: QUERY_TIMEOUT_MS,
    pollMs: POLL_MS,
  };
}

/** The stages' own queries are bounded too, but not by the patience of a client. */
const QUERY_TIMEOUT_MS = 600_000;

/** Options of ingestion, without its end; `onCommit` hears of each batch. */
export async function ingestOptions(
  { config, logger }: CommandContext,
  { assembly, lake, log }: { readonly assembly: Assembly; readonly lake: Lake; readonly log: EventLog },
  onCommit?: (batch: IngestedBatch) => void,
): Promise<Omit<IngestOptions, "signal" | "isComplete">> {
  const reader = await assembly.rangeReader();
  return {
    ...(reader && { reader }),
    lake,
    log,
    topics: topicNames(config.log.topics),
    shard: config.ingestShard,
    batchRowsMax: config.lake.batchRowsMax,
    batchAgeMsMax: config.lake.batchSecondsMax * 1000,
    logger,
    onCommit: (batch) => {
      logger.debug("ingested", { ...batch, reasons: Object.fromEntries(batch.reasons) });
      onCommit?.(batch);
    },
  };
}

/** Makes the topics that are missing and returns how many partitions each has. */
export async function prepareTopics(
  { config }: CommandContext,
  log: EventLog,
): Promise<ReadonlyMap<string, number>> {
  const { topics, partitions } = config.log;
  await log.createTopics(topicNames(topics).map((name) => ({ name, partitions })));
  return log.partitions();
}

/** What a replay needs beside the configuration. */
export interface ReplayParts {
  readonly assembly: Assembly;
  readonly log: EventLog;
  readonly pace: Pace;
  readonly restart: boolean;
  readonly signal: AbortSignal;
}

/** Replays the raw files into the log, with its progress shown. */
export async function replayFiles(
  context: CommandContext,
  { assembly, log, pace, restart, signal }: ReplayParts,
): Promise<ReplaySummary> {
  const { config, clock, logger } = context;
  const partitions = await prepareTopics(context, log);
  const topic = (name: string): { name: string; partitions: number } => ({
    name,
    partitions: present(partitions.get(name), `topic ${name}`),
  });
  const { co2, humidity, luminosity, pir, temperature } = config.log.topics;
  try {
    const summary = await replay({
      source: await assembly.rawSource(),
      log,
      clock,
      logger,
      pace,
      topics: {
        co2: topic(co2),
        humidity: topic(humidity),
        luminosity: topic(luminosity),
        pir: topic(pir),
        temperature: topic(temperature),
      },
      partitionOf,
      producer: await producerFor(context, log),
      ...fileFilter(context),
      restart,
      lingerMs: config.kafka.lingerMs,
      onMalformed: malformedReporter(logger),
      onProgress: progressReporter(context),
      signal,
    });
    if (summary.filesEmpty.length === summary.files) throw allEmpty(context, summary);
    return summary;
  } finally {
    context.progress.end();
  }
}

/**
 * Who replays into these very topics. A cluster holds the topics of many lakes, and a topic may be deleted and made again:
 * what was sent into others says nothing of these.
 */
async function producerFor({ config }: CommandContext, log: EventLog): Promise<string> {
  if (config.log.kind === "embedded") return REPLAY_PRODUCER;
  const identities = [...(await identitiesOf(log, topicNames(config.log.topics))).values()];
  const hash = createHash("sha256").update(identities.join(" ")).digest("hex");
  return `${REPLAY_PRODUCER}-${hash.slice(0, 16)}`;
}

function allEmpty({ config }: CommandContext, { filesEmpty }: ReplaySummary): AtriumError {
  const files =
    filesEmpty.length === 1 ? filesEmpty[0] : `${filesEmpty[0]} and ${filesEmpty.length - 1} more`;
  const advice = "Check that the files were written in full.";
  return new AtriumError(
    "SOURCE_EMPTY",
    `${config.source.url} holds no reading: ${files} without a line. ${advice}`,
  );
}

/** Looks at the raw files before anything is made, so that a wrong name leaves no lake behind. @throws SOURCE_MISSING, SOURCE_EMPTY */
export async function checkSource(context: CommandContext, assembly: Assembly): Promise<void> {
  const source = await assembly.rawSource();
  selectFiles(source.name, await source.list(), fileFilter(context));
}

function fileFilter({ config }: CommandContext): FileFilter {
  const { rooms, sensorTypes } = config.source;
  return { sensorTypes, ...(rooms.length === 0 ? {} : { rooms }) };
}

/** The pace that the configuration names. */
export function paceOf({ config }: CommandContext): Pace {
  const { mode, messagesPerSecond, timewarpFactor } = config.replay;
  if (mode === "rate") return { mode, messagesPerSecond };
  return mode === "timewarp" ? { mode, factor: timewarpFactor } : { mode };
}

/** The topics of the sensor types, in their order. */
export function topicNames(topics: CommandContext["config"]["log"]["topics"]): readonly string[] {
  return SENSOR_TYPES.map((type) => topics[type]);
}

/** The first malformed lines are named in the log; of the others it keeps the count. */
function malformedReporter(logger: Logger): (line: MalformedLine) => void {
  let count = 0;
  return ({ file, line, text }) => {
    count += 1;
    if (count <= MALFORMED_NAMED_MAX) {
      logger.warn("no reading: the line goes to bronze/rejected as it is", { file, line, text });
    }
    if (count === MALFORMED_NAMED_MAX) logger.warn("further lines of this kind are only counted");
  };
}

function progressReporter({ clock, progress }: CommandContext): (state: ReplayProgress) => void {
  const startMs = clock.monotonicMs();
  let startBytes: number | undefined;
  return (state) => {
    startBytes ??= state.bytesDone;
    const bytesPerMs = (state.bytesDone - startBytes) / (clock.monotonicMs() - startMs);
    const secondsLeft = bytesPerMs > 0 ? (state.bytesTotal - state.bytesDone) / bytesPerMs / 1000 : undefined;
    progress.update(() => ({
      message: "replay",
      text: progressText(state, secondsLeft),
      fields: { ...state, secondsLeft },
    }));
  };
}

function progressText(state: ReplayProgress, secondsLeft: number | undefined): string {
  const { messages, bytesDone, bytesTotal, rate, eventTimeMs } = state;
  return [
    `replay ${Math.floor((100 * bytesDone) / Math.max(1, bytesTotal))} %`,
    `${messages.toLocaleString("en")} messages`,
    `${Math.round(rate).toLocaleString("en")}/s`,
    ...(eventTimeMs === undefined ? [] : [`at ${new Date(eventTimeMs).toISOString().slice(0, 16)}`]),
    ...(secondsLeft === undefined ? [] : [`${Math.ceil(secondsLeft)} s left`]),
  ].join(", ");
}

// How the commands put the stages together from the configuration: the settings they share, and their wiring.

import { assemble, type Assembly } from "../assemble.ts";
import type { SettingName } from "../config/settings.ts";
import type { IngestOptions } from "../lakehouse/bronze/ingest.ts";
import type { Lake } from "../lakehouse/lake.ts";
import type { EventLog } from "../log/event-log.ts";
import { partitionOf } from "../log/partitioner.ts";
import type { StageOptions } from "../pipeline.ts";
import { SENSOR_TYPES } from "../reading/terms.ts";
import type { Pace } from "../replay/pace.ts";
import { replay, type ReplayProgress, type ReplaySummary } from "../replay/replay.ts";
import { present } from "../support/assert.ts";
import type { CommandContext } from "./command.ts";

/** Settings of every command that opens a lake. */
export const LAKE_SETTINGS: readonly SettingName[] = ["LAKE_URL", "ENGINE", "ENGINE_MEMORY_MB", "ENGINE_THREADS", "QUERY_TIMEOUT_SECONDS"];

/** Settings of every command that opens the log. */
export const LOG_SETTINGS: readonly SettingName[] = [
  "LOG", "LOG_PATH", "LOG_MAX_MB", "LOG_MAX_AGE_HOURS", "TOPIC_CO2", "TOPIC_HUMIDITY", "TOPIC_LUMINOSITY", "TOPIC_PIR",
  "TOPIC_TEMPERATURE", "TOPIC_PARTITIONS",
];

/** Settings of the batches from the log to silver. */
export const BATCH_SETTINGS: readonly SettingName[] = ["BATCH_SECONDS", "BATCH_ROWS", "BRONZE_PARTITION_BY"];

/** Settings of a replay, its pace left out. */
export const SOURCE_SETTINGS: readonly SettingName[] = ["SOURCE_URL", "ROOMS", "SENSORS", "PROGRESS_EVERY"];

/** Settings of a replay's pace. */
export const PACE_SETTINGS: readonly SettingName[] = ["REPLAY_MODE", "RATE_MSG_PER_SEC", "TIMEWARP_FACTOR", "LINGER_MS"];

/** The name under which the log keeps how far the replay of raw files is. */
const REPLAY_PRODUCER = "replay";
/** How often a stage looks for what another process did, ms. */
const POLL_MS = 1000;

/** The parts that the configuration of a command names; queries may also read the folders `alsoReads`. */
export function parts({ config, clock, logger }: CommandContext, alsoReads: readonly string[] = []): Assembly {
  return assemble(config, { clock, logger, alsoReads });
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

/** Options of ingestion, without its end. */
export function ingestOptions(
  { config, logger }: CommandContext,
  lake: Lake,
  log: EventLog,
): Omit<IngestOptions, "signal" | "isComplete"> {
  return {
    lake,
    log,
    topics: topicNames(config.log.topics),
    batchRowsMax: config.lake.batchRowsMax,
    batchAgeMsMax: config.lake.batchSecondsMax * 1000,
    logger,
    onCommit: (batch) => logger.debug("ingested", { ...batch }),
  };
}

/** Makes the topics that are missing and returns how many partitions each has. */
export async function prepareTopics({ config }: CommandContext, log: EventLog): Promise<ReadonlyMap<string, number>> {
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
export async function replayFiles(context: CommandContext, { assembly, log, pace, restart, signal }: ReplayParts): Promise<ReplaySummary> {
  const { config, clock, logger, progress } = context;
  const partitions = await prepareTopics(context, log);
  const topic = (name: string): { name: string; partitions: number } => ({ name, partitions: present(partitions.get(name), `topic ${name}`) });
  const { co2, humidity, luminosity, pir, temperature } = config.log.topics;
  try {
    return await replay({
      source: await assembly.rawSource(),
      log,
      clock,
      logger,
      pace,
      topics: { co2: topic(co2), humidity: topic(humidity), luminosity: topic(luminosity), pir: topic(pir), temperature: topic(temperature) },
      partitionOf,
      producer: REPLAY_PRODUCER,
      rooms: config.source.rooms,
      sensorTypes: config.source.sensorTypes,
      restart,
      lingerMs: config.kafka.lingerMs,
      onProgress: (state) => progress.update(() => ({ message: "replay", text: progressText(state), fields: { ...state } })),
      signal,
    });
  } finally {
    progress.end();
  }
}

/** The pace that the configuration names. */
export function paceOf({ config }: CommandContext): Pace {
  const { mode, messagesPerSecond, timewarpFactor } = config.replay;
  if (mode === "rate") return { mode, messagesPerSecond };
  return mode === "timewarp" ? { mode, factor: timewarpFactor } : { mode };
}

function topicNames(topics: CommandContext["config"]["log"]["topics"]): readonly string[] {
  return SENSOR_TYPES.map((type) => topics[type]);
}

function progressText(state: ReplayProgress): string {
  const share = state.bytesTotal > 0 ? `${Math.floor((100 * state.bytesDone) / state.bytesTotal)} %` : "";
  const left = state.secondsLeft === undefined ? "" : `, ${Math.ceil(state.secondsLeft)} s left`;
  const eventTime = state.eventTimeMs === undefined ? "" : `, at ${new Date(state.eventTimeMs).toISOString().slice(0, 16)}`;
  return `replay ${share}: ${state.messages.toLocaleString("en")} messages, ${Math.round(state.rate).toLocaleString("en")}/s${eventTime}${left}`;
}

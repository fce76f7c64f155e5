// The stages as processes of the simulation run them, and a reader that holds what it sees against the promises.

import { ingest, type IngestOptions } from "../../src/lakehouse/bronze/ingest.ts";
import { makeGold } from "../../src/lakehouse/gold/gold.ts";
import { type Lake, tableInput } from "../../src/lakehouse/lake.ts";
import { refineBatch } from "../../src/lakehouse/silver/refine.ts";
import { rowsIn } from "../../src/lakehouse/summary.ts";
import { upkeep } from "../../src/lakehouse/upkeep/upkeep.ts";
import type { EventLog } from "../../src/log/event-log.ts";
import { partitionOf } from "../../src/log/partitioner.ts";
import { TABLE_NAMES } from "../../src/reading/tables.ts";
import { SENSOR_TRAITS, SENSOR_TYPES, type SensorType } from "../../src/reading/terms.ts";
import { replay } from "../../src/replay/replay.ts";
import type { Chance } from "../../src/support/chance.ts";
import type { Clock } from "../../src/support/clock.ts";
import { type AtriumError, isAtriumError } from "../../src/support/errors.ts";
import { silentLogger } from "../../src/support/logger.ts";
import { memorySource } from "../support/replay.ts";
import { isInjected } from "./injected.ts";
import type { Ledger } from "./ledger.ts";
import { COUNT_SQL } from "./model-transforms.ts";
import { PARTITIONS, type Plan } from "./plan.ts";

/** What a process has. */
export interface Parts {
  readonly name: string;
  readonly plan: Plan;
  readonly lake: Lake;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly ledger: Ledger;
}

/** The work of a process; most never end by themselves. */
export type Actor = (parts: Parts) => Promise<void>;

/** Stages idle and retry after about so long, ms. */
const PAUSE_MS = 300;
const QUERY_TIMEOUT_MS = 60_000;
const TOPICS = SENSOR_TYPES.map((type) => SENSOR_TRAITS[type].topic);
const FOREVER = new AbortController().signal;

/** Files that nobody needs are kept for so long, ms: longer than any process stands still. */
export const GRACE_MS = 120_000;

/** Looks after the tables now and then. */
export const upkeepActor: Actor = async (parts) => {
  for (;;) {
    await parts.clock.sleep(parts.chance.below(20) * PAUSE_MS);
    await upkeepRound(parts);
  }
};

async function upkeepRound({ lake, plan }: Parts): Promise<void> {
  const { failures } = await upkeep({
    lake,
    logger: silentLogger,
    retentionDays: { bronze: undefined, silver: undefined, gold: undefined, rejected: undefined },
    targetBytes: plan.targetBytes,
    graceMs: GRACE_MS,
    signal: FOREVER,
  });
  // What failed comes again in the next round; a failure without a cause must not hide.
  const odd = failures.map(({ error }) => error).find((error) => !isInjected(error) && !isLostRace(error));
  if (odd !== undefined) throw odd as Error;
}

/**
 * Others were faster; or a reader held a version just after its commits were cleaned up, and vacuum, which cannot know its
 * files, waits until the hold has expired.
 */
function isLostRace(error: AtriumError): boolean {
  const isHeldTooLate = error.code === "NOT_FOUND" && error.message.includes("has no version");
  return error.code === "COMMIT_CONFLICT" || isHeldTooLate;
}

/** Replays all raw files from where the log says it was left. */
export const replayActor: Actor = async ({ plan, log, clock }) => {
  await makeTopics(log);
  const topicOf = (type: SensorType): { name: string; partitions: number } => ({
    name: SENSOR_TRAITS[type].topic,
    partitions: PARTITIONS,
  });
  await replay({
    source: memorySource(plan.raw, 48),
    log,
    clock,
    logger: silentLogger,
    pace: plan.isPaced ? { mode: "rate", messagesPerSecond: 20 } : { mode: "max" },
    topics: {
      co2: topicOf("co2"),
      humidity: topicOf("humidity"),
      luminosity: topicOf("luminosity"),
      pir: topicOf("pir"),
      temperature: topicOf("temperature"),
    },
    partitionOf,
    producer: "replay",
    batchRecordsMax: plan.appendRows,
  });
};

/** Sends the messages that come from elsewhere, each append once. */
export const foreignActor: Actor = async ({ plan, log, clock, chance }) => {
  await makeTopics(log);
  const done = Number((await log.progress("foreign")).get("appends") ?? "0");
  for (const [index, batches] of plan.foreign.entries()) {
    if (index < done) continue;
    await clock.sleep(chance.below(4) * PAUSE_MS);
    await appendPatiently({ log, clock }, batches, index + 1);
  }
};

async function appendPatiently(
  { log, clock }: Pick<Parts, "log" | "clock">,
  batches: Plan["foreign"][number],
  appends: number,
): Promise<void> {
  const notes = new Map([["appends", String(appends)]]);
  for (;;) {
    try {
      await log.append(batches, { producer: "foreign", notes });
      return;
    } catch (error) {
      if (!isAtriumError(error, "LOG_FULL")) throw error;
      await clock.sleep(PAUSE_MS);
    }
  }
}

/** Ingests until the log is complete. */
export function ingestActor(isComplete: () => boolean): Actor {
  return async ({ plan, lake, log }) => {
    await makeTopics(log);
    const options: IngestOptions = {
      lake,
      log,
      topics: TOPICS,
      batchRowsMax: plan.ingestRows,
      batchAgeMsMax: PAUSE_MS,
      logger: silentLogger,
      signal: FOREVER,
      isComplete,
    };
    await ingest(options);
  };
}

/** Refines whatever is new, until `isComplete` and nothing is. */
export function refineActor(isComplete: () => boolean): Actor {
  return async ({ plan, lake, clock }) => {
    for (;;) {
      const wasComplete = isComplete();
      const options = { lake, batchRowsMax: plan.refineRows, queryTimeoutMs: QUERY_TIMEOUT_MS };
      if ((await refineBatch(options)) !== undefined) continue;
      if (wasComplete) return;
      await clock.sleep(PAUSE_MS);
    }
  };
}

/** Makes gold now and then; a lost race is taken up again. */
export const goldActor: Actor = async ({ lake, clock, chance }) => {
  for (;;) {
    try {
      await makeGold({ lake, queryTimeoutMs: QUERY_TIMEOUT_MS });
    } catch (error) {
      if (!isAtriumError(error, "COMMIT_CONFLICT")) throw error;
    }
    await clock.sleep(chance.below(4) * PAUSE_MS);
  }
};

/** All stages in one process. */
export const upActor: Actor = async (parts) => {
  const never = (): boolean => false;
  const stages = [replayActor, foreignActor, ingestActor(never), refineActor(never), goldActor];
  if (parts.plan.hasUpkeep) stages.push(upkeepActor);
  await Promise.all(stages.map(async (stage) => stage(parts)));
};

/** Everything to its end, without a hurry: what is left to do after the last fault. */
export const finishActor: Actor = async (parts) => {
  let isSent = false;
  const send = async (): Promise<void> => {
    await Promise.all([replayActor(parts), foreignActor(parts)]);
    isSent = true;
  };
  await Promise.all([send(), ingestActor(() => isSent)(parts)]);
  const { lake, ledger, plan } = parts;
  const derive = async (): Promise<void> => {
    await refineActor(() => true)(parts);
    await makeGold({ lake, queryTimeoutMs: QUERY_TIMEOUT_MS });
  };
  await derive();
  if (plan.hasUpkeep) {
    await upkeepRound(parts);
    await derive();
  }
  const again = await makeGold({ lake, queryTimeoutMs: QUERY_TIMEOUT_MS, days: await daysOf(lake) });
  if (again.daysReplaced.length > 0) {
    ledger.fail("gold is idempotent", `made again, these days differ: ${again.daysReplaced.join(", ")}`);
  }
};

/** Reads versions whole while others write. */
export const readerActor: Actor = async ({ lake, clock, chance, ledger }) => {
  for (;;) {
    await clock.sleep(chance.below(5) * PAUSE_MS);
    const name = TABLE_NAMES[chance.below(TABLE_NAMES.length)]!;
    const snapshot = await lake.table(name).snapshot();
    if (snapshot === undefined) continue;
    const input = { ...tableInput(lake, name, { snapshot }), name: "seen" };
    const query = { sql: COUNT_SQL, inputs: [input], rowsMax: 1, timeoutMs: QUERY_TIMEOUT_MS };
    const [[rows] = []] = (await lake.engine.query(query)).rows;
    const told = rowsIn(snapshot.files.values());
    if (rows === told) continue;
    ledger.fail("readers see whole commits", `${name} has ${Number(rows)} rows, its log says ${told}`);
  }
};

async function makeTopics(log: EventLog): Promise<void> {
  await log.createTopics(TOPICS.map((name) => ({ name, partitions: PARTITIONS })));
}

async function daysOf(lake: Lake): Promise<readonly string[]> {
  const silver = await lake.table("silver/readings").snapshot();
  const days = [...(silver?.files.values() ?? [])].map((file) => file.partitionValues["event_date"] ?? "");
  return [...new Set(days)].toSorted();
}

// The programs on a broker: places of their own for them, and what their tables must end as, whatever happened on the way.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before } from "node:test";
import type { Kafka } from "../../services/kafka.ts";
import type { TableName } from "../../src/reading/tables.ts";
import { SENSOR_TYPES } from "../../src/reading/terms.ts";
import { uniqueId } from "../../src/support/chance.ts";
import {
  askOne,
  assertEachMessageOnce,
  assertSameRows,
  makeReference,
  type Reference,
  type RunReport,
} from "./lake-folder.ts";
import { done, start, type Running } from "./program.ts";

/** Small batches, for many commits. */
const SMALL = ["--batch-rows", "5000", "--bronze-partition-by", "event_date"];
/** Offsets and log times differ between logs; what was measured must not. */
const COMPARED: readonly TableName[] = ["gold/sensor_hourly", "gold/sensor_daily", "gold/room_daily"];

/** A lake of its own, fed from topics of its own. */
export interface Site {
  readonly lake: string;
  /** Leads a program to the broker and the topics. */
  readonly env: Readonly<Record<string, string>>;
  /** Starts a replay of the raw files. */
  readonly replay: Starter;
  /** Starts an ingestion in small batches. */
  readonly ingest: Starter;
  /** Replays all raw files at full speed. */
  readonly fill: () => Promise<void>;
  /** Runs everything to its end. */
  readonly run: () => Promise<RunReport>;
  /** Runs to the end, and fails unless the tables hold each message once and gold is that of an undisturbed run on the embedded log. */
  readonly assertWhole: () => Promise<void>;
}

/** Starts a program with more arguments, and settings beside its own. */
type Starter = (args: readonly string[], env?: Readonly<Record<string, string>>) => Running;

/** Raw files and their reference lake for the tests of a `describe`, and sites on its broker. */
export function kafkaPrograms(broker: () => Kafka): {
  readonly reference: () => Reference;
  readonly site: () => Site;
} {
  let made: Reference | undefined;
  before(async () => {
    made = await makeReference(["--rooms", "2", "--days", "1", "--seed", "5", "--faults"], SMALL);
  });
  after(async () => made?.folder[Symbol.asyncDispose]());
  const reference = (): Reference => made ?? assert.fail("there is no reference");
  return { reference, site: () => siteOn(broker().bootstrap, reference()) };
}

function siteOn(bootstrap: string, { folder, raw, reference, messages }: Reference): Site {
  const id = uniqueId().slice(0, 8);
  const lake = join(folder.path, id);
  const topics = Object.fromEntries(
    SENSOR_TYPES.map((type) => [`TOPIC_${type.toUpperCase()}`, `${id}.${type}`]),
  );
  const env = { LOG: "kafka", KAFKA_BOOTSTRAP: bootstrap, LOG_LEVEL: "warn", ...topics };
  const run = async (): Promise<RunReport> =>
    JSON.parse(await done(["run", "--raw", raw, "--lake", lake, "--json", ...SMALL], { env })) as RunReport;
  return {
    lake,
    env,
    replay: (args, more) => start(["replay", "--raw", raw, ...args], { env: { ...env, ...more } }),
    ingest: (args, more) =>
      start(["ingest", "--lake", lake, ...args, ...SMALL], { env: { ...env, ...more } }),
    fill: async () => void (await done(["replay", "--raw", raw, "--replay-mode", "max"], { env })),
    run,
    assertWhole: async () => {
      await run();
      await assertEachMessageOnce(lake, messages);
      const count = "select count(*) as n from silver_readings";
      assert.deepEqual(await askOne(lake, count), await askOne(reference, count));
      await assertSameRows(lake, reference, COMPARED);
    },
  };
}

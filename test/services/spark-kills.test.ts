// The kill matrix: our program, Spark's driver and executors, the broker and the S3 gateway, each killed -9 at random moments.
// ATRIUM_TEST_KILLS says how often each (2), ATRIUM_TEST_SEED when (1), ATRIUM_TEST_ENGINE what runs the transforms (duckdb).

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Kafka, startKafka } from "../../services/kafka.ts";
import { kill } from "../../services/process.ts";
import { type SparkCluster, startSparkCluster } from "../../services/spark-cluster.ts";
import { seededChance, uniqueId } from "../../src/support/chance.ts";
import { makeReference, type Reference } from "../support/lake-folder.ts";
import { done, type Running, start } from "../support/program.ts";
import { type S3Fixture, s3Fixture } from "../support/s3.ts";
import { withoutServices } from "../support/services.ts";

const { ATRIUM_TEST_KILLS = "2", ATRIUM_TEST_SEED = "1", ATRIUM_TEST_ENGINE = "duckdb" } = process.env;
const KILLS = Number(ATRIUM_TEST_KILLS);
const isOnSpark = ATRIUM_TEST_ENGINE === "spark";
const skip = await withoutServices("kafka", "s3", "spark");
const BATCHES = ["--batch-rows", "5000", "--bronze-partition-by", "event_date"];
/** Offsets, log times and the moments of making differ between logs; what was measured must not. */
const SAME_ROWS = ["gold/sensor_hourly", "gold/sensor_daily", "gold/room_daily"];
const RUNS_MAX = 10;

/** What is killed: returns when it is gone, and `mend` when it is there again. */
interface Target {
  readonly name: string;
  readonly strike: (running: Running) => Promise<void>;
  readonly mend: () => Promise<void>;
}

describe(`the kill matrix with ENGINE=${ATRIUM_TEST_ENGINE}`, { skip }, () => {
  let fixture: S3Fixture;
  let broker: Kafka;
  let cluster: SparkCluster | undefined;
  let reference: Reference;
  let runMs = 0;

  before(async () => {
    fixture = await s3Fixture();
    broker = await startKafka({ folder: join(fixture.folder, "kafka") });
    if (isOnSpark) cluster = await startSparkCluster({ folder: fixture.folder });
    reference = await makeReference(["--rooms", "1", "--days", "1", "--seed", "3", "--faults"], BATCHES);
    const undisturbed = site();
    const startMs = performance.now();
    await done(undisturbed.args, { env: undisturbed.env });
    runMs = performance.now() - startMs;
    await assertUndisturbed(undisturbed);
  });
  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
    await broker?.stop();
    await fixture?.[Symbol.asyncDispose]();
    await reference?.folder[Symbol.asyncDispose]();
  });

  /** A lake and topics of its own. */
  function site(): { readonly lake: string; readonly args: string[]; readonly env: Record<string, string> } {
    const id = uniqueId().slice(0, 8);
    const lake = `s3://lake/${id}`;
    const types = ["CO2", "HUMIDITY", "LUMINOSITY", "PIR", "TEMPERATURE"];
    return {
      lake,
      args: ["run", "--raw", reference.raw, "--lake", lake, ...BATCHES],
      env: {
        ...fixture.env,
        ...Object.fromEntries(types.map((type) => [`TOPIC_${type}`, `${id}.${type}`])),
        CACHE_DIR: join(fixture.folder, "cache", id),
        LOG: "kafka",
        KAFKA_BOOTSTRAP: broker.bootstrap,
        LOG_LEVEL: "error",
        ENGINE: ATRIUM_TEST_ENGINE,
        ...(cluster === undefined ? {} : { SPARK_REMOTE: cluster.driver.remote }),
      },
    };
  }

  const targets: readonly Target[] = [
    {
      name: "our program",
      strike: async ({ child, ended }) => {
        child.kill("SIGKILL");
        await ended;
      },
      mend: async () => undefined,
    },
    {
      name: "the broker",
      strike: async () => broker.kill("SIGKILL"),
      mend: async () => broker.restart(),
    },
    {
      name: "the S3 gateway",
      strike: async () => fixture.gateway.kill("SIGKILL"),
      mend: async () => fixture.gateway.restart(),
    },
  ];
  const sparkTargets: readonly Target[] = [
    {
      name: "Spark's driver",
      strike: async () => cluster?.driver.kill("SIGKILL"),
      mend: async () => cluster?.driver.restart(),
    },
    {
      name: "an executor",
      strike: async () => {
        const [executor] = cluster?.executors() ?? [];
        if (executor !== undefined) await kill(executor);
      },
      // Its worker starts another.
      mend: async () => undefined,
    },
  ];

  for (const [place, target] of [...targets, ...(isOnSpark ? sparkTargets : [])].entries()) {
    test(`${target.name}, killed ${KILLS} times: the tables are as undisturbed`, async (context) => {
      const chance = seededChance(Number(ATRIUM_TEST_SEED) * 100 + place);
      for (let count = 0; count < KILLS; count += 1) {
        const own = site();
        const running = start(own.args, { env: own.env });
        // The undisturbed run was the first one, and slower than the others.
        const afterMs = chance.below(Math.ceil(runMs * 0.8));
        const wasUnderWay = await Promise.race([running.ended.then(() => false), delay(afterMs, true)]);
        await target.strike(running);
        await target.mend();
        const first = await running.ended;
        const runs = first.code === 0 ? 1 : 1 + (await runToItsEnd(own, first.stderr));
        context.diagnostic(
          `killed ${wasUnderWay ? "" : "behind the end, "}at ${afterMs} of ${Math.round(runMs)} ms: done after ${runs} runs`,
        );
        await assertUndisturbed(own);
      }
    });
  }

  /** Runs again until it ends well: how often that took. Each failure must say what it is. */
  async function runToItsEnd({ args, env }: ReturnType<typeof site>, stderr: string): Promise<number> {
    let said = stderr;
    for (let runs = 1; runs <= RUNS_MAX; runs += 1) {
      assert.doesNotMatch(said, /^\s+at /m, "an error without a stack trace");
      const ended = await start(args, { env }).ended;
      if (ended.code === 0) return runs;
      said = ended.stderr;
    }
    throw new Error(`no run of ${RUNS_MAX} ended well; the last said: ${said}`);
  }

  async function assertUndisturbed({ lake, env }: ReturnType<typeof site>): Promise<void> {
    // What is left of the log is taken, and all of it is there, each message once.
    const one = async (sql: string): Promise<Record<string, unknown>> => {
      const [row] = JSON.parse(await done(["sql", "--json", sql, "--lake", lake], { env })) as object[];
      return { ...row };
    };
    const position = `topic, partition, "offset"`;
    const messages = `(select ${position} from bronze_readings union all select ${position} from bronze_rejected)`;
    assert.deepEqual(
      await one(`select count(*) as n, count(distinct (${position})) as positions from ${messages}`),
      { n: reference.messages, positions: reference.messages },
    );
    for (const [here, there] of [
      [lake, reference.reference],
      [reference.reference, lake],
    ] as const) {
      for (const table of SAME_ROWS) {
        const text = await done(["table", "diff", table, "--lake", here, "--with", there], { env });
        assert.match(text, /the same [\d,]+ rows in both/);
      }
    }
    await done(["verify", "--lake", lake], { env });
  }
});

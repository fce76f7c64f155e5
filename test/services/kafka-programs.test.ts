// The programs on a real broker, killed and doubled: the tables end as those of an undisturbed run on the embedded log.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { TableName } from "../../src/reading/tables.ts";
import { uniqueId } from "../../src/support/chance.ts";
import { ownBroker, withoutKafka } from "../support/kafka.ts";
import {
  askOne,
  assertEachMessageOnce,
  assertSameRows,
  commitsOf,
  makeReference,
  type Reference,
  type RunReport,
} from "../support/lake-folder.ts";
import { endAt, reached } from "../support/moments.ts";
import { done, start, type Running } from "../support/program.ts";

const SMALL = ["--batch-rows", "5000", "--bronze-partition-by", "event_date"];
/** Offsets and log times differ between logs; what was measured must not. */
const COMPARED: readonly TableName[] = ["gold/sensor_hourly", "gold/sensor_daily", "gold/room_daily"];

describe("the programs on a broker", { skip: withoutKafka }, () => {
  const broker = ownBroker();
  let made: Reference | undefined;
  before(async () => {
    made = await makeReference(["--rooms", "2", "--days", "1", "--seed", "5", "--faults"], SMALL);
  });
  after(async () => made?.folder[Symbol.asyncDispose]());

  const reference = (): Reference => made ?? assert.fail("there is no reference");

  /** A lake of its own, and the environment that leads to topics of its own. */
  function site(): { readonly lake: string; readonly env: Record<string, string> } {
    const id = uniqueId().slice(0, 8);
    const types = ["CO2", "HUMIDITY", "LUMINOSITY", "PIR", "TEMPERATURE"];
    const topics = Object.fromEntries(types.map((type) => [`TOPIC_${type}`, `${id}.${type}`]));
    const env = { LOG: "kafka", KAFKA_BOOTSTRAP: broker().bootstrap, LOG_LEVEL: "warn", ...topics };
    return { lake: join(reference().folder.path, id), env };
  }

  async function run(lake: string, env: Record<string, string>): Promise<RunReport> {
    const args = ["run", "--raw", reference().raw, "--lake", lake, "--json", ...SMALL];
    return JSON.parse(await done(args, { env })) as RunReport;
  }

  async function assertWhole(lake: string, env: Record<string, string>): Promise<void> {
    await run(lake, env);
    await assertEachMessageOnce(lake, reference().messages);
    const count = "select count(*) as n from silver_readings";
    assert.deepEqual(await askOne(lake, count), await askOne(reference().reference, count));
    await assertSameRows(lake, reference().reference, COMPARED);
  }

  test("run makes the tables that it makes of the embedded log, and a second run adds nothing", async () => {
    const { lake, env } = site();
    assert.equal((await run(lake, env)).messages, reference().messages);
    assert.equal((await run(lake, env)).messages, 0);
    await assertWhole(lake, env);
    const findings = JSON.parse(await done(["doctor", "--lake", lake, "--json"], { env })) as {
      found: string;
    }[];
    assert.match(
      findings.map(({ found }) => found).join("\n"),
      /Kafka cluster .* 1 broker, 5 topics with 15 partitions, 0 messages/,
    );
  });

  test("replay that is killed with -9 again and again sends every message once", async () => {
    const { lake, env } = site();
    const args = ["replay", "--raw", reference().raw, "--replay-mode", "rate", "--rate-msg-per-sec", "30000"];
    let kills = 0;
    for (let kill = 1; kill <= 6; kill += 1) {
      const replay = start([...args, "--progress-every", "1"], { env: { ...env, LOG_LEVEL: "debug" } });
      // Somewhere in the middle: the moments differ from round to round by the number of lines that were said.
      const ended = await endAt(replay, "SIGKILL", () => replay.output().split("\n").length > kill);
      if (ended !== undefined) kills += 1;
    }
    assert.ok(kills >= 2, `${kills} kills came before the end`);
    await assertWhole(lake, env);
  });

  test("ingest that is killed with -9 again and again takes every message once", async () => {
    const { lake, env } = site();
    const replayed = done(["replay", "--raw", reference().raw, "--replay-mode", "max"], { env });
    let kills = 0;
    for (let round = 0; round < 12; round += 1) {
      const before = commitsOf(lake, "bronze/readings");
      const ingest = start(["ingest", "--lake", lake, "--once", ...SMALL], { env });
      const wanted = before + 1 + (round % 3);
      const ended = await endAt(ingest, "SIGKILL", () => commitsOf(lake, "bronze/readings") > wanted);
      if (ended !== undefined) kills += 1;
    }
    await replayed;
    assert.ok(kills >= 3, `${kills} kills came before the end`);
    await assertWhole(lake, env);
  });

  test("of two ingest processes on the same share one gives way, and nothing is doubled", async () => {
    const { lake, env } = site();
    await done(["replay", "--raw", reference().raw, "--replay-mode", "max"], { env });
    const begin = (): Running => start(["ingest", "--lake", lake, "--once", ...SMALL], { env });
    const both = await Promise.all([begin().ended, begin().ended]);
    for (const { code, stderr } of both.filter(({ code }) => code !== 0 && code !== 99)) {
      assert.equal(code, 1, stderr);
      assert.match(stderr, /COMMIT_OVERTAKEN/);
    }
    await assertWhole(lake, env);
  });

  test("replay and ingest go on by themselves after the broker was killed with -9", async () => {
    const { lake, env } = site();
    const rate = ["--replay-mode", "rate", "--rate-msg-per-sec", "30000"];
    const replay = start(["replay", "--raw", reference().raw, ...rate], { env });
    const ingest = start(["ingest", "--lake", lake, ...SMALL], { env });
    await reached(ingest, () => commitsOf(lake, "bronze/readings") > 2);
    await broker().kill("SIGKILL");
    await reached(replay, () => replay.output().includes("cannot be reached"));
    await broker().restart();
    const { code, stderr } = await replay.ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /takes messages again|cannot be reached/);
    ingest.child.kill("SIGTERM");
    assert.equal((await ingest.ended).code, 0);
    await assertWhole(lake, env);
  });
});

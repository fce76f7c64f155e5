// What is counted of log and lake: commits won and lost, messages, and how far bronze is behind.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ingest } from "../../src/lakehouse/bronze/ingest.ts";
import { lagOf, newestLogTime } from "../../src/lakehouse/bronze/lag.ts";
import { meteredLake, setTableGauges } from "../../src/lakehouse/metered-lake.ts";
import { meteredLog } from "../../src/log/metered-log.ts";
import { SENSOR_TRAITS, SENSOR_TYPES } from "../../src/reading/terms.ts";
import { silentLogger } from "../../src/support/logger.ts";
import { createMetrics } from "../../src/support/metric-registry.ts";
import { samplesOf, sumOf } from "../support/exposition.ts";
import { makeTestLake, message, testClock, type TestLake } from "../support/lake.ts";

const TOPICS = SENSOR_TYPES.map((type) => SENSOR_TRAITS[type].topic);
const START = 1_377_299_108;

async function lagsOf({ lake, log }: TestLake): Promise<readonly number[]> {
  return (await lagOf(lake, log, ["iot.co2", "iot.pir"])).map(({ messages }) => messages);
}

test("lag is what the log holds beyond the committed positions, also before there is a table", async () => {
  await using world = await makeTestLake();
  assert.deepEqual(await lagsOf(world), [0, 0]);
  await world.send([message("413", "co2", START, 500), message("413", "co2", START + 5, 501)]);
  assert.deepEqual(await lagsOf(world), [2, 0]);
  await world.ingest();
  assert.deepEqual(await lagsOf(world), [0, 0]);
  await world.send([message("413", "pir", START, 30)]);
  assert.deepEqual(await lagsOf(world), [0, 1]);
});

test("the newest log time is that of the newest message in bronze, rejected ones included", async () => {
  const clock = testClock(Date.UTC(2026, 0, 1));
  await using world = await makeTestLake({ clock });
  const newest = newestLogTime(world.lake);
  assert.equal(await newest(), undefined);
  await world.send([message("413", "co2", START, 500)]);
  await world.ingest();
  assert.equal(await newest(), Date.UTC(2026, 0, 1));
  clock.set(Date.UTC(2026, 0, 2, 3));
  await world.send([{ key: "413:co2", value: Buffer.from("no reading") }]);
  assert.equal(await newest(), Date.UTC(2026, 0, 1), "it is not committed yet");
  await world.ingest();
  assert.equal(await newest(), Date.UTC(2026, 0, 2, 3));
});

test("commits that are won and that are lost are counted by table, and the tables' sizes are set", async () => {
  await using world = await makeTestLake();
  const metrics = await createMetrics({ clock: world.lake.clock, logger: silentLogger });
  const samples = async () => samplesOf(await metrics.text());
  const lake = meteredLake(world.lake, metrics);
  const log = meteredLog(world.log, metrics);
  const lost = 'atrium_commit_conflicts_total{table="bronze/readings",code="COMMIT_OVERTAKEN"}';
  const won = 'atrium_commits_total{table="bronze/readings"}';
  assert.deepEqual([(await samples()).get(lost), (await samples()).get(won)], [0, 0]);
  await world.send([message("413", "co2", START, 500)]);
  const reasons: string[] = [];
  // Another process takes the same messages between reading and commit.
  const robbed: typeof lake = {
    ...lake,
    engine: {
      ...lake.engine,
      query: async (query, signal) => lake.engine.query(query, signal),
      write: async (transform, signal) => {
        await world.ingest(1_000_000, await world.reopen());
        return lake.engine.write(transform, signal);
      },
    },
  };
  const run = async (into: typeof lake) =>
    ingest({
      lake: into,
      log,
      topics: TOPICS,
      batchRowsMax: 100,
      batchAgeMsMax: 0,
      logger: silentLogger,
      signal: new AbortController().signal,
      isComplete: () => true,
      onCommit: (batch) => reasons.push(...batch.reasons.keys()),
    });
  await assert.rejects(run(robbed), { code: "COMMIT_OVERTAKEN" });
  assert.deepEqual([(await samples()).get(lost), (await samples()).get(won)], [1, 0]);

  await world.send([message("413", "co2", START + 5, 500), { key: "413:co2", value: Buffer.from("[]") }]);
  await run(lake);
  await setTableGauges(lake, metrics);
  const after = await samples();
  assert.deepEqual([after.get(lost), after.get(won)], [1, 1]);
  assert.deepEqual(reasons, ["not_an_object"]);
  const snapshot = await lake.table("bronze/readings").snapshot();
  const sizes = [...(snapshot?.files.values() ?? [])].map(({ size }) => size);
  assert.equal(after.get('atrium_table_files{table="bronze/readings"}'), 2);
  assert.equal(
    after.get('atrium_table_bytes{table="bronze/readings"}'),
    sizes.reduce((sum, size) => sum + size, 0),
  );
  assert.equal(after.get('atrium_committed_bytes_total{table="bronze/readings"}'), sizes[1]);
  assert.equal(after.get('atrium_table_version{table="bronze/readings"}'), snapshot?.version);
  // One message was read by the batch that lost, two by the next.
  assert.equal(sumOf(after, "atrium_log_messages_read_total"), 3);
});

test("messages and bytes are counted when they are in the log, not before", async () => {
  await using world = await makeTestLake();
  const counts = new Map<string, number>();
  const log = meteredLog(world.log, {
    add: (name, count, labels) => {
      const key = `${name} ${Object.values(labels).join()}`;
      counts.set(key, (counts.get(key) ?? 0) + count);
    },
  });
  const records = {
    count: 2,
    values: Buffer.from("ab\ncde\n"),
    keys: ["k"],
    keyIndexes: Uint16Array.of(0, 0),
  };
  await log.append([{ topic: "iot.co2", partition: 0, records }]);
  await assert.rejects(log.append([{ topic: "iot.nothing", partition: 0, records }]), { code: "NOT_FOUND" });
  assert.deepEqual(Object.fromEntries(counts), {
    "atrium_log_messages_appended_total iot.co2": 2,
    "atrium_log_bytes_appended_total iot.co2": 5,
  });
  await log.read([{ topic: "iot.co2", partition: 0, offset: 0n }], { recordsMax: 10, waitMs: 0 });
  assert.deepEqual(
    ["messages", "bytes"].map((what) => counts.get(`atrium_log_${what}_read_total iot.co2`)),
    [2, 5],
  );
});

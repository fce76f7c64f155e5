// Ingestion beyond its happy way: crashes between its two commits, clocks that go back, successors.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ingest, type IngestOptions } from "../../../src/lakehouse/bronze/ingest.ts";
import type { Lake } from "../../../src/lakehouse/lake.ts";
import { withBoundedLead } from "../../../src/log/bounded-lead.ts";
import { SENSOR_TRAITS, SENSOR_TYPES } from "../../../src/reading/terms.ts";
import { AtriumError } from "../../../src/support/errors.ts";
import { silentLogger } from "../../../src/support/logger.ts";
import { codeOf } from "../../support/delta.ts";
import { makeTestLake, message, testClock, type TestLake } from "../../support/lake.ts";

const DAY = 1377302400; // 2013-08-24T00:00:00Z

test("after a crash between the commits of rejected and of readings, a larger batch goes on from there", async () => {
  await using lake = await makeTestLake();
  const bad = { key: "413:co2", value: "no reading" };
  await lake.send([bad, message("413", "luminosity", DAY, 5)]);
  const crashing = withoutReadingsCommit(lake.lake);
  await assert.rejects(lake.ingest(100, crashing), /crash/);
  await lake.send([bad]);
  const { readings, rejected } = await lake.ingest();
  assert.deepEqual([readings, rejected], [1, 1]);
  assert.deepEqual(await lake.rows(`select "offset" from bronze_rejected order by 1`), [[0], [1]]);
  assert.deepEqual(await lake.rows("select room, value from bronze_readings"), [["413", 5]]);
});

test("the first reading of a key stays in silver though the clock went back before the second", async () => {
  const clock = testClock();
  await using lake = await makeTestLake({ clock });
  await lake.send([message("413", "co2", DAY, 400)]);
  await lake.ingest();
  clock.set(clock.nowMs() - 3_600_000);
  await lake.send([message("413", "co2", DAY, 500)]);
  await lake.ingest();
  await lake.refine();
  assert.deepEqual(await lake.rows("select value_raw from silver_readings"), [[400]]);
});

test("a zombie whose next messages the log has let go is told of its successor, not of a loss", async () => {
  await using lake = await makeTestLake();
  await lake.send([message("413", "co2", DAY, 400)]);
  const successor = await lake.reopen();
  const options = zombieOptions(lake, async () => {
    await lake.ingest(100, successor);
    throw new AtriumError("LOG_OFFSET_LOST", "1 record is gone.");
  });
  assert.equal(await codeOf(ingest(options)), "COMMIT_OVERTAKEN");
});

test("messages that the log lost before anybody ingested them are a loss", async () => {
  await using lake = await makeTestLake();
  const options = zombieOptions(lake, async () => {
    throw new AtriumError("LOG_OFFSET_LOST", "1 record is gone.");
  });
  assert.equal(await codeOf(ingest(options)), "LOG_OFFSET_LOST");
});

function zombieOptions(lake: TestLake, read: IngestOptions["log"]["read"]): IngestOptions {
  const { signal } = new AbortController();
  return {
    lake: lake.lake,
    log: { ...withBoundedLead(lake.log, 1000, signal), read },
    topics: SENSOR_TYPES.map((type) => SENSOR_TRAITS[type].topic),
    batchRowsMax: 100,
    batchAgeMsMax: 0,
    logger: silentLogger,
    signal,
    isComplete: () => true,
  };
}

/** The lake of a process that dies when it commits readings. */
function withoutReadingsCommit(lake: Lake): Lake {
  return {
    ...lake,
    table: (name) => ({
      ...lake.table(name),
      commit: async (request) => {
        if (name === "bronze/readings") throw new Error("crash");
        return lake.table(name).commit(request);
      },
    }),
  };
}

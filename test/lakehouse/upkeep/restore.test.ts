// Restore: the newest version has the files of an older one again, and the stages behind follow.

import assert from "node:assert/strict";
import { test } from "node:test";
import { makeGold } from "../../../src/lakehouse/gold/gold.ts";
import { restoreTable } from "../../../src/lakehouse/upkeep/restore.ts";
import { makeTestLake, message, type TestLake } from "../../support/lake.ts";

const DAY = 1377302400; // 2013-08-24T00:00:00Z
const BRONZE = "bronze/readings";
const SILVER = "silver/readings";

async function fill(lake: TestLake, values: readonly number[]): Promise<void> {
  for (const [index, value] of values.entries()) {
    await lake.send([message("413", "co2", DAY + index, value)]);
    await lake.ingest();
  }
}

const values = async (lake: TestLake, column: string, table: string): Promise<readonly unknown[]> =>
  (await lake.rows(`select ${column} from ${table} order by 1`)).flat();

test("a table gets the files of an older version, its tombstones live again, and no version is lost", async () => {
  await using lake = await makeTestLake();
  await fill(lake, [400, 401, 402]);
  const table = lake.lake.table(BRONZE);
  const before = (await table.snapshot())!;
  const back = await restoreTable(lake.lake, BRONZE, { version: 1 });
  assert.deepEqual(
    { ...back },
    { from: 1, version: 4, filesAdded: 0, filesRemoved: 2, rowsAdded: 0, rowsRemoved: 2 },
  );
  assert.deepEqual(await values(lake, "value", "bronze_readings"), [400]);
  const lesser = (await table.snapshot())!;
  assert.equal(lesser.tombstones.size, 2);
  assert.deepEqual(lesser.txns, before.txns, "positions never go back");
  assert.equal((await lake.ingest()).readings, 0, "what left is not ingested again");

  const forth = await restoreTable(lake.lake, BRONZE, { version: 3 });
  assert.deepEqual([forth.version, forth.filesAdded, forth.filesRemoved], [5, 2, 0]);
  for (const opened of [lake.lake, await lake.reopen()]) {
    const whole = (await opened.table(BRONZE).snapshot())!;
    assert.equal(whole.tombstones.size, 0, "a file that is added again is no tombstone");
    assert.deepEqual([...whole.files.keys()].toSorted(), [...before.files.keys()].toSorted());
  }
  assert.deepEqual(await values(lake, "value", "bronze_readings"), [400, 401, 402]);
  const [newest, older] = await table.history(2);
  assert.equal(newest?.operation, "RESTORE");
  assert.deepEqual(older?.info["operationParameters"], { version: "1" });
});

test("restoring what the table has already commits nothing", async () => {
  await using lake = await makeTestLake();
  await fill(lake, [400]);
  const restored = await restoreTable(lake.lake, BRONZE, { version: 1 });
  assert.deepEqual([restored.version, restored.filesAdded + restored.filesRemoved], [1, 0]);
  assert.equal((await lake.lake.table(BRONZE).snapshot())?.version, 1);
});

test("a version of which vacuum took a file is refused, and the table stays as it is", async () => {
  await using lake = await makeTestLake();
  await fill(lake, [400, 401]);
  await restoreTable(lake.lake, BRONZE, { version: 1 });
  const table = lake.lake.table(BRONZE);
  const head = (await table.snapshot())!;
  const [gone] = head.tombstones.keys();
  await lake.lake.store.delete([`${BRONZE}/${gone}`]);
  await assert.rejects(restoreTable(lake.lake, BRONZE, { version: 2 }), {
    code: "NOT_FOUND",
    message: new RegExp(`^Version 2 of table bronze/readings .*${gone} was removed by vacuum\\.`),
  });
  assert.equal((await table.snapshot())?.version, head.version);
  await assert.rejects(restoreTable(lake.lake, BRONZE, { version: 9 }), { code: "NOT_FOUND" });
  await assert.rejects(restoreTable(lake.lake, "gold/room_daily", { version: 0 }), { code: "NOT_FOUND" });
});

test("silver and gold follow a restore, and duplicates stay out though several versions come back as one", async () => {
  await using lake = await makeTestLake();
  const gold = async (): Promise<unknown> => {
    await lake.refine();
    await makeGold({ lake: lake.lake, queryTimeoutMs: 60_000 });
    return lake.rows("select room, co2_avg from gold_room_daily order by 1");
  };
  await lake.send([message("413", "co2", DAY, 500)]);
  await lake.ingest();
  await lake.refine();
  await lake.send([message("414", "co2", DAY, 600)]);
  await lake.ingest();
  await lake.send([message("414", "co2", DAY, 999)]); // the same key: a duplicate
  await lake.ingest();
  assert.deepEqual(await gold(), [
    ["413", 500],
    ["414", 600],
  ]);
  const silverVersion = 2;
  assert.deepEqual(await values(lake, "value_raw", "silver_readings"), [500, 600]);
  await restoreTable(lake.lake, SILVER, { version: silverVersion - 1 });
  assert.deepEqual(await gold(), [["413", 500]], "gold follows silver");
  await restoreTable(lake.lake, BRONZE, { version: 1 });
  await restoreTable(lake.lake, BRONZE, { version: 3 });
  assert.deepEqual(
    await gold(),
    [
      ["413", 500],
      ["414", 600],
    ],
    "bronze files that come back are new to refine, and the first in the log wins",
  );
  assert.deepEqual(await values(lake, "value_raw", "silver_readings"), [500, 600]);
});

test("a restore that loses to an append is repeated, and takes the newer rows away too", async () => {
  await using lake = await makeTestLake();
  await fill(lake, [400, 401]);
  const other = await lake.reopen();
  const table = lake.lake.table(BRONZE);
  let isFirst = true;
  const racing = {
    ...lake.lake,
    table: (name: Parameters<typeof lake.lake.table>[0]) => ({
      ...lake.lake.table(name),
      commit: async (request: Parameters<typeof table.commit>[0]) => {
        if (isFirst) {
          isFirst = false;
          await lake.send([message("413", "co2", DAY + 9, 409)]);
          await lake.ingest(1_000_000, other);
        }
        return lake.lake.table(name).commit(request);
      },
    }),
  };
  const restored = await restoreTable(racing, BRONZE, { version: 1 });
  assert.deepEqual([restored.version, restored.filesRemoved], [4, 2]);
  assert.deepEqual(await values(lake, "value", "bronze_readings"), [400]);
});

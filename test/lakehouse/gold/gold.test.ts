// Gold beside others: retention, compaction, clean-up, erasure and a second process that makes gold.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NO_GOLD } from "../../../src/lakehouse/gold/gold.ts";
import { tableInput, type Lake } from "../../../src/lakehouse/lake.ts";
import { HORIZON_APP_ID, horizonPosition, OPERATIONS } from "../../../src/lakehouse/operations.ts";
import { refineBatch } from "../../../src/lakehouse/silver/refine.ts";
import { sqlNameOf } from "../../../src/reading/tables.ts";
import { codeOf } from "../../support/delta.ts";
import {
  DAY,
  DAY_ONE,
  dayOf,
  eraseRoom,
  gold,
  newestOf,
  rewrite,
  toSilver,
  watched,
} from "../../support/gold.ts";
import { makeTestLake, message, type TestLake } from "../../support/lake.ts";

/** Readings of some days of a room, one a day. */
const daily = (room: string, days: number, value = 400): ReturnType<typeof message>[] =>
  Array.from({ length: days }, (_, index) => message(room, "co2", DAY_ONE + index * DAY, value));

/** A second reading of the first day. */
const late = (room: string): ReturnType<typeof message> => message(room, "co2", DAY_ONE + 5, 500);

const ROOM_DAYS = "select room, event_date, co2_avg, revision from gold_room_daily order by event_date, room";

/** Lets the days before one expire from silver. */
async function expire(lake: Lake, firstDay: string): Promise<void> {
  const base = await newestOf(lake, "silver/readings");
  const old = [...base.files.values()].filter((file) => file.partitionValues["event_date"]! < firstDay);
  await lake.table("silver/readings").commit({
    base,
    adds: [],
    removes: old.map((file) => file.path),
    txns: new Map([[HORIZON_APP_ID, horizonPosition(firstDay)]]),
    operation: OPERATIONS.expire,
    isolation: { kind: "append" },
    dataChange: true,
  });
}

describe("gold outlives silver", () => {
  test("days that expired keep their gold, also when they are asked for or a reading comes late; the summary says so", async () => {
    await using lake = await makeTestLake();
    await toSilver(lake, daily("413", 3));
    await gold(lake.lake);
    const before = await lake.rows(ROOM_DAYS);
    await expire(lake.lake, dayOf(1));
    assert.deepEqual(await gold(lake.lake), NO_GOLD);
    const asked = await gold(lake.lake, [dayOf(0), dayOf(1)]);
    assert.deepEqual(asked, { ...NO_GOLD, daysChecked: [dayOf(1)], daysExpired: [dayOf(0)] });
    await toSilver(lake, [message("413", "co2", DAY_ONE + 5, 900)]);
    assert.deepEqual(await gold(lake.lake), { ...NO_GOLD, daysExpired: [dayOf(0)] });
    assert.deepEqual(await lake.rows(ROOM_DAYS), before);
  });

  test("days whose rows were only moved are not looked at", async () => {
    await using lake = await makeTestLake();
    await toSilver(lake, daily("413", 2));
    await toSilver(lake, [message("413", "co2", DAY_ONE + 5, 500)]);
    await gold(lake.lake);
    const sql = "select * from silver_readings";
    await rewrite(lake.lake, "silver/readings", { sql, operation: OPERATIONS.compact, dataChange: false });
    assert.deepEqual(await gold(lake.lake), NO_GOLD);
  });

  test("where silver's commits were cleaned up all days are looked at, and those that differ are replaced", async () => {
    await using lake = await makeTestLake();
    await toSilver(lake, daily("413", 3));
    await gold(lake.lake);
    await toSilver(lake, [message("413", "co2", DAY_ONE + DAY + 5, 500)]);
    await toSilver(lake, [message("413", "co2", DAY_ONE + DAY + 10, 600)]);
    const { version } = await newestOf(lake.lake, "silver/readings");
    const log = (await lake.lake.store.list("silver/readings/_delta_log/")).map(({ path }) => path);
    await lake.lake.store.delete(
      log.filter((path) => path.endsWith(".json") && !path.includes(`${version}.json`)),
    );
    const { daysChecked, daysReplaced } = await gold(lake.lake);
    assert.deepEqual([daysChecked, daysReplaced], [[dayOf(0), dayOf(1), dayOf(2)], [dayOf(1)]]);
  });
});

describe("an erasure beside gold is not undone", () => {
  const erasing = async (lake: TestLake): Promise<void> => eraseRoom(await lake.reopen(), "erased");
  const assertErased = async (lake: TestLake): Promise<void> => {
    for (const table of ["gold_sensor_hourly", "gold_sensor_daily", "gold_room_daily"]) {
      assert.deepEqual(await lake.rows(`select distinct room from ${table}`), [["kept"]], table);
    }
  };
  const rooms = [...daily("erased", 2), ...daily("kept", 2)];

  for (const call of [1, 2, 3, 4, 5, 6, 7]) {
    test(`when it runs before call ${call} of the engine`, async () => {
      await using lake = await makeTestLake();
      await toSilver(lake, rooms);
      let calls = 0;
      const onEngine = async (): Promise<void> => {
        calls += 1;
        if (calls === call) await erasing(lake);
      };
      await gold(await watched(lake.lake, { onEngine }));
      assert.ok(calls >= call, `${calls} calls`);
      await assertErased(lake);
    });
  }

  test("because each gold table is read before silver, and not again before its days are made", async () => {
    await using lake = await makeTestLake();
    await toSilver(lake, rooms);
    await gold(lake.lake);
    await toSilver(lake, [late("kept")]);
    const read: string[] = [];
    let isRead = false;
    const onStore = async (_: string, path: string): Promise<void> => {
      const [table = ""] = path.split("/_delta_log/");
      if (!isRead && path.includes("/_delta_log/") && read.at(-1) !== table) read.push(table);
    };
    await gold(await watched(lake.lake, { onStore, onEngine: async () => void (isRead = true) }));
    assert.deepEqual(read, [
      // Whether it is there at all.
      "silver/readings",
      "gold/sensor_hourly",
      "gold/sensor_daily",
      "gold/room_daily",
      "silver/readings",
    ]);
  });

  for (const name of ["gold/sensor_hourly", "gold/sensor_daily"]) {
    test(`not for a moment either, when gold had the room and it runs right after ${name} was made`, async () => {
      await using lake = await makeTestLake();
      await toSilver(lake, rooms);
      await gold(lake.lake);
      await toSilver(lake, [late("erased"), late("kept")]);
      let isErased = false;
      const afterPut = async (path: string): Promise<void> => {
        if (!path.startsWith(`${name}/_delta_log/`) || isErased) return;
        isErased = true;
        await erasing(lake);
      };
      await gold(await watched(lake.lake, { afterPut }));
      assert.ok(isErased);
      await assertErased(lake);
      assert.deepEqual(await lake.rows("select room, sum(nb_readings) from gold_sensor_daily group by all"), [
        ["kept", 3],
      ]);
      for (const table of ["gold/sensor_hourly", "gold/sensor_daily", "gold/room_daily"] as const) {
        const commits = await lake.lake.table(table).history(100);
        const erased = commits.find((commit) => commit.operation === OPERATIONS.erase)!.version;
        for (const { version } of commits.filter((commit) => commit.version > erased)) {
          const snapshot = await lake.lake.table(table).snapshot(version);
          const inputs = [tableInput(lake.lake, table, { snapshot })];
          const sql = `select distinct room from ${sqlNameOf(table)}`;
          const { rows: found } = await lake.lake.engine.query({
            sql,
            inputs,
            rowsMax: 9,
            timeoutMs: 60_000,
          });
          assert.deepEqual(found, [["kept"]], `${table}, version ${version}`);
        }
      }
    });
  }
});

describe("two that make gold at once", () => {
  test("leave each day made once: the slower one reads again and finds nothing to do", async () => {
    await using lake = await makeTestLake();
    await toSilver(lake, daily("413", 2));
    let isFirst = true;
    const onEngine = async (): Promise<void> => {
      if (!isFirst) return;
      isFirst = false;
      await gold(await lake.reopen());
    };
    assert.deepEqual(await gold(await watched(lake.lake, { onEngine })), NO_GOLD);
    assert.deepEqual(await lake.rows(ROOM_DAYS), [
      ["413", dayOf(0), 400, 1],
      ["413", dayOf(1), 400, 1],
    ]);
  });

  test("do not replace a day by one of an older silver, in whichever step it is", async () => {
    await using lake = await makeTestLake();
    await toSilver(lake, daily("413", 40));
    let isFirst = true;
    const onEngine = async (): Promise<void> => {
      if (!isFirst) return;
      isFirst = false;
      // While the first 31 days are made, one of the others gets a reading and is made by somebody else.
      const other = await lake.reopen();
      await lake.send([message("413", "co2", DAY_ONE + 39 * DAY + 5, 600)]);
      await lake.ingest();
      await refineBatch({ lake: other, batchRowsMax: 1000, queryTimeoutMs: 60_000 });
      await gold(other, [dayOf(39)]);
    };
    const { daysReplaced } = await gold(await watched(lake.lake, { onEngine }));
    assert.equal(daysReplaced.length, 39);
    assert.deepEqual(
      await lake.rows(`select co2_avg, revision from gold_room_daily where event_date = '${dayOf(39)}'`),
      [[500, 1]],
    );
    for (const table of ["gold_sensor_hourly", "gold_sensor_daily"]) {
      assert.deepEqual(
        await lake.rows(`select nb_readings from ${table} where event_date = '${dayOf(39)}'`),
        [[2]],
      );
    }
  });

  test("give up after a few lost races, with COMMIT_CONFLICT", async () => {
    await using lake = await makeTestLake();
    await toSilver(lake, daily("413", 1));
    await gold(lake.lake);
    await toSilver(lake, [message("413", "co2", DAY_ONE + 5, 500)]);
    const other = await lake.reopen();
    let races = 0;
    const onEngine = async (): Promise<void> => {
      races += 1;
      const sql = "select * from gold_sensor_hourly";
      await rewrite(other, "gold/sensor_hourly", { sql, operation: OPERATIONS.compact, dataChange: false });
    };
    assert.equal(await codeOf(gold(await watched(lake.lake, { onEngine }))), "COMMIT_CONFLICT");
    assert.equal(races, 10, "five attempts of two calls each");
    assert.deepEqual((await gold(lake.lake)).daysReplaced, [dayOf(0)]);
  });
});

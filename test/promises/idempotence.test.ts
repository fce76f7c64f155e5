// Promises 2 and 5: what was done once is not done twice, whatever is run again.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { NO_GOLD } from "../../src/lakehouse/gold/gold.ts";
import {
  ask,
  askOne,
  assertSameRows,
  generateRaw,
  QUIET,
  runAll,
  type RunReport,
  versionsOf,
} from "../support/lake-folder.ts";
import { atrium, temporaryFolder } from "../support/program.ts";
import { lakeIn } from "../support/world.ts";

const GOLD = ["gold/sensor_hourly", "gold/sensor_daily", "gold/room_daily"] as const;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let raw = "";
let lake = "";
let reference = "";
let first: RunReport;

before(async () => {
  folder = await temporaryFolder();
  raw = join(folder.path, "raw");
  lake = lakeIn(folder.path, "lake");
  reference = lakeIn(folder.path, "reference");
  await generateRaw(raw, ["--rooms", "1", "--days", "2", "--seed", "3", "--faults"]);
  first = await runAll(raw, reference);
  await runAll(raw, lake);
});
after(async () => folder[Symbol.asyncDispose]());

describe("on a lake that holds all of its source", () => {
  test("a second run sends nothing, adds no row and makes no version of any table", async () => {
    const versions = await versionsOf(lake);
    const second = await runAll(raw, lake);
    const { messages, bronze, rejected, silver, daysReplaced, valuesRestated } = second;
    assert.deepEqual(
      { messages, bronze, rejected, silver, daysReplaced, valuesRestated },
      { messages: 0, bronze: 0, rejected: 0, silver: 0, daysReplaced: [], valuesRestated: 0 },
    );
    assert.deepEqual(second.tables, first.tables);
    assert.deepEqual(await versionsOf(lake), versions);
  });

  test("gold has nothing to do, for changed days or for those named: it exits with 99 and makes no version", async () => {
    const versions = await versionsOf(lake);
    // The readings begin on the 26th.
    const wanted: readonly (readonly [
      days: readonly string[],
      checked: readonly string[],
      empty: readonly string[],
    ])[] = [
      [[], [], []],
      [["--date", "2013-08-27"], ["2013-08-27"], []],
      [["--from", "2013-08-25", "--to", "2013-08-26"], ["2013-08-25", "2013-08-26"], ["2013-08-25"]],
    ];
    for (const [days, daysChecked, daysEmpty] of wanted) {
      const ended = await atrium(["gold", "--lake", lake, "--json", ...days], { env: QUIET });
      assert.deepEqual([ended.code, ended.stderr], [99, ""], days.join(" "));
      assert.deepEqual(JSON.parse(ended.stdout), { ...NO_GOLD, daysChecked, daysEmpty });
    }
    assert.deepEqual(await versionsOf(lake), versions);
  });

  test("files that are sent again double bronze, and change neither a row of silver nor a version of gold", async () => {
    const made = await ask(lake, "select min(created_at) as a, max(created_at) as b from silver_readings");
    const again = await runAll(raw, lake, ["--restart"]);
    const { messages, bronze, rejected, silver, duplicates, daysReplaced } = again;
    assert.deepEqual(
      { messages, bronze, rejected, silver, duplicates, daysReplaced },
      {
        messages: first.messages,
        bronze: first.bronze,
        rejected: first.rejected,
        silver: 0,
        duplicates: first.bronze,
        daysReplaced: [],
      },
    );
    assert.equal(again.tables["bronze/readings"], 2 * first.bronze);
    assert.equal(again.tables["bronze/rejected"], 2 * first.rejected);
    await assertSameRows(lake, reference, ["silver/readings", ...GOLD]);
    // The rows are the very ones of before, not others that say the same.
    assert.deepEqual(
      await ask(lake, "select min(created_at) as a, max(created_at) as b from silver_readings"),
      made,
    );
    const rows = await askOne(lake, "select max(revision) as revision from gold_room_daily");
    assert.equal(rows["revision"], 1);
  });

  test("gold has nothing to do after that either", async () => {
    const versions = await versionsOf(lake);
    assert.equal((await atrium(["gold", "--lake", lake], { env: QUIET })).code, 99);
    assert.deepEqual(await versionsOf(lake), versions);
  });
});

// `atrium upkeep`, `table compact` and `table vacuum`, as their users call them.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { TABLE_NAMES } from "../../src/reading/tables.ts";
import {
  assertSameRows,
  dataFilesOf,
  makeReference,
  QUIET,
  type Reference,
  type Row,
} from "../support/lake-folder.ts";
import { assertOneError } from "../support/one-error.ts";
import { atrium, done, type Ended } from "../support/program.ts";

let made: Reference;
/** The lake that is looked after; the reference stays as it is. */
let lake = "";

before(async () => {
  const generated = ["--rooms", "1", "--days", "3", "--seed", "5", "--faults"];
  made = await makeReference(generated, ["--batch-rows", "10000"]);
  lake = join(made.folder.path, "lake");
  await cp(made.reference, lake, { recursive: true });
});
after(async () => made.folder[Symbol.asyncDispose]());

const call = async (args: readonly string[]): Promise<Ended> =>
  atrium([...args, "--lake", lake], { env: QUIET });
const json = async (args: readonly string[]): Promise<unknown> =>
  JSON.parse(await done([...args, "--lake", lake, "--json"], { env: QUIET }));

describe("upkeep by hand", { concurrency: false }, () => {
  test("table compact merges the files of one table, and names the table", async () => {
    const [row, ...others] = (await json(["table", "compact", "silver/readings"])) as Row[];
    assert.equal(others.length, 0);
    assert.equal(row?.["table"], "silver/readings");
    assert.ok(Number(row["files"]) > Number(row["merged_into"]));
  });

  test("upkeep merges the rest, keeps every row, and says 99 when there is nothing left to do", async () => {
    const summary = (await json(["upkeep"])) as { isAnythingDone: boolean; failures: unknown[] };
    assert.deepEqual([summary.isAnythingDone, summary.failures], [true, []]);
    await assertSameRows(lake, made.reference);
    const again = await call(["upkeep"]);
    assert.deepEqual([again.code, again.stdout], [99, "There was nothing to do.\n"]);
  });

  test("table vacuum removes nothing of what was replaced just now, and a dry run nothing at all", async () => {
    const files = dataFilesOf(lake, "silver/readings");
    const rows = (await json(["table", "vacuum", "--dry-run"])) as Row[];
    assert.deepEqual(
      rows.map((row) => [row["table"], row["files_to_remove"]]),
      TABLE_NAMES.map((name) => [name, 0]),
    );
    assert.equal((await call(["table", "vacuum", "silver/readings", "--grace-hours", "0.1"])).code, 0);
    assert.equal(dataFilesOf(lake, "silver/readings"), files);
  });

  test("days that are too old expire: bronze and silver lose them, gold keeps them", async () => {
    const gold = readdirSync(join(lake, "gold/room_daily")).length;
    const ended = await call(["upkeep", "--retention-bronze-days", "1", "--retention-silver-days", "1"]);
    assert.equal(ended.code, 0);
    assert.match(ended.stdout, /^bronze\/readings: \d+ days? expired, 2013-08-\d\d to 2013-08-\d\d/m);
    assert.match(ended.stdout, /^silver\/readings: \d+ days? expired/m);
    assert.equal(readdirSync(join(lake, "gold/room_daily")).length, gold);
    await assertSameRows(lake, made.reference, [
      "gold/sensor_hourly",
      "gold/sensor_daily",
      "gold/room_daily",
    ]);
  });

  test("wrong use is told in one line", async () => {
    assertOneError(await call(["table", "compact", "silver"]), "USAGE_INVALID", /silver\/readings/);
    assertOneError(
      await call(["table", "vacuum", "--grace-hours", "0"]),
      "USAGE_INVALID",
      /from 0\.1 to 168/,
    );
    assertOneError(await call(["upkeep", "--compact-target-mb", "0"]), "USAGE_INVALID", /from 1 to 4096/);
  });
});

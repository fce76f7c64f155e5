// `atrium erase`, `table restore`, `table history` and `sql --as-of` as their users meet them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMANDS } from "../../src/commands/registry.ts";
import { makeGold } from "../../src/lakehouse/gold/gold.ts";
import { HOLD_MS } from "../../src/lakehouse/holds.ts";
import { systemClock } from "../../src/support/clock.ts";
import { dispatched, type Ended } from "../support/command-line.ts";
import { makeTestLake, message, testClock, type TestLake } from "../support/lake.ts";

const DAY = 1377302400; // 2013-08-24T00:00:00Z
const NOON_MS = Date.UTC(2026, 10, 24, 12);

/** The wait for readers is over at once; all other waiting is the engine's, and real. */
const clock = {
  ...systemClock,
  sleep: async (ms: number, signal?: AbortSignal) =>
    ms === 2 * HOLD_MS ? undefined : systemClock.sleep(ms, signal),
};

/** Two batches, a minute apart, and gold. */
async function filled(): Promise<TestLake> {
  const lakeClock = testClock(NOON_MS);
  const lake = await makeTestLake({ clock: lakeClock });
  for (const [batch, value] of [500, 600].entries()) {
    lakeClock.set(NOON_MS + (batch + 1) * 60_000);
    await lake.send([
      message("413", "co2", DAY + batch, value),
      message("414", "co2", DAY + batch, value + 1),
    ]);
    await lake.ingest();
    await lake.refine();
  }
  await makeGold({ lake: lake.lake, queryTimeoutMs: 60_000 });
  return lake;
}

async function run(lake: TestLake, args: readonly string[]): Promise<Ended> {
  return dispatched([...args, "--lake", lake.folder, "--quiet"], COMMANDS, { clock });
}

test("erase says what it would erase, erases with --yes, and finds nothing the second time", async () => {
  await using lake = await filled();
  const planned = await run(lake, ["erase", "--room", "413"]);
  assert.equal(planned.code, 2);
  assert.match(
    planned.stdout,
    /^Room 413 is in\n +bronze\/readings +2 rows, 2 files removed, 0 written anew/,
  );
  assert.match(planned.stderr, /^error USAGE_INVALID: Nothing is erased yet, .* add --yes/);
  const done = await run(lake, ["erase", "--room", "413", "--yes"]);
  assert.deepEqual([done.code, done.stderr], [0, ""]);
  assert.match(done.stdout, /^Room 413 was erased from\n/);
  assert.match(
    done.stdout,
    /\n +silver\/readings +2 rows, 0 files removed, 2 written anew, 2 of older versions\n/,
  );
  assert.match(done.stdout, /\nNot erased: the raw files, messages of the room that the log holds/);
  const left = await run(lake, ["sql", "--csv", "select distinct room from silver_readings"]);
  assert.equal(left.stdout.trim().split(/\s+/).at(-1), "414");
  const again = await run(lake, ["erase", "--room", "413", "--yes", "--json"]);
  assert.deepEqual(
    [again.code, JSON.parse(again.stdout)],
    [99, { room: "413", isErased: true, tables: [], remaining: [] }],
  );
  assert.equal((await run(lake, ["erase", "--room", "413"])).code, 99);
  assert.equal((await run(lake, ["erase", "--yes"])).code, 2);
});

test("sql reads several tables at a time, or one at a version, and says which versions there are", async () => {
  await using lake = await filled();
  const both = "select (select count(*) from bronze_readings) b, (select count(*) from silver_readings) s";
  const at = async (asOf: string, sql: string): Promise<Ended> =>
    run(lake, ["sql", "--json", "--as-of", asOf, sql]);
  assert.deepEqual(JSON.parse((await at("2026-11-24T12:01:30Z", both)).stdout), [{ b: 2, s: 2 }]);
  assert.deepEqual(JSON.parse((await at("2026-11-24T14:02:30+02:00", both)).stdout), [{ b: 4, s: 4 }]);
  assert.deepEqual(JSON.parse((await at("1", "select count(*) n from bronze_readings")).stdout), [{ n: 2 }]);
  for (const [asOf, code, message_] of [
    ["1", 2, /^error USAGE_INVALID: --as-of 1 is the version of one table, .* Give a time/],
    [
      "2026-11-24",
      1,
      /^error NOT_FOUND: Table \w+\/readings did not exist at 2026-11-24T00:00:00.000Z: its first is/,
    ],
    ["yesterday", 2, /^error USAGE_INVALID: --as-of yesterday is neither a version nor a time/],
  ] as const) {
    const ended = await at(asOf, both);
    assert.equal(ended.code, code, ended.stderr);
    assert.match(ended.stderr, message_);
  }
});

test("table restore goes back and says what that means; history tells of it", async () => {
  await using lake = await filled();
  const back = await run(lake, ["table", "restore", "bronze/readings", "--to", "2026-11-24T12:01:30Z"]);
  assert.equal(back.code, 0, back.stderr);
  assert.match(back.stdout, /^bronze\/readings: version 3 has the files of version 1 again\.\n/);
  assert.match(back.stdout, /messages whose rows left are not ingested again/);
  assert.equal((await run(lake, ["table", "restore", "bronze/readings", "--to", "1"])).code, 99);
  assert.equal((await run(lake, ["table", "restore", "bronze/readings"])).code, 2);
  const missing = await run(lake, ["table", "restore", "bronze/readings", "--to", "77"]);
  assert.match(missing.stderr, /^error NOT_FOUND: Table bronze\/readings has no version 77/);
  const history = await run(lake, ["table", "history", "bronze/readings", "--json", "--limit", "2"]);
  const [restored, ingested] = JSON.parse(history.stdout) as Record<string, unknown>[];
  assert.deepEqual(
    [restored?.["operation"], restored?.["rows_removed"], restored?.["parameters"]],
    ["RESTORE", 2, "version=1"],
  );
  assert.deepEqual(
    [ingested?.["rows_added"], ingested?.["rows_removed"], ingested?.["parameters"]],
    [2, null, null],
  );
  assert.match(String(ingested?.["writer"]), /^\S+$/);
});

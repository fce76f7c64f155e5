// Retention: whole days go, a horizon stays, and what was made of them outlives them.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { AddFile } from "../../../src/lakehouse/delta/actions.ts";
import { horizonOf } from "../../../src/lakehouse/operations.ts";
import { REFINE_APP_ID } from "../../../src/lakehouse/silver/refine.ts";
import { retainTable, type RetentionDays } from "../../../src/lakehouse/upkeep/retain.ts";
import type { TableName } from "../../../src/reading/tables.ts";
import { type BareLake, fileNamed, makeBareLake } from "../../support/bare-lake.ts";
import { START_MS } from "../../support/delta.ts";

const KEEP_ALL: RetentionDays = {
  bronze: undefined,
  silver: undefined,
  gold: undefined,
  rejected: undefined,
};
const DAYS = ["2013-08-20", "2013-08-21", "2013-08-22", "2013-08-23"];

async function withDays(name: TableName, days = DAYS): Promise<BareLake> {
  const lake = await makeBareLake();
  for (const day of days) await lake.commit(name, { adds: [fileNamed(day, day)] });
  return lake;
}

async function daysIn({ lake }: BareLake, name: TableName): Promise<readonly (string | null | undefined)[]> {
  const { files } = (await lake.table(name).snapshot()) ?? { files: new Map<string, AddFile>() };
  return [...files.values()].map(
    (file) => file.partitionValues["event_date"] ?? file.partitionValues["ingest_date"],
  );
}

const horizon = async ({ lake }: BareLake, name: TableName): Promise<string | undefined> =>
  horizonOf(await lake.table(name).snapshot());

for (const [name, days] of [
  ["silver/readings", { ...KEEP_ALL, silver: 2 }],
  ["gold/sensor_hourly", { ...KEEP_ALL, gold: 2 }],
  ["gold/room_daily", { ...KEEP_ALL, gold: 2 }],
  ["gold/restatements", { ...KEEP_ALL, gold: 2 }],
] as const) {
  test(`${name} keeps its newest day and as many days before it as it is told, and the horizon says so`, async () => {
    await using lake = await withDays(name);
    assert.deepEqual(await retainTable(lake.lake, name, KEEP_ALL), { daysRemoved: [], filesRemoved: 0 });
    assert.deepEqual(await retainTable(lake.lake, name, days), {
      daysRemoved: ["2013-08-20"],
      filesRemoved: 1,
    });
    assert.deepEqual(await daysIn(lake, name), DAYS.slice(1));
    assert.equal(await horizon(lake, name), "2013-08-21");
    const [last] = await lake.lake.table(name).history(1);
    assert.equal(last?.operation, "RETENTION");
    assert.equal((await retainTable(lake.lake, name, days)).filesRemoved, 0);
  });
}

test("the removed days are a change of data for those who follow the table", async () => {
  await using lake = await withDays("silver/readings");
  await retainTable(lake.lake, "silver/readings", { ...KEEP_ALL, silver: 1 });
  const [change] = await lake.lake.table("silver/readings").changes(4, 5);
  assert.equal(change?.removes.length, 2);
});

test("late readings below the horizon go again, and the horizon is never lowered", async () => {
  await using lake = await withDays("silver/readings");
  const name = "silver/readings";
  await retainTable(lake.lake, name, { ...KEEP_ALL, silver: 1 });
  await lake.commit(name, { adds: [fileNamed("late", "2013-08-20")] });
  assert.deepEqual((await retainTable(lake.lake, name, { ...KEEP_ALL, silver: 3 })).daysRemoved, []);
  assert.equal(await horizon(lake, name), "2013-08-22");
  assert.deepEqual((await retainTable(lake.lake, name, { ...KEEP_ALL, silver: 1 })).daysRemoved, [
    "2013-08-20",
  ]);
  assert.equal(await horizon(lake, name), "2013-08-22");
});

test("days of bronze wait until silver has taken them", async () => {
  await using lake = await withDays("bronze/readings");
  const name = "bronze/readings";
  const retain = async (): Promise<readonly string[]> =>
    (await retainTable(lake.lake, name, { ...KEEP_ALL, bronze: 1 })).daysRemoved;
  assert.deepEqual(await retain(), []);
  // Version 1 added the first day: silver has that, and not the second.
  await lake.commit("silver/readings", { txns: { [REFINE_APP_ID]: 1n } });
  assert.deepEqual(await retain(), ["2013-08-20"]);
  assert.equal(await horizon(lake, name), "2013-08-21");
  await lake.commit("silver/readings", { txns: { [REFINE_APP_ID]: 5n } });
  assert.deepEqual(await retain(), ["2013-08-21"]);
  assert.equal(await horizon(lake, name), "2013-08-22");
});

test("the age of rejected messages is counted from today", async () => {
  await using lake = await makeBareLake();
  const name = "bronze/rejected";
  // The clock stands at 2013-08-23.
  assert.equal(new Date(START_MS).toISOString().slice(0, 10), "2013-08-23");
  for (const day of DAYS.slice(0, 3)) await lake.commit(name, { adds: [fileNamed(day, day, "ingest_date")] });
  assert.deepEqual((await retainTable(lake.lake, name, { ...KEEP_ALL, rejected: 2 })).daysRemoved, [
    "2013-08-20",
  ]);
  lake.clock.advance(86_400_000);
  assert.deepEqual((await retainTable(lake.lake, name, { ...KEEP_ALL, rejected: 2 })).daysRemoved, [
    "2013-08-21",
  ]);
});

test("two that remove the same days at once remove them once", async () => {
  await using lake = await withDays("silver/readings");
  const days = { ...KEEP_ALL, silver: 1 };
  const done = await Promise.all([
    retainTable(lake.lake, "silver/readings", days),
    retainTable(await lake.reopen(), "silver/readings", days),
  ]);
  assert.deepEqual(new Set(done.map(({ filesRemoved }) => filesRemoved)), new Set([0, 2]));
  assert.deepEqual(await daysIn(lake, "silver/readings"), DAYS.slice(2));
});

test("a table that does not exist, or is empty, is left alone", async () => {
  await using lake = await makeBareLake();
  assert.equal((await retainTable(lake.lake, "silver/readings", { ...KEEP_ALL, silver: 1 })).filesRemoved, 0);
  await lake.commit("silver/readings", {});
  assert.equal((await retainTable(lake.lake, "silver/readings", { ...KEEP_ALL, silver: 1 })).filesRemoved, 0);
});

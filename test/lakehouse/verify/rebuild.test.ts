// A damaged table is made again: the same rows, the damaged files left out, and everything goes on from there.

import assert from "node:assert/strict";
import { rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeGold } from "../../../src/lakehouse/gold/gold.ts";
import { REFINE_APP_ID, refineBatch } from "../../../src/lakehouse/silver/refine.ts";
import { rebuild, type Rebuilt } from "../../../src/lakehouse/verify/rebuild.ts";
import type { TableName } from "../../../src/reading/tables.ts";
import { isAtriumError } from "../../../src/support/errors.ts";
import {
  commitFile,
  damageOf,
  dataFiles,
  newestVersion,
  pick,
  verified,
  withLake,
} from "../../support/damaged-lake.ts";
import { assertSameRows, makeReference, type Reference } from "../../support/lake-folder.ts";

const GOLD = ["gold/sensor_hourly", "gold/sensor_daily", "gold/room_daily"] as const;

let made: Reference;
const { copy } = damageOf(() => made);

before(async () => {
  made = await makeReference(
    ["--rooms", "1", "--days", "2", "--seed", "7", "--faults"],
    ["--batch-rows", "20000"],
  );
});
after(async () => made.folder[Symbol.asyncDispose]());

async function rebuilt(folder: string, table: TableName): Promise<Rebuilt> {
  return withLake(folder, async (lake) =>
    rebuild({
      lake,
      table,
      queryTimeoutMs: 60_000,
      progress: () => undefined,
      signal: new AbortController().signal,
    }),
  );
}

async function faultsOf(folder: string): Promise<readonly string[]> {
  const { findings } = await verified(folder);
  return findings.filter(({ isFault }) => isFault).map(({ table, kind, what }) => `${table} ${kind} ${what}`);
}

test("silver whose files are missing and cut is made again from bronze, row by row as it was, duplicates left out", async () => {
  const lake = await copy();
  const [first = "", second = ""] = await dataFiles(lake, "silver/readings");
  await rm(first);
  await truncate(second, 100);
  assert.notDeepEqual(await faultsOf(lake), []);
  const { filesDropped, daysKept } = await rebuilt(lake, "silver/readings");
  assert.equal(filesDropped.length, 2);
  assert.deepEqual(daysKept, []);
  assert.deepEqual(await faultsOf(lake), []);
  await assertSameRows(lake, made.reference, ["silver/readings"]);
  await withLake(lake, async (opened) => {
    // Its position is bronze's newest version: nothing is taken twice, and gold finds nothing that differs.
    const silver = await opened.table("silver/readings").snapshot();
    const bronze = await opened.table("bronze/readings").snapshot();
    assert.equal(silver?.txns.get(REFINE_APP_ID), BigInt(bronze?.version ?? -2));
    const options = { lake: opened, batchRowsMax: 1_000_000, queryTimeoutMs: 60_000 };
    assert.equal(await refineBatch(options), undefined);
    assert.deepEqual((await makeGold(options)).daysReplaced, []);
  });
  assert.deepEqual(await faultsOf(lake), []);
});

for (const table of GOLD) {
  test(`${table} with a damaged and a missing file is made again from silver`, async () => {
    const lake = await copy();
    const [first = "", second = ""] = await dataFiles(lake, table);
    await rm(first);
    await truncate(second, 100);
    const { filesDropped, daysReplaced } = await rebuilt(lake, table);
    assert.equal(filesDropped.length, 2);
    assert.equal(daysReplaced.length, 2);
    assert.deepEqual(await faultsOf(lake), []);
    await assertSameRows(lake, made.reference, [table]);
    assert.deepEqual((await rebuilt(lake, table)).daysReplaced, []);
  });
}

test("gold that is damaged in all tables is made again in their order, and restates nothing", async () => {
  const lake = await copy();
  for (const table of GOLD) for (const file of await dataFiles(lake, table)) await truncate(file, 50);
  for (const table of GOLD) await rebuilt(lake, table);
  assert.deepEqual(await faultsOf(lake), []);
  await assertSameRows(lake, made.reference, GOLD);
  await withLake(lake, async (opened) => {
    const gold = await makeGold({ lake: opened, queryTimeoutMs: 60_000 });
    assert.deepEqual([gold.daysReplaced, gold.valuesRestated], [[], 0]);
  });
});

test("silver and gold of which nothing is left, not even the log, are made again from bronze", async () => {
  const lake = await copy();
  await rm(join(lake, "silver"), { recursive: true });
  await rm(join(lake, "gold"), { recursive: true });
  await rebuilt(lake, "silver/readings");
  await withLake(lake, async (opened) => makeGold({ lake: opened, queryTimeoutMs: 60_000 }));
  assert.deepEqual(await faultsOf(lake), []);
  await assertSameRows(lake, made.reference, ["silver/readings", ...GOLD]);
});

test("a table whose own source is damaged is not made again, and stays as it was", async () => {
  const lake = await copy();
  await rm(pick(await dataFiles(lake, "bronze/readings")));
  const version = await newestVersion(lake, "silver/readings");
  await assert.rejects(rebuilt(lake, "silver/readings"), (error) => {
    assert.ok(isAtriumError(error, "TABLE_CORRUPT"));
    assert.match(error.message, /bronze\/readings is missing: .*\.parquet/);
    return true;
  });
  assert.equal(await newestVersion(lake, "silver/readings"), version);
});

test("bronze cannot be made again: the error says where the way out is", async () => {
  await assert.rejects(rebuilt(made.reference, "bronze/readings"), {
    code: "USAGE_INVALID",
    message: /recovery\.md/,
  });
});

test("a table that has taken more than its source has is refused by refine, gold and rebuild", async () => {
  const lake = await copy();
  await rm(commitFile(lake, "bronze/readings", await newestVersion(lake, "bronze/readings")));
  const wanted = {
    code: "TABLE_CORRUPT",
    message: /newest commits of bronze\/readings are missing.*recovery\.md/,
  };
  await assert.rejects(rebuilt(lake, "silver/readings"), wanted);
  await withLake(lake, async (opened) => {
    await assert.rejects(refineBatch({ lake: opened, batchRowsMax: 10, queryTimeoutMs: 60_000 }), wanted);
  });
  const other = await copy();
  await rm(commitFile(other, "silver/readings", await newestVersion(other, "silver/readings")));
  await withLake(other, async (opened) => {
    await assert.rejects(makeGold({ lake: opened, queryTimeoutMs: 60_000 }), {
      code: "TABLE_CORRUPT",
      message: /newest commits of silver\/readings are missing/,
    });
  });
});

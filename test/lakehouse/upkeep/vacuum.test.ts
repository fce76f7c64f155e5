// Vacuum removes what nobody needs, and nothing else.

import assert from "node:assert/strict";
import { test } from "node:test";
import { logFilePath } from "../../../src/lakehouse/delta/checkpoint.ts";
import { storePath } from "../../../src/lakehouse/delta/paths.ts";
import type { Lake } from "../../../src/lakehouse/lake.ts";
import { REFINE_APP_ID } from "../../../src/lakehouse/silver/refine.ts";
import {
  dataFiles,
  vacuumLeftovers,
  vacuumTable,
  type VacuumOptions,
} from "../../../src/lakehouse/upkeep/vacuum.ts";
import type { TableName } from "../../../src/reading/tables.ts";
import { type BareLake, fileNamed, makeBareLake } from "../../support/bare-lake.ts";
import { codeOf } from "../../support/delta.ts";

const HOUR_MS = 3_600_000;
const TABLE: TableName = "bronze/rejected";
const A = fileNamed("a", "2013-08-23", "ingest_date");
const B = fileNamed("b", "2013-08-23", "ingest_date");
const C = fileNamed("c", "2013-08-23", "ingest_date");

const vacuum = async (lake: Lake, more: Partial<VacuumOptions> = {}): Promise<number> =>
  (await vacuumTable({ lake, graceMs: HOUR_MS, ...more }, TABLE)).filesRemoved;

/** Names of the data files that are there. */
const filesOf = async ({ store }: BareLake, name: TableName = TABLE): Promise<readonly string[]> =>
  (await store.list(`${name}/`)).flatMap(({ path }) => /([^/]+)\.parquet$/.exec(path)?.[1] ?? []);

/** The rows of `a` moved to `b` an hour and a bit ago; `c` was never committed. */
async function withOldFiles(): Promise<BareLake> {
  const lake = await makeBareLake();
  await lake.commit(TABLE, { adds: [A] });
  await lake.commit(TABLE, { adds: [B], removes: [A] });
  await lake.store.put(storePath(TABLE, C.path), new Uint8Array(1));
  lake.clock.advance(HOUR_MS + 2000);
  return lake;
}

test("files that were removed, and files that were never committed, go when the grace is over", async () => {
  await using lake = await withOldFiles();
  assert.equal(await vacuum(lake.lake, { graceMs: 2 * HOUR_MS }), 0);
  assert.equal(await vacuum(lake.lake, { dryRun: true }), 2);
  assert.deepEqual(await filesOf(lake), ["a", "b", "c"]);
  assert.equal(await vacuum(lake.lake), 2);
  assert.deepEqual(await filesOf(lake), ["b"]);
  assert.equal(await vacuum(lake.lake), 0);
});

test("an old file that was removed just now stays for readers of the version before", async () => {
  await using lake = await withOldFiles();
  await lake.commit(TABLE, { removes: [B] });
  await vacuum(lake.lake);
  assert.deepEqual(await filesOf(lake), ["b"]);
});

test("a file that is moved in and not committed yet stays", async () => {
  await using lake = await withOldFiles();
  const fresh = fileNamed("fresh", "2013-08-23", "ingest_date");
  await lake.store.put(storePath(TABLE, fresh.path), new Uint8Array(1));
  await vacuum(lake.lake);
  assert.deepEqual(await filesOf(lake), ["b", "fresh"]);
});

test("a writer that sleeps between its files and their commit for longer than the grace is refused", async () => {
  await using lake = await withOldFiles();
  const writer = await lake.reopen();
  const table = writer.table(TABLE);
  const base = await table.snapshot();
  assert.ok(base !== undefined);
  const slept = fileNamed("slept", "2013-08-23", "ingest_date");
  await lake.store.put(storePath(TABLE, slept.path), new Uint8Array(1));
  const request = {
    base,
    adds: [{ ...slept, modificationTime: lake.clock.nowMs() }],
    removes: [],
    txns: new Map(),
    operation: "WRITE",
    isolation: { kind: "append" },
    dataChange: true,
  } as const;
  lake.clock.advance(HOUR_MS + 2000);
  await vacuum(lake.lake);
  assert.deepEqual(await filesOf(lake), ["b"]);
  assert.equal(await codeOf(table.commit(request)), "COMMIT_CONFLICT");
  // A fence is committed only where it is needed.
  const { version } = (await lake.lake.table(TABLE).snapshot()) ?? {};
  await vacuum(lake.lake);
  assert.equal((await lake.lake.table(TABLE).snapshot())?.version, version);
});

test("the files of a version that is held stay until it is let go", async () => {
  await using lake = await withOldFiles();
  const reader = await lake.reopen();
  const vacuumed = await reader.holds.during([{ table: TABLE, version: 1 }], async () => {
    await vacuum(lake.lake);
    return filesOf(lake);
  });
  assert.deepEqual(vacuumed, ["a", "b"]);
  await vacuum(lake.lake);
  assert.deepEqual(await filesOf(lake), ["b"]);
});

test("a hold of a process that died counts no longer once it has expired", async () => {
  await using lake = await withOldFiles();
  const hold = JSON.stringify({ expiresMs: lake.clock.nowMs() + 120_000, tables: { [TABLE]: [1] } });
  await lake.store.put("_atrium/holds/dead.json", new TextEncoder().encode(hold));
  await vacuum(lake.lake);
  assert.deepEqual(await filesOf(lake), ["a", "b"]);
  lake.clock.advance(121_000);
  await vacuum(lake.lake);
  assert.deepEqual(await filesOf(lake), ["b"]);
  await vacuumLeftovers({ lake: lake.lake, graceMs: HOUR_MS });
  assert.deepEqual(await lake.store.list("_atrium/holds/"), []);
});

test("if a held version can no longer be read, no file of the table is removed", async () => {
  await using lake = await withOldFiles();
  const hold = JSON.stringify({ expiresMs: lake.clock.nowMs() + 120_000, tables: { [TABLE]: [1] } });
  await lake.store.put("_atrium/holds/odd.json", new TextEncoder().encode(hold));
  await lake.store.delete([0, 1].map((version) => logFilePath(TABLE, version, ".json")));
  assert.ok((await codeOf(vacuum(lake.lake))) !== undefined);
  assert.deepEqual(await filesOf(lake), ["a", "b", "c"]);
});

test("what gold/restatements has not looked at stays, however old it is", async () => {
  await using lake = await makeBareLake();
  const [a, b, c] = ["a", "b", "c"].map((name) => fileNamed(name, "2013-08-23"));
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  await lake.commit("gold/room_daily", { adds: [a] });
  await lake.commit("gold/room_daily", { adds: [b], removes: [a] });
  await lake.commit("gold/room_daily", { adds: [c], removes: [b], dataChange: false });
  await lake.commit("gold/restatements", { txns: { "restate:gold/room_daily": 1n } });
  lake.clock.advance(2 * HOUR_MS);
  const options = { lake: lake.lake, graceMs: HOUR_MS };
  assert.equal((await vacuumTable(options, "gold/room_daily")).filesRemoved, 0);
  await lake.commit("gold/restatements", { txns: { "restate:gold/room_daily": 2n } });
  assert.equal((await vacuumTable(options, "gold/room_daily")).filesRemoved, 1);
  assert.deepEqual(await filesOf(lake, "gold/room_daily"), ["b", "c"]);
});

test("bronze that silver has not taken stays, and what compaction replaced goes though silver has not passed it", async () => {
  await using lake = await makeBareLake();
  const [a, b, c] = ["a", "b", "c"].map((name) => fileNamed(name, "2013-08-23"));
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  await lake.commit("bronze/readings", { adds: [a] });
  await lake.commit("silver/readings", { txns: { [REFINE_APP_ID]: 1n } });
  await lake.commit("bronze/readings", { adds: [b], removes: [a], dataChange: false });
  await lake.commit("bronze/readings", { adds: [c] });
  lake.clock.advance(2 * HOUR_MS);
  assert.equal((await vacuumTable({ lake: lake.lake, graceMs: HOUR_MS }, "bronze/readings")).filesRemoved, 1);
  assert.deepEqual(await filesOf(lake, "bronze/readings"), ["b", "c"]);
});

test("a damaged log costs no file", async () => {
  await using lake = await withOldFiles();
  // This process knows the table from before the damage.
  await lake.lake.table(TABLE).snapshot();
  await lake.store.delete([logFilePath(TABLE, 1, ".json")]);
  assert.equal(await codeOf(vacuum(await lake.reopen())), "TABLE_CORRUPT");
  assert.equal(await codeOf(vacuum(lake.lake)), "TABLE_CORRUPT");
  assert.deepEqual(await filesOf(lake), ["a", "b", "c"]);
});

test("a clock that is behind, or ahead of the store's, removes no file before its time", async () => {
  await using lake = await withOldFiles();
  for (const aheadMs of [-48 * HOUR_MS, 48 * HOUR_MS]) {
    const fresh = fileNamed(`fresh${aheadMs}`, "2013-08-23", "ingest_date");
    await lake.store.put(storePath(TABLE, fresh.path), new Uint8Array(1));
    const clock = { ...lake.clock, nowMs: () => lake.clock.nowMs() + aheadMs };
    await vacuum({ ...lake.lake, clock });
    assert.ok((await filesOf(lake)).includes(`fresh${aheadMs}`));
  }
});

test("a file that comes back to the table while vacuum runs stays", async () => {
  await using lake = await withOldFiles();
  const store = {
    ...lake.store,
    list: async (prefix: string, startAfter?: string) => {
      const found = await lake.store.list(prefix, startAfter);
      // Vacuum has listed its candidates: now the older version is restored.
      if (prefix === `${TABLE}/`) await lake.commit(TABLE, { adds: [A], removes: [B] });
      return found;
    },
  };
  await vacuum({ ...lake.lake, store });
  assert.deepEqual(await filesOf(lake), ["a", "b"]);
});

test("what other programs keep in a table's folder is not touched, nor is the log", async () => {
  await using lake = await withOldFiles();
  const others = ["_delta_index/x.parquet", ".part.parquet.crc", "notes.txt"].map(
    (path) => `${TABLE}/${path}`,
  );
  const checkpoint = logFilePath(TABLE, 1, ".checkpoint.parquet");
  for (const path of [...others, checkpoint]) await lake.store.put(path, new Uint8Array(1));
  lake.clock.advance(2 * HOUR_MS);
  await vacuum(lake.lake);
  for (const path of [...others, checkpoint]) await lake.store.get(path);
});

test("what a killed job of Spark left in its folder goes when the grace is over, and is never a data file", async () => {
  await using lake = await withOldFiles();
  const left = `${TABLE}/0a1b/_temporary/0/_temporary/attempt_1/ingest_date=2013-08-23/part-0.c000.zstd.parquet`;
  await lake.store.put(left, new Uint8Array(1));
  assert.deepEqual(
    (await dataFiles(lake.lake, TABLE)).filter(({ path }) => path === left),
    [],
  );
  lake.clock.advance(HOUR_MS - 1000);
  await vacuum(lake.lake);
  await lake.store.get(left);
  lake.clock.advance(2000);
  await vacuum(lake.lake);
  await assert.rejects(lake.store.get(left), { code: "NOT_FOUND" });
});

test("temporary files of puts that never ended go when the grace is over", async () => {
  await using lake = await withOldFiles();
  await lake.store.put(`${TABLE}/_delta_log/x.tmp`, new Uint8Array(1));
  assert.equal(await vacuumLeftovers({ lake: lake.lake, graceMs: HOUR_MS }), 0);
  lake.clock.advance(HOUR_MS + 1000);
  assert.equal(await vacuumLeftovers({ lake: lake.lake, graceMs: HOUR_MS }), 1);
});

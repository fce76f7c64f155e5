// Compaction with the real engine: the same rows in fewer files, in order, beside everything else.

import assert from "node:assert/strict";
import { test } from "node:test";
import { markDistinct } from "../../../src/lakehouse/bronze/distinct-keys.ts";
import type { AddFile } from "../../../src/lakehouse/delta/actions.ts";
import type { Snapshot } from "../../../src/lakehouse/delta/snapshot.ts";
import { statsOf } from "../../../src/lakehouse/delta/stats.ts";
import { makeGold } from "../../../src/lakehouse/gold/gold.ts";
import { tableInput, type Lake } from "../../../src/lakehouse/lake.ts";
import { rowsIn } from "../../../src/lakehouse/summary.ts";
import { compactTable, type CompactSummary } from "../../../src/lakehouse/upkeep/compact.ts";
import { TABLE_NAMES, type TableName } from "../../../src/reading/tables.ts";
import { SENSOR_TYPES } from "../../../src/reading/terms.ts";
import { makeTestLake, message, rows, type TestLake } from "../../support/lake.ts";
import { parquetOrder } from "../../support/parquet-order.ts";

const DAY = 1377302400; // 2013-08-24T00:00:00Z
const DAY_S = 86_400;
const OLD_DAY = "2013-08-24";

const compact = async (lake: Lake, name: TableName): Promise<CompactSummary> =>
  compactTable({ lake, targetBytes: 256 * 1_048_576 }, name);

const head = async (lake: Lake, name: TableName): Promise<Snapshot> => {
  const snapshot = await lake.table(name).snapshot();
  assert.ok(snapshot !== undefined);
  return snapshot;
};

const filesOfDay = ({ files }: Snapshot, day: string): readonly AddFile[] =>
  [...files.values()].filter((file) => file.partitionValues["event_date"] === day);

/** Two rooms, all types, an old day in `batches` versions and a reading of the next day; the first hour's come last. */
async function filled(lake: TestLake, batches = 3): Promise<void> {
  for (let batch = 0; batch < batches; batch += 1) {
    const at = DAY + 3600 * (batches - batch);
    await lake.send(
      ["414", "413"].flatMap((room) =>
        SENSOR_TYPES.flatMap((type) => [5, 10, 15].map((s) => message(room, type, at + s, 20 + s))),
      ),
    );
    await lake.ingest();
    await lake.refine();
  }
  await lake.send([message("413", "co2", DAY + DAY_S, 500)]);
  await lake.ingest();
  await lake.refine();
}

const ALL_ROWS: Partial<Record<TableName, string>> = {
  "bronze/readings": "select * from bronze_readings order by all",
  "silver/readings": "select * from silver_readings order by all",
};

for (const bronzePartitionBy of [["event_date", "room", "sensor_type"], ["event_date"]]) {
  test(`the rows stay the same, in one file a closed partition, in order (${bronzePartitionBy.join(", ")})`, async () => {
    await using lake = await makeTestLake({ bronzePartitionBy });
    await filled(lake);
    for (const name of ["bronze/readings", "silver/readings"] as const) {
      const before = await lake.rows(ALL_ROWS[name] ?? "");
      const done = await compact(lake.lake, name);
      assert.ok(done.filesBefore > done.filesAfter && done.filesAfter > 0);
      assert.deepEqual(await lake.rows(ALL_ROWS[name] ?? ""), before);
      const files = filesOfDay(await head(lake.lake, name), OLD_DAY);
      const partitions = new Set(files.map((file) => JSON.stringify(file.partitionValues)));
      assert.equal(files.length, partitions.size);
      const wanted = name === "silver/readings" ? ["sensor_type", "room", "ts_utc"] : ["event_ts"];
      const key = bronzePartitionBy.length === 1 ? ["sensor_type", "room", wanted.at(-1) ?? ""] : wanted;
      for (const file of files) {
        assert.equal(await parquetOrder(lake.folder, `${name}/${file.path}`, key), "sorted");
      }
      assert.equal((await compact(lake.lake, name)).filesBefore, 0);
    }
  });
}

test("a merged file has the statistics of its rows", async () => {
  await using lake = await makeTestLake({ bronzePartitionBy: ["event_date"] });
  await filled(lake);
  const before = filesOfDay(await head(lake.lake, "bronze/readings"), OLD_DAY);
  await compact(lake.lake, "bronze/readings");
  const [file] = filesOfDay(await head(lake.lake, "bronze/readings"), OLD_DAY);
  assert.ok(file !== undefined);
  const stats = statsOf(file);
  assert.equal(stats?.numRecords, rowsIn(before));
  assert.deepEqual(
    [stats?.minValues?.["event_ts"], stats?.maxValues?.["event_ts"], stats?.minValues?.["room"]],
    ["2013-08-24T01:00:05.000Z", "2013-08-24T03:00:15.000Z", "413"],
  );
  assert.equal(stats?.nullCount?.["attributes"], stats?.numRecords);
});

test("its commit changes no data, and older versions can still be read", async () => {
  await using lake = await makeTestLake();
  await filled(lake);
  const silver = lake.lake.table("silver/readings");
  const old = await head(lake.lake, "silver/readings");
  await compact(lake.lake, "silver/readings");
  const { version } = await head(lake.lake, "silver/readings");
  const [change] = await silver.changes(version - 1, version);
  assert.deepEqual([change?.operation, change?.adds, change?.removes], ["OPTIMIZE", [], []]);
  const input = tableInput(lake.lake, "silver/readings", {
    snapshot: await silver.snapshot(old.version),
  });
  const { rows: counted } = await lake.lake.engine.query({
    sql: "select count(*) from silver_readings",
    inputs: [input],
    rowsMax: 1,
    timeoutMs: 60_000,
  });
  assert.deepEqual(counted, [[91]]);
});

test("bronze that silver has not taken is left alone, and silver then takes it as it is", async () => {
  await using lake = await makeTestLake();
  await filled(lake);
  const taken = (await head(lake.lake, "bronze/readings")).files;
  for (const s of [5, 10]) {
    await lake.send([message("413", "co2", DAY + s, 500)]);
    await lake.ingest();
  }
  const now = [...(await head(lake.lake, "bronze/readings")).files.values()];
  const untaken = now.filter(({ path }) => !taken.has(path));
  assert.equal(untaken.length, 2);
  assert.ok((await compact(lake.lake, "bronze/readings")).filesBefore > 0);
  const { files } = await head(lake.lake, "bronze/readings");
  for (const { path } of untaken) assert.ok(files.has(path), path);
  await lake.refine();
  assert.deepEqual(await lake.rows("select count(*) from silver_readings"), [[93]]);
  await compact(lake.lake, "bronze/readings");
  const day = filesOfDay(await head(lake.lake, "bronze/readings"), OLD_DAY);
  assert.equal(day.length, 10);
});

test("bronze without a silver is left alone altogether", async () => {
  await using lake = await makeTestLake();
  for (const s of [5, 10]) {
    await lake.send([message("413", "co2", DAY + s, 500), message("413", "co2", DAY + DAY_S + s, 500)]);
    await lake.ingest();
  }
  assert.equal((await compact(lake.lake, "bronze/readings")).filesBefore, 0);
});

test("an open partition is merged by eights, so that its files stay few while it grows", async () => {
  await using lake = await makeTestLake({ bronzePartitionBy: ["event_date"] });
  for (let index = 0; index < 20; index += 1) {
    await lake.send([message("413", "co2", DAY + index, 500)]);
    await lake.ingest();
    await lake.refine();
    await compact(lake.lake, "bronze/readings");
    assert.ok((await head(lake.lake, "bronze/readings")).files.size < 16);
  }
  assert.deepEqual(await lake.rows("select count(*) from bronze_readings"), [[20]]);
});

/** The lake, in which `meanwhile` happens between the writing of merged files and their commit. */
function interrupted(lake: Lake, meanwhile: () => Promise<void>): Lake {
  let isDone = false;
  const { engine } = lake;
  return {
    ...lake,
    engine: {
      ...engine,
      write: async (transform, signal) => {
        const written = await engine.write(transform, signal);
        if (!isDone) {
          isDone = true;
          await meanwhile();
        }
        return written;
      },
    },
  };
}

test("appends beside it go on, to the same partitions too", async () => {
  await using lake = await makeTestLake();
  await filled(lake);
  const late = await lake.reopen();
  const busy = interrupted(lake.lake, async () => {
    await lake.send([message("413", "co2", DAY + 7, 500)]);
    await lake.ingest(1_000_000, late);
  });
  const done = await compact(busy, "bronze/readings");
  assert.deepEqual([done.skipped, done.filesAfter], [0, 10]);
  assert.deepEqual(await lake.rows("select count(*) from bronze_readings"), [[92]]);
});

test("a partition that was rewritten meanwhile is skipped; the others are merged", async () => {
  await using lake = await makeTestLake();
  await filled(lake);
  const other = await lake.reopen();
  const busy = interrupted(lake.lake, async () => {
    const base = await head(other, "bronze/readings");
    const [gone] = filesOfDay(base, OLD_DAY);
    assert.ok(gone !== undefined);
    await other.table("bronze/readings").commit({
      base,
      adds: [],
      removes: [gone.path],
      txns: new Map(),
      operation: "ERASE",
      isolation: { kind: "append" },
      dataChange: true,
    });
  });
  const done = await compact(busy, "bronze/readings");
  assert.deepEqual([done.skipped, done.filesAfter], [1, 9]);
  assert.deepEqual(await rows(lake.lake, "select count(*) from bronze_readings"), [[88]]);
});

test("files with the marks of a redrive are never merged; other marks do not matter", async () => {
  await using lake = await makeTestLake();
  await filled(lake);
  const tagged = async (name: TableName, tags: AddFile["tags"]): Promise<CompactSummary> => {
    const base = await head(lake.lake, name);
    const marked = new Map([...base.files].map(([path, file]) => [path, { ...file, tags: tags ?? {} }]));
    const table = { ...lake.lake.table(name), snapshot: async () => ({ ...base, files: marked }) };
    const seen: Lake = { ...lake.lake, table: (asked) => (asked === name ? table : lake.lake.table(asked)) };
    return compact(seen, name);
  };
  const [sample] = (await head(lake.lake, "bronze/readings")).files.values();
  assert.ok(sample !== undefined);
  assert.equal((await tagged("bronze/readings", { "atrium.redrive.0": "9" })).filesBefore, 0);
  assert.ok((await tagged("bronze/readings", markDistinct({ ...sample, tags: {} }).tags)).filesBefore > 0);
});

test("all tables of a lake can be compacted, those that do not exist too", async () => {
  await using lake = await makeTestLake();
  for (const name of TABLE_NAMES) assert.equal((await compact(lake.lake, name)).filesBefore, 0);
  await filled(lake);
  await makeGold({ lake: lake.lake, queryTimeoutMs: 60_000 });
  const gold = await lake.rows("select * from gold_sensor_hourly order by all");
  for (const name of TABLE_NAMES) await compact(lake.lake, name);
  assert.deepEqual(await lake.rows("select * from gold_sensor_hourly order by all"), gold);
  // Nothing changed for gold: it was only moved.
  assert.deepEqual((await makeGold({ lake: lake.lake, queryTimeoutMs: 60_000 })).daysReplaced, []);
});

test("it ends when it is told to, with what is committed whole", async () => {
  await using lake = await makeTestLake();
  await filled(lake);
  const stop = new AbortController();
  const stopping = interrupted(lake.lake, async () => stop.abort());
  const options = { lake: stopping, targetBytes: 256 * 1_048_576, signal: stop.signal };
  const done = await compactTable(options, "bronze/readings");
  assert.ok(done.filesAfter <= 2);
  assert.deepEqual(await lake.rows("select count(*) from bronze_readings"), [[91]]);
});

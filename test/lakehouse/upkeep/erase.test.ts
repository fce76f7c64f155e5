// Erasure: nothing of the room is left in the lake's folder, and nothing else changes.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { duckdbEngine } from "../../../src/adapters/duckdb/engine.ts";
import type { CommitRequest } from "../../../src/lakehouse/delta/commit.ts";
import { makeGold } from "../../../src/lakehouse/gold/gold.ts";
import type { Lake } from "../../../src/lakehouse/lake.ts";
import { refineBatch } from "../../../src/lakehouse/silver/refine.ts";
import { eraseTable } from "../../../src/lakehouse/upkeep/erase-table.ts";
import { eraseRoom, type EraseOptions, surveyRoom } from "../../../src/lakehouse/upkeep/erase.ts";
import { isMessageOf } from "../../../src/lakehouse/upkeep/room-rows.ts";
import type { KeyedValue } from "../../../src/log/records.ts";
import { sqlNameOf, TABLE_NAMES, type TableName } from "../../../src/reading/tables.ts";
import { SENSOR_TYPES } from "../../../src/reading/terms.ts";
import { systemClock } from "../../../src/support/clock.ts";
import { makeTestLake, message, type TestLake } from "../../support/lake.ts";

const DAY = 1377302400; // 2013-08-24T00:00:00Z
/** A name that paths encode twice. */
const ROOM = "Q:z é";
const OTHERS = ["413", "Q"];
/** The name as it stands in rows, folders and logs. */
const TRACE = /Q(:|%3A|%253A)z/i;
const QUERY = { queryTimeoutMs: 60_000 };
const LAYOUTS = [["event_date"], ["event_date", "room", "sensor_type"], ["event_date", "sensor_type"]];

/** Options of an erasure whose waiting takes no time; what happens meanwhile is up to `onWait`. */
function optionsOf(lake: Lake, onWait: () => Promise<void> = async () => {}): EraseOptions {
  let waitedMs = 0;
  const clock = {
    ...lake.clock,
    monotonicMs: () => waitedMs,
    sleep: async (ms: number) => {
      waitedMs += ms;
      await onWait();
    },
  };
  return {
    lake: { ...lake, clock },
    room: ROOM,
    batchRowsMax: 1000,
    waitMsMax: 300_000,
    graceMs: 0,
    ...QUERY,
  };
}

const odd = (key: string, text: string): KeyedValue => ({ key, value: Buffer.from(text) });

async function sendDay(lake: TestLake, day: number): Promise<void> {
  const rooms = [...OTHERS, ROOM];
  const readings = rooms.flatMap((room, at) =>
    SENSOR_TYPES.flatMap((type) => [0, 5, 3600].map((second) => message(room, type, day + second, 20 + at))),
  );
  await lake.send([
    ...readings,
    odd(`${ROOM}:co2`, "1377299108, nan"),
    odd("413:co2", `{ "room" : "Q\\u003az é", "sensor":"co2" }`),
    odd("413:co2", `{"room":"413","sensor":"co2","note":"Q"}`),
    odd("Q:co2", "a line of Q"),
  ]);
  await lake.ingest();
}

/** Two days, gold, then late readings of the first day: restatements, and older versions of everything. */
async function fill(lake: TestLake): Promise<void> {
  await sendDay(lake, DAY);
  await sendDay(lake, DAY + 86_400);
  await lake.refine();
  await makeGold({ lake: lake.lake, ...QUERY });
  await lake.send([...OTHERS, ROOM].map((room) => message(room, "co2", DAY + 7200, 700)));
  await lake.ingest();
  await lake.refine();
  await makeGold({ lake: lake.lake, ...QUERY });
}

async function rowsOfOthers(lake: TestLake): Promise<Readonly<Record<string, unknown>>> {
  const tables = TABLE_NAMES.map(async (name) => {
    const table = sqlNameOf(name);
    const rows = await lake.rows(`select * from ${table} order by all`);
    return [name, rows.filter((row) => !TRACE.test(JSON.stringify(row)) && !isOfRoom(name, row))] as const;
  });
  return Object.fromEntries(await Promise.all(tables));
}

/** Rejected messages have their bytes as base64. */
function isOfRoom(name: TableName, row: readonly unknown[]): boolean {
  if (name !== "bronze/rejected") return false;
  return row.some(
    (value) => typeof value === "string" && /Q.*z é/.test(Buffer.from(value, "base64").toString()),
  );
}

/** Everything in the tables' folders that names the room: data files by their rows, logs by their bytes. */
async function tracesIn(lake: TestLake): Promise<readonly string[]> {
  await using engine = duckdbEngine({
    memoryMb: 256,
    threads: 2,
    scratchFolder: join(lake.folder, "_scan"),
    readableFolders: [lake.folder],
    clock: systemClock,
  });
  const connection = await engine.connect();
  const found: string[] = [];
  const files = readdirSync(lake.folder, { recursive: true, encoding: "utf8" });
  for (const path of files.filter(
    (file) => /\.(parquet|json)$|_last_checkpoint$/.test(file) && !file.startsWith("_"),
  )) {
    if (TRACE.test(path)) found.push(path);
    if (path.endsWith(".parquet")) {
      const text = await connection.runAndReadAll(
        `select string_agg(cast(held as varchar), '\n') from read_parquet('${join(lake.folder, path).replaceAll("'", "''")}') held`,
      );
      if (TRACE.test(String(text.getRows()[0]?.[0]))) found.push(path);
    } else if (TRACE.test(readFileSync(join(lake.folder, path), "utf8"))) found.push(path);
  }
  connection.closeSync();
  return found;
}

describe("erasing a room", () => {
  for (const bronzePartitionBy of LAYOUTS) {
    test(`leaves nothing of it, and all else cell by cell, with bronze by ${bronzePartitionBy.join()}`, async () => {
      await using lake = await makeTestLake({ bronzePartitionBy });
      await fill(lake);
      const before = await rowsOfOthers(lake);
      assert.ok((await tracesIn(lake)).length > 10);
      const planned = await surveyRoom(optionsOf(lake.lake));
      const { tables, remaining } = await eraseRoom(optionsOf(lake.lake));
      assert.deepEqual(remaining, []);
      assert.deepEqual(await tracesIn(lake), []);
      assert.deepEqual(await rowsOfOthers(lake), before);
      assert.deepEqual(
        tables.map(({ table, rows }) => [table, rows]),
        planned.map(({ table, rows }) => [table, rows]),
        "what was said is what was done",
      );
      assert.deepEqual(
        Object.fromEntries(tables.map(({ table, rows }) => [table, rows > 0])),
        Object.fromEntries(TABLE_NAMES.map((name) => [name, true])),
      );
      assert.deepEqual(await eraseRoom(optionsOf(lake.lake)), { tables: [], remaining: [] }, "twice is once");
    });
  }

  test("leaves the stages nothing to do: no day is made again, nothing is restated, and ingestion goes on", async () => {
    await using lake = await makeTestLake({ bronzePartitionBy: ["event_date"] });
    await fill(lake);
    const other = await lake.reopen();
    for (const name of TABLE_NAMES) await other.table(name).snapshot(); // it knows versions that will be gone
    await eraseRoom(optionsOf(lake.lake));
    assert.equal(await refineBatch({ lake: other, batchRowsMax: 1000, ...QUERY }), undefined);
    const again = await makeGold({ lake: other, ...QUERY });
    assert.deepEqual([again.daysReplaced, again.daysRestated], [[], []]);
    const days = ["2013-08-24", "2013-08-25"];
    const forced = await makeGold({ lake: other, days, ...QUERY });
    assert.deepEqual([forced.daysReplaced, forced.daysRestated], [[], []], "gold is what silver makes");
    const restated = await lake.rows("select count(*) from gold_restatements");
    await lake.send([message("413", "co2", DAY + 10_800, 800), message(ROOM, "co2", DAY + 10_800, 800)]);
    assert.equal((await lake.ingest(1_000_000, other)).readings, 2);
    await lake.refine();
    assert.deepEqual((await makeGold({ lake: lake.lake, ...QUERY })).daysReplaced, ["2013-08-24"]);
    assert.notDeepEqual(await lake.rows("select count(*) from gold_restatements"), restated);
    assert.deepEqual(
      await lake.rows(
        "select room, nb_readings from gold_sensor_daily where event_date = '2013-08-24' and sensor_type = 'co2' order by 1",
      ),
      [
        ["413", 5],
        ["Q", 4],
        [ROOM, 1],
      ],
    );
  });

  test("takes what arrives beside it too, and whoever had read the room loses the commit", async () => {
    await using lake = await makeTestLake({ bronzePartitionBy: ["event_date"] });
    await fill(lake);
    await lake.send([message(ROOM, "pir", DAY + 20_000, 3), message("413", "pir", DAY + 20_000, 4)]);
    await lake.ingest();
    const writer = await lake.reopen();
    // A refine that has read the room and is about to commit, from before the erasure.
    let release = (): void => {};
    const erased = new Promise<void>((done) => (release = done));
    let isWaiting = false;
    const slow: Lake = {
      ...writer,
      table: (name) => ({
        ...writer.table(name),
        commit: async (request: CommitRequest) => {
          if (request.operation === "REFINE" && !isWaiting) {
            isWaiting = true;
            await erased;
          }
          return writer.table(name).commit(request);
        },
      }),
    };
    const refining = refineBatch({ lake: slow, batchRowsMax: 1000, ...QUERY }).catch(
      (error: unknown) => error,
    );
    let batches = 0;
    const racing: Lake = {
      ...lake.lake,
      table: (name) => ({
        ...lake.lake.table(name),
        commit: async (request: CommitRequest) => {
          // Readings of the room come into bronze while silver is erased.
          if (name === "silver/readings" && request.operation === "ERASE" && batches < 2) {
            batches += 1;
            await lake.send([
              message(ROOM, "co2", DAY + 30_000 + batches, 9),
              message("Q", "co2", DAY + 30_000 + batches, 8),
            ]);
            await lake.ingest(1_000_000, writer);
          }
          return lake.lake.table(name).commit(request);
        },
      }),
    };
    const { remaining } = await eraseRoom(optionsOf(racing));
    release();
    assert.ok(isWaiting);
    assert.equal(await refining, undefined, "it lost its commit, and found nothing left to do");
    assert.equal(batches, 2);
    // What the slow refine had written is named by no version: it is told, and goes once it is old.
    assert.deepEqual(
      remaining.map(({ path, why }) => [path.split("/")[0], why]),
      [["silver", "it came without a commit, or just now"]],
    );
    assert.deepEqual(await tracesIn(lake), [remaining[0]?.path]);
    const later = optionsOf(lake.lake);
    const nextYear = { ...later.lake.clock, nowMs: () => systemClock.nowMs() + 1000 };
    const again = await eraseRoom({ ...later, lake: { ...later.lake, clock: nextYear } });
    assert.deepEqual([again.tables.map(({ table }) => table), again.remaining], [["silver/readings"], []]);
    assert.deepEqual(await tracesIn(lake), []);
    assert.deepEqual(
      await lake.rows(
        "select room, count(*) from silver_readings where ts_unix > 1377320000 and ts_unix < 1377380000 group by 1 order by 1",
      ),
      [
        ["413", 1],
        ["Q", 2],
      ],
    );
  });

  test("waits for readers of older versions, and says which files they kept", async () => {
    await using lake = await makeTestLake();
    await fill(lake);
    const { version } = (await lake.lake.table("silver/readings").snapshot())!;
    const hold = async (expiresMs: number): Promise<void> =>
      lake.lake.store.put(
        "_atrium/holds/reader.json",
        Buffer.from(JSON.stringify({ expiresMs, tables: { "silver/readings": [version] } })),
      );
    const forEver = lake.lake.clock.nowMs() + 1e9;
    await hold(forEver);
    const { remaining } = await eraseRoom(optionsOf(lake.lake));
    assert.ok(remaining.length > 0);
    for (const { path, why } of remaining) {
      assert.match(path, /^silver\/readings\//);
      assert.match(why, /reader/);
    }
    assert.ok(await lake.lake.table("silver/readings").snapshot(version), "the reader's version is whole");
    // It lets go while the second erasure waits.
    const { tables, remaining: none } = await eraseRoom(
      optionsOf(lake.lake, async () => lake.lake.store.delete(["_atrium/holds/reader.json"])),
    );
    assert.deepEqual([tables.map(({ table }) => table), none], [["silver/readings"], []]);
    assert.deepEqual(await tracesIn(lake), []);
  });

  test("goes on where an erasure was killed", async () => {
    await using lake = await makeTestLake({ bronzePartitionBy: ["event_date"] });
    await fill(lake);
    const before = await rowsOfOthers(lake);
    let commits = 0;
    const dying: Lake = {
      ...lake.lake,
      table: (name) => ({
        ...lake.lake.table(name),
        commit: async (request: CommitRequest) => {
          commits += 1;
          if (commits === 4) throw new Error("killed");
          return lake.lake.table(name).commit(request);
        },
      }),
    };
    await assert.rejects(eraseRoom(optionsOf(dying)), /killed/);
    assert.ok((await tracesIn(lake)).length > 0);
    const noDelete = { ...lake.lake.store, delete: async () => Promise.reject(new Error("killed again")) };
    await assert.rejects(eraseRoom(optionsOf({ ...lake.lake, store: noDelete })), /killed again/);
    assert.deepEqual((await eraseRoom(optionsOf(await lake.reopen()))).remaining, []);
    assert.deepEqual(await tracesIn(lake), []);
    assert.deepEqual(await rowsOfOthers(lake), before);
  });

  test("writes bronze again without handing its rows to refine a second time", async () => {
    await using lake = await makeTestLake({ bronzePartitionBy: ["event_date"] });
    await fill(lake);
    const erased = await eraseTable(optionsOf(lake.lake), "bronze/readings");
    assert.ok(erased.filesRewritten > 0);
    const batch = await refineBatch({ lake: lake.lake, batchRowsMax: 1000, ...QUERY });
    assert.deepEqual([batch?.rowsRead, batch?.rowsAdded], [0, 0]);
  });

  test("of a room that is not there changes nothing", async () => {
    await using lake = await makeTestLake();
    await fill(lake);
    const options = { ...optionsOf(lake.lake), room: "Q:" };
    const versions = async (): Promise<unknown> =>
      Promise.all(TABLE_NAMES.map(async (name) => (await lake.lake.table(name).snapshot())?.version));
    const before = await versions();
    assert.deepEqual(await surveyRoom(options), []);
    assert.deepEqual(await eraseRoom(options), { tables: [], remaining: [] });
    assert.deepEqual(await versions(), before);
    assert.ok(await lake.lake.table("bronze/readings").snapshot(0), "no version went");
  });
});

test("a rejected message is a room's by its key, or by a field room, however it is written", () => {
  const isOf = (room: string, key: string | null, text: string): boolean =>
    isMessageOf(room, key, Buffer.from(text));
  assert.ok(isOf("413", "413:co2", "1, nan"));
  assert.ok(isOf("413", "413:nonsense", ""));
  assert.ok(isOf("413", "413", ""));
  assert.ok(isOf("413", null, `{"room":"413"`));
  assert.ok(isOf("413", "x:co2", `{"a":[{ "room"\t:\n"\\u0034\\u00313" }]}`));
  assert.ok(isOf("413", null, `{"room":413,"sensor":"co2"}`));
  assert.ok(isMessageOf("413", null, Buffer.concat([Buffer.from([0xff]), Buffer.from(`"room":"413"`)])));
  assert.ok(!isOf("413", "41:co2", `{"room":"4130"}`));
  assert.ok(!isOf("413", "4:413", `{"room":"41"}`));
  assert.ok(!isOf("413", "414:co2", `{"text":"\\"room\\":\\"413\\""}`));
  assert.ok(!isOf("4", "4:13:co2", ""));
  assert.ok(isOf("4:13", "4:13:co2", ""));
});

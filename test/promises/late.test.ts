// Promise 4: readings that arrive late are taken in, the gold of their day, and only that, is made again, and what that
// changed is on record.

import assert from "node:assert/strict";
import { appendFile, cp, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { NO_GOLD } from "../../src/lakehouse/gold/gold.ts";
import { HORIZON_APP_ID, horizonPosition, OPERATIONS } from "../../src/lakehouse/operations.ts";
import { tableDefinition } from "../../src/reading/tables.ts";
import { append, tableIn } from "../support/delta.ts";
import { ask, askOne, generateRaw, runAll, versionsOf } from "../support/lake-folder.ts";
import { atrium, done, temporaryFolder } from "../support/program.ts";
import { lakeIn, storeOf } from "../support/world.ts";

const DAYS = ["2013-08-26", "2013-08-27", "2013-08-28", "2013-08-29"];
const GOLD = ["gold_sensor_hourly", "gold_sensor_daily", "gold_room_daily"];

/** The columns whose values are restated. */
const VALUES = tableDefinition("gold/room_daily")
  .columns.map((column) => column.name)
  .filter((name) => !["room", "event_date", "revision", "created_at"].includes(name));

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let raw = "";
let lake = "";
/** The generated room. */
let room = "";
/** Gold as the last test left it. */
let gold: Awaited<ReturnType<typeof goldByDay>>;

/** The day that late readings change, as it was, and their seconds. */
let dayBefore: GoldRow = {};
let lateSeconds: readonly number[] = [];

before(async () => {
  folder = await temporaryFolder();
  raw = join(folder.path, "raw");
  lake = lakeIn(folder.path, "lake");
  await generateRaw(raw, ["--rooms", "1", "--days", "4", "--seed", "4"]);
  [room = ""] = await readdir(raw);
  const first = await runAll(raw, lake);
  assert.deepEqual([first.daysReplaced, first.daysRestated], [DAYS, []]);
  gold = await goldByDay();
});
after(async () => folder[Symbol.asyncDispose]());

// Each test goes on from the lake of the one before: lateness is a story.
describe("after gold was made", { concurrency: false }, () => {
  test("readings that come three days late change their day, and only that", async () => {
    const seconds = [await freeSecond("2013-08-26T12:00:00Z"), await freeSecond("2013-08-26T15:00:00Z")];
    lateSeconds = seconds;
    await appendFile(join(raw, room, "co2.csv"), seconds.map((ts) => `${ts}, 4000.00\n`).join(""));
    dayBefore = roomDay("2013-08-26");
    const report = await runAll(raw, lake);
    assert.deepEqual([report.messages, report.silver, report.daysReplaced], [2, 2, ["2013-08-26"]]);
    assert.deepEqual([report.daysRestated, report.lateReadings], [["2013-08-26"], 2]);
    await assertOnlyChanged(["2013-08-26"]);
    assert.deepEqual(revisions(), {
      "2013-08-26": [2],
      "2013-08-27": [1],
      "2013-08-28": [1],
      "2013-08-29": [1],
    });
    assert.equal(roomDay("2013-08-26")["co2_max"], 4000);
  });

  test("gold/restatements says by how much: each value that differs, before and after, and how many came late", async () => {
    const after = roomDay("2013-08-26");
    const differing = VALUES.filter((column) => dayBefore[column] !== after[column]);
    assert.ok(differing.includes("co2_avg") && differing.includes("co2_max"));
    const rows = await ask(
      lake,
      "select * exclude (restated_at) from gold_restatements order by column_name",
    );
    const expected = differing.toSorted().map((column) => ({
      room,
      event_date: "2013-08-26",
      column_name: column,
      value_before: dayBefore[column],
      value_after: after[column],
      late_readings: 2,
      revision: 2,
    }));
    assert.deepEqual(rows, expected);
    // Held against silver itself, with and without the late readings.
    const means = await askOne(
      lake,
      `select avg(value_clean) filter (where ts_unix not in (${lateSeconds.join(", ")})) as before,
         avg(value_clean) as after
       from silver_readings where sensor_type = 'co2' and event_date = '2013-08-26'`,
    );
    const restated = rows.find((row) => row["column_name"] === "co2_avg");
    assertClose(restated?.["value_before"], means["before"]);
    assertClose(restated?.["value_after"], means["after"]);
  });

  test("a second run restates nothing more", async () => {
    const versions = await versionsOf(lake);
    const report = await runAll(raw, lake);
    assert.deepEqual([report.daysReplaced, report.daysRestated, report.valuesRestated], [[], [], 0]);
    assert.deepEqual(await versionsOf(lake), versions);
    const ended = await atrium(["gold", "--lake", lake, "--date", "2013-08-26", "--json"]);
    const summary: unknown = JSON.parse(ended.stdout);
    assert.deepEqual([ended.code, summary], [99, { ...NO_GOLD, daysChecked: ["2013-08-26"], daysEmpty: [] }]);
    assert.deepEqual(await versionsOf(lake), versions);
  });

  test("a late reading that silver already holds changes nothing", async () => {
    const lines = (await readFile(join(raw, room, "co2.csv"), "utf8")).split("\n");
    await appendFile(join(raw, room, "co2.csv"), `${lines[1000] ?? ""}\n`);
    const report = await runAll(raw, lake);
    assert.deepEqual([report.messages, report.silver, report.daysReplaced], [1, 0, []]);
    await assertOnlyChanged([]);
  });

  test("a room that comes late changes the days of its readings", async () => {
    const other = join(folder.path, "other");
    await generateRaw(other, ["--rooms", "2", "--days", "1", "--seed", "4", "--start", "2013-08-28"]);
    const added = (await readdir(other)).find((name) => name !== room)!;
    await cp(join(other, added), join(raw, added), { recursive: true });
    const report = await runAll(raw, lake);
    assert.deepEqual([report.daysReplaced, report.daysRestated], [["2013-08-28"], ["2013-08-28"]]);
    await assertOnlyChanged(["2013-08-28"]);
    // The late room and the one that was there.
    assert.deepEqual(revisions(), {
      "2013-08-26": [2],
      "2013-08-27": [1],
      "2013-08-28": [2, 2],
      "2013-08-29": [1],
    });
    // Nothing was known of the late room, and nothing of the other one differs.
    const counted = await askOne(
      lake,
      `select count(*) as n, count(value_before) as known, any_value(room) as room, min(late_readings) as late,
         (select count(*) from silver_readings where room = any_value(restated.room)) as readings
       from gold_restatements restated where event_date = '2013-08-28' group by room`,
    );
    const { n, late, readings } = counted;
    assert.deepEqual(counted, { n: report.valuesRestated, known: 0, room: added, late: readings, readings });
    assert.deepEqual([late, n], [report.lateReadings, VALUES.length]);
  });

  test("an older day that comes late is made, and no other", async () => {
    const ts = Date.parse("2013-08-20T06:00:00Z") / 1000;
    await appendFile(join(raw, room, "temperature.csv"), `${ts}, 21.50\n${ts + 5}, 21.60\n`);
    const report = await runAll(raw, lake);
    assert.deepEqual([report.daysReplaced, report.daysRestated], [["2013-08-20"], []]);
    await assertOnlyChanged(["2013-08-20"]);
    assert.deepEqual(revisions(), {
      "2013-08-20": [1],
      "2013-08-26": [2],
      "2013-08-27": [1],
      "2013-08-28": [2, 2],
      "2013-08-29": [1],
    });
  });

  test("the gold command tells what it restated", async () => {
    const ts = await freeSecond("2013-08-27T12:00:00Z");
    await appendFile(join(raw, room, "co2.csv"), `${ts}, 4500.00\n`);
    const at = ["--lake", lake];
    await done(["replay", "--raw", raw, "--replay-mode", "max", ...at]);
    await done(["ingest", "--once", ...at]);
    await done(["refine", "--once", ...at]);
    const text = await done(["gold", ...at]);
    assert.match(
      text,
      /^1 of 1 days replaced: 2013-08-27\nRestated: 2013-08-27 \(\d+ values, 1 late reading\)\n$/,
    );
    await assertOnlyChanged(["2013-08-27"]);
  });

  test("a day that silver does not keep any more keeps its gold, and the gold command says so", async () => {
    const table = tableIn(storeOf(lake), { path: "silver/readings" });
    const base = (await table.snapshot())!;
    const old = [...base.files.values()].filter(
      (file) => file.partitionValues["event_date"] === "2013-08-20",
    );
    await table.commit({
      ...append(base, []),
      removes: old.map((file) => file.path),
      txns: new Map([[HORIZON_APP_ID, horizonPosition("2013-08-26")]]),
      operation: OPERATIONS.expire,
    });
    const ended = await atrium(["gold", "--lake", lake, "--date", "2013-08-20"]);
    const expected =
      "0 of 0 days replaced: none\nLeft as they are: 2013-08-20 (silver does not keep these days any more)\n";
    assert.deepEqual([ended.code, ended.stdout], [99, expected]);
    await assertOnlyChanged([]);
  });
});

type GoldRow = Readonly<Record<string, unknown>>;

/** All gold rows, bookkeeping included, by table and day, as in `gold_room_daily 2013-08-27`. */
async function goldByDay(): Promise<ReadonlyMap<string, readonly GoldRow[]>> {
  const each = GOLD.map((table) => `select '${table}' as origin, to_json(made) as made from ${table} made`);
  const rows = await ask(lake, `${each.join(" union all ")} order by all`);
  const parsed = rows.map((row) => ({ origin: row["origin"], made: parse(row["made"]) }));
  const byPlace = Map.groupBy(
    parsed,
    ({ origin, made }) => `${String(origin)} ${String(made["event_date"])}`,
  );
  return new Map([...byPlace].map(([place, some]) => [place, some.map((row) => row.made)]));
}

function parse(json: unknown): GoldRow {
  return (typeof json === "string" ? JSON.parse(json) : json) as GoldRow;
}

/** Fails unless since the last look the gold of these days has changed, in all tables, and that of no other day. */
async function assertOnlyChanged(days: readonly string[]): Promise<void> {
  const before = gold;
  gold = await goldByDay();
  const changed = [...new Set([...before.keys(), ...gold.keys()])].filter((place) => {
    return JSON.stringify(before.get(place)) !== JSON.stringify(gold.get(place));
  });
  const expected = GOLD.flatMap((table) => days.map((day) => `${table} ${day}`));
  assert.deepEqual(changed.toSorted(), expected.toSorted());
}

function roomDays(): readonly GoldRow[] {
  return [...gold].filter(([place]) => place.startsWith("gold_room_daily ")).flatMap(([, rows]) => rows);
}

/** The day of the first room. */
function roomDay(date: string): GoldRow {
  const found = roomDays().find((row) => row["event_date"] === date && row["room"] === room);
  return found ?? assert.fail(`no gold of ${date}`);
}

function assertClose(actual: unknown, expected: unknown): void {
  const [a, b] = [Number(actual), Number(expected)];
  assert.ok(Math.abs(a - b) <= 1e-9 * Math.abs(b), `${a} is not ${b}`);
}

/** The revisions of each day's rooms. */
function revisions(): Readonly<Record<string, unknown>> {
  const byDay = Map.groupBy(roomDays(), (row) => String(row["event_date"]));
  const days = [...byDay].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(days.map(([day, rows]) => [day, rows.map((row) => row["revision"])]));
}

/** A second at or after the moment at which the room has no CO2 reading. */
async function freeSecond(from: string): Promise<number> {
  const start = Date.parse(from) / 1000;
  const taken = await ask(
    lake,
    `select ts_unix from silver_readings where sensor_type = 'co2' and ts_unix between ${start} and ${start + 60}`,
  );
  const seconds = new Set(taken.map((row) => row["ts_unix"]));
  for (let ts = start; ts <= start + 60; ts += 1) if (!seconds.has(ts)) return ts;
  return assert.fail("no free second in a minute");
}

// Promise 4: readings that arrive late are taken in, and the gold of their day, and only that, is made again.

import assert from "node:assert/strict";
import { appendFile, cp, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ask, generateRaw, runAll } from "../support/lake-folder.ts";
import { temporaryFolder } from "../support/program.ts";

const DAYS = ["2013-08-26", "2013-08-27", "2013-08-28"];
const GOLD = ["gold_sensor_hourly", "gold_sensor_daily", "gold_room_daily"];

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let raw = "";
let lake = "";
/** The generated room. */
let room = "";
/** Gold as the last test left it. */
let gold: Awaited<ReturnType<typeof goldByDay>>;

before(async () => {
  folder = await temporaryFolder();
  raw = join(folder.path, "raw");
  lake = join(folder.path, "lake");
  await generateRaw(raw, ["--rooms", "1", "--days", "3", "--seed", "4"]);
  [room = ""] = await readdir(raw);
  assert.deepEqual((await runAll(raw, lake)).daysReplaced, DAYS);
  gold = await goldByDay();
});
after(async () => folder[Symbol.asyncDispose]());

// Each test goes on from the lake of the one before: lateness is a story.
describe("after gold was made", { concurrency: false }, () => {
  test("a late reading changes its day, and only that", async () => {
    const ts = await freeSecond("2013-08-27T12:00:00Z");
    await appendFile(join(raw, room, "co2.csv"), `${ts}, 4000.00\n`);
    const report = await runAll(raw, lake);
    assert.deepEqual([report.messages, report.silver, report.daysReplaced], [1, 1, ["2013-08-27"]]);
    await assertOnlyChanged(["2013-08-27"]);
    assert.deepEqual(revisions(), { "2013-08-26": [1], "2013-08-27": [2], "2013-08-28": [1] });
    const [day] = roomDays().filter((row) => row["event_date"] === "2013-08-27");
    assert.equal(day?.["co2_max"], 4000);
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
    assert.deepEqual(report.daysReplaced, ["2013-08-28"]);
    await assertOnlyChanged(["2013-08-28"]);
    // The late room and the one that was there.
    assert.deepEqual(revisions(), { "2013-08-26": [1], "2013-08-27": [2], "2013-08-28": [2, 2] });
  });

  test("an older day that comes late is made, and no other", async () => {
    const ts = Date.parse("2013-08-20T06:00:00Z") / 1000;
    await appendFile(join(raw, room, "temperature.csv"), `${ts}, 21.50\n${ts + 5}, 21.60\n`);
    const report = await runAll(raw, lake);
    assert.deepEqual(report.daysReplaced, ["2013-08-20"]);
    await assertOnlyChanged(["2013-08-20"]);
    const all = { "2013-08-20": [1], "2013-08-26": [1], "2013-08-27": [2], "2013-08-28": [2, 2] };
    assert.deepEqual(revisions(), all);
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

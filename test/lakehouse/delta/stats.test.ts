// Statistics: never tighter than the data; and skipping, never of a file that holds a row.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { AddFile, TableSchema } from "../../../src/lakehouse/delta/actions.ts";
import {
  type FileFilter,
  fileStats,
  filesMatching,
  timestampMs,
} from "../../../src/lakehouse/delta/stats.ts";

const SCHEMA: TableSchema = {
  columns: [
    { name: "day", type: "date" },
    { name: "room", type: "string" },
    { name: "at", type: "timestamp" },
    { name: "value", type: "double" },
    { name: "offset", type: "long" },
    { name: "ok", type: "boolean" },
  ],
  partitionColumns: ["day"],
};
const some = (
  min: string,
  max: string,
  hasNan = false,
): { min: string; max: string; nullCount: number; hasNan: boolean } => ({
  min,
  max,
  nullCount: 0,
  hasNan,
});
const statsFor = (columns: Parameters<typeof fileStats>[1]): unknown =>
  JSON.parse(fileStats(3, columns, SCHEMA));

test("statistics are Delta's: ms with max rounded up, numbers as numbers, no partition columns, no booleans' bounds", () => {
  const found = statsFor({
    day: some("2013-08-23", "2013-08-23"),
    room: some("413", "511"),
    at: some("2013-08-23T23:05:08.123456Z", "2013-08-23T23:05:08.999001Z"),
    value: some("-1.5", "495.0"),
    offset: { min: "0", max: "12", nullCount: 1, hasNan: false },
    ok: some("false", "true"),
    unknown: some("1", "2"),
  });
  assert.deepEqual(found, {
    numRecords: 3,
    minValues: { room: "413", at: "2013-08-23T23:05:08.123Z", value: -1.5, offset: 0 },
    maxValues: { room: "511", at: "2013-08-23T23:05:09.000Z", value: 495, offset: 12 },
    nullCount: { room: 0, at: 0, value: 0, offset: 1, ok: 0 },
  });
});

test("a time without a fraction is kept as it is", () => {
  assert.deepEqual(statsFor({ at: some("2013-08-23T23:05:08Z", "2013-08-23T23:05:08Z") }), {
    numRecords: 3,
    minValues: { at: "2013-08-23T23:05:08.000Z" },
    maxValues: { at: "2013-08-23T23:05:08.000Z" },
    nullCount: { at: 0 },
  });
});

test("NaN, infinity, numbers beyond 2^53, odd text and all-null columns leave bounds out", () => {
  const found = statsFor({
    value: some("1", "2", true),
    offset: some("-9223372036854775808", "9223372036854775807"),
    at: some("infinity", "never"),
    room: { nullCount: 3, hasNan: false },
  });
  assert.deepEqual(found, {
    numRecords: 3,
    minValues: {},
    maxValues: {},
    nullCount: { value: 0, offset: 0, at: 0, room: 3 },
  });
  assert.deepEqual(statsFor({ value: some("-inf", "inf") }), {
    numRecords: 3,
    minValues: {},
    maxValues: {},
    nullCount: { value: 0 },
  });
});

test("a long string is cut in min, between characters, and left out in max", () => {
  const long = "🌡".repeat(40);
  const found = statsFor({ room: some(long, long) });
  assert.deepEqual(found, {
    numRecords: 3,
    minValues: { room: "🌡".repeat(32) },
    maxValues: {},
    nullCount: { room: 0 },
  });
});

test("times are read from ISO text and from DuckDB's and Spark's", () => {
  for (const text of [
    "2013-08-23T23:05:08.5Z",
    "2013-08-23 23:05:08.5+00",
    "2013-08-23 23:05:08.500",
    "2013-08-23T23:05:08.500+00:00",
  ]) {
    assert.equal(timestampMs(text, true), Date.parse("2013-08-23T23:05:08.500Z"), text);
  }
  assert.ok(Number.isNaN(timestampMs("2013-08-23T23:05:08+02:00", true)));
});

interface Row {
  readonly room: string | null;
  readonly atUs: number;
  readonly value: number;
  readonly offset: number;
}
const START_US = 1_377_299_108_000_000;
const iso = (us: number): string =>
  `${new Date(Math.floor(us / 1000)).toISOString().slice(0, -1)}${String(us % 1000).padStart(3, "0")}Z`;
const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** A file of rows, with the statistics that an engine gives. */
function fileWith(day: string | null, rows: readonly Row[]): AddFile {
  const rooms = rows.flatMap((row) => (row.room === null ? [] : [row.room])).toSorted(byBytes);
  const numbers = (values: readonly number[]): [string, string] => [
    String(Math.min(...values)),
    String(Math.max(...values)),
  ];
  const times = rows.map((row) => row.atUs);
  const columns = {
    room: {
      nullCount: rows.length - rooms.length,
      hasNan: false,
      ...(rooms.length > 0 && { min: rooms[0]!, max: rooms.at(-1)! }),
    },
    at: some(iso(Math.min(...times)), iso(Math.max(...times))),
    value: some(...numbers(rows.map((row) => row.value))),
    offset: some(...numbers(rows.map((row) => row.offset))),
  };
  return {
    path: `${day}`,
    partitionValues: { day },
    size: 1,
    modificationTime: 0,
    dataChange: true,
    stats: fileStats(rows.length, columns, SCHEMA),
  };
}

const rowsArbitrary = fc.array(
  fc.record({
    room: fc.option(fc.string({ unit: fc.constantFrom("4", "1", "3", "é", "\uffee", "🌡"), maxLength: 36 })),
    atUs: fc.integer({ min: START_US, max: START_US + 5000 }),
    value: fc.double({ min: -10, max: 10, noNaN: true }),
    offset: fc.integer({ min: 0, max: 50 }),
  }),
  { minLength: 1, maxLength: 5 },
);

test("a file that holds a row of the filter is never skipped", () => {
  fc.assert(
    fc.property(rowsArbitrary, fc.integer(), fc.integer({ min: 0, max: 3 }), (rows, pick, spread) => {
      const file = fileWith("2013-08-23", rows);
      const row = rows[Math.abs(pick) % rows.length]!;
      const filters: FileFilter[] = [
        { ranges: { at: { from: iso(row.atUs - spread), to: iso(row.atUs + spread) } } },
        { ranges: { value: { from: row.value - spread, to: row.value } } },
        { ranges: { offset: { from: row.offset } }, equals: { day: ["2013-08-22", "2013-08-23"] } },
        { equals: { offset: [String(row.offset), "99"] }, ranges: { day: { to: "2013-08-23" } } },
        ...(row.room === null
          ? []
          : [{ equals: { room: [row.room] } }, { ranges: { room: { from: row.room } } }]),
      ];
      for (const filter of filters) {
        assert.deepEqual(filesMatching(snapshotOf(file), filter), [file], JSON.stringify(filter));
      }
    }),
  );
});

const snapshotOf = (...files: readonly AddFile[]): Parameters<typeof filesMatching>[0] => ({
  schema: SCHEMA,
  files: new Map(files.map((file) => [file.path, file])),
});

test("files of other partitions and other ranges are skipped", () => {
  const file = fileWith("2013-08-23", [
    { room: "413", atUs: START_US, value: 5, offset: 7 },
    { room: "415", atUs: START_US + 1_000_000, value: 6, offset: 9 },
  ]);
  const none: FileFilter[] = [
    { equals: { day: ["2013-08-24"] } },
    { ranges: { day: { from: "2013-08-24" } } },
    { ranges: { day: { to: "2013-08-22" } } },
    { equals: { room: ["412", "416"] } },
    { ranges: { at: { from: iso(START_US + 1_002_000) } } },
    { ranges: { at: { to: iso(START_US - 1001) } } },
    { ranges: { at: { to: START_US / 1000 - 1 } } },
    { ranges: { value: { from: 6.1 } } },
    { ranges: { value: { to: 4.9 } } },
    { equals: { offset: ["10"] } },
    { equals: { offset: [] } },
  ];
  for (const filter of none) {
    assert.deepEqual(filesMatching(snapshotOf(file), filter), [], JSON.stringify(filter));
  }
});

test("the largest time has 1 ms to spare, for Spark cuts it", () => {
  const stats = {
    numRecords: 1,
    minValues: { at: "2013-08-23T00:00:00.000Z" },
    maxValues: { at: "2013-08-23T00:00:01.000Z" },
  };
  const file = {
    ...fileWith("2013-08-23", [{ room: "1", atUs: START_US, value: 1, offset: 1 }]),
    stats: JSON.stringify(stats),
  };
  const from = (at: string): number =>
    filesMatching(snapshotOf(file), { ranges: { at: { from: at } } }).length;
  assert.deepEqual(
    [from("2013-08-23T00:00:01.000999Z"), from("2013-08-23T00:00:01.001Z"), from("2013-08-23T00:00:01.002Z")],
    [1, 1, 0],
  );
});

test("null matches nothing, and what is not known may match", () => {
  const nulls = fileWith(null, [{ room: null, atUs: START_US, value: 1, offset: 1 }]);
  assert.deepEqual(filesMatching(snapshotOf(nulls), { equals: { day: ["2013-08-23"] } }), []);
  assert.deepEqual(filesMatching(snapshotOf(nulls), { equals: { room: ["413"] } }), []);
  const empty = { ...nulls, partitionValues: { day: "" } };
  assert.deepEqual(filesMatching(snapshotOf(empty), { ranges: { day: { to: "2013-08-23" } } }), []);
  const { stats: _, ...bare } = nulls;
  assert.equal(filesMatching(snapshotOf(bare), { equals: { room: ["413"], nowhere: ["x"] } }).length, 1);
  assert.equal(filesMatching(snapshotOf(nulls), { ranges: { value: { from: "no number" } } }).length, 1);
  assert.equal(
    filesMatching(snapshotOf({ ...nulls, stats: '{"numRecords":1}' }), { equals: { room: ["413"] } }).length,
    1,
  );
});

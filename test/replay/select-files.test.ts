// Which files are replayed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FILES_MAX, selectFiles } from "../../src/replay/select-files.ts";

const entries = (...paths: readonly string[]): { path: string; sizeBytes: number }[] =>
  paths.map((path) => ({ path, sizeBytes: 1 }));
const selected = (...args: Parameters<typeof selectFiles>): readonly string[] =>
  selectFiles(...args).files.map((file) => file.path);

test("room and sensor type come from the path, in the order of paths", () => {
  const { files, skipped } = selectFiles(
    "raw",
    entries("9/pir.csv", "10/light.csv.gz", "10/luminosity.csv"),
    {},
  );
  assert.deepEqual(files, [
    { path: "10/light.csv.gz", sizeBytes: 1, room: "10", sensorType: "luminosity", compressed: true },
    { path: "10/luminosity.csv", sizeBytes: 1, room: "10", sensorType: "luminosity", compressed: false },
    { path: "9/pir.csv", sizeBytes: 1, room: "9", sensorType: "pir", compressed: false },
  ]);
  assert.deepEqual(skipped, []);
});

test("rooms are chosen by name or by the beginning of it", () => {
  const all = entries("621/co2.csv", "621A/co2.csv", "622/co2.csv", "413/co2.csv");
  assert.deepEqual(selected("raw", all, { rooms: ["621"] }), ["621/co2.csv", "621A/co2.csv"]);
  assert.deepEqual(selected("raw", all, { rooms: ["62", "4"] }), [
    "413/co2.csv",
    "621/co2.csv",
    "621A/co2.csv",
    "622/co2.csv",
  ]);
});

test("sensor types are filtered", () => {
  assert.deepEqual(
    selected("raw", entries("1/co2.csv", "1/pir.csv", "1/light.csv"), { sensorTypes: ["pir", "luminosity"] }),
    ["1/light.csv", "1/pir.csv"],
  );
});

test("a CSV of no sensor type is skipped with a reason: prefixes, aliases and other cases do not count", () => {
  const odd = entries("1/co2.csv", "1/temp.csv", "1/motion.csv.gz", "1/CO2.csv", "1/co2-old.csv");
  const { files, skipped } = selectFiles("raw", odd, {});
  assert.equal(files.length, 1);
  assert.deepEqual(
    skipped.map(({ file }) => file),
    ["1/CO2.csv", "1/co2-old.csv", "1/motion.csv.gz", "1/temp.csv"],
  );
  assert.match(skipped[0]!.reason, /"CO2" is no sensor type; known are co2\.csv/);
});

test("other files, and those at other levels, are ignored silently", () => {
  const odd = entries("1/co2.csv", "1/README.md", "1/co2.csv.bak", "faults.csv", "1/2/co2.csv");
  assert.deepEqual(selectFiles("raw", odd, {}).skipped, []);
  assert.deepEqual(selected("raw", odd, {}), ["1/co2.csv"]);
});

test("of a file and its packed copy, the unpacked one is taken and the other reported", () => {
  const { files, skipped } = selectFiles("raw", entries("1/co2.csv.gz", "1/co2.csv"), {});
  assert.deepEqual(
    files.map(({ path }) => path),
    ["1/co2.csv"],
  );
  assert.deepEqual(skipped, [{ file: "1/co2.csv.gz", reason: "the same file is there unpacked" }]);
});

test("nothing left is SOURCE_EMPTY, and the message says where, for what, and what it should look like", () => {
  assert.throws(
    () => selectFiles("raw/folder", entries("1/co2.csv"), { rooms: ["77"], sensorTypes: ["pir"] }),
    {
      code: "SOURCE_EMPTY",
      message: /raw\/folder.*rooms 77.*sensor types pir.*413\/co2\.csv/,
    },
  );
});

test("more files than one replay takes are refused", () => {
  const many = entries(...Array.from({ length: FILES_MAX + 1 }, (_, room) => `${room}/co2.csv`));
  assert.throws(() => selectFiles("raw", many, {}), {
    code: "SOURCE_UNREADABLE",
    message: /20001 raw files.*ROOMS/,
  });
});

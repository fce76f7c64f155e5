// Damage found by a command at work: a named error on one line, nothing wrong made of it, and a way out that works.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { commitFile, copyOf, dataFiles, newestVersion, pick } from "../support/damaged-lake.ts";
import {
  ask,
  assertSameRows,
  makeReference,
  QUIET,
  versionsOf,
  type Reference,
} from "../support/lake-folder.ts";
import { assertOneError } from "../support/one-error.ts";
import { atrium, done } from "../support/program.ts";

const BATCHES = ["--batch-rows", "20000"];
const SILVER_AND_GOLD = [
  "silver/readings",
  "gold/sensor_hourly",
  "gold/sensor_daily",
  "gold/room_daily",
] as const;

let made: Reference;
/** Raw files replayed and ingested, not refined. */
let ingested = "";
let count = 0;

before(async () => {
  made = await makeReference(["--rooms", "1", "--days", "1", "--seed", "4", "--faults"], BATCHES);
  ingested = join(made.folder.path, "ingested");
  const max = ["--replay-mode", "max", "--lake", ingested];
  await done(["replay", "--raw", made.raw, ...max], { env: QUIET });
  await done(["ingest", "--once", "--lake", ingested, ...BATCHES], { env: QUIET });
});
after(async () => made.folder[Symbol.asyncDispose]());

async function copy(lake: string): Promise<string> {
  count += 1;
  return copyOf(lake, join(made.folder.path, `copy-${count}`));
}

const damages: readonly (readonly [string, RegExp, (file: string) => Promise<void>])[] = [
  ["missing", /is missing/, async (file) => rename(file, `${file}.away`)],
  ["cut", /is damaged/, async (file) => truncate(file, 1000)],
  ["empty", /is damaged/, async (file) => truncate(file, 0)],
];

describe("a data file of bronze that silver has not taken", { concurrency: 2 }, () => {
  for (const [name, pattern, damage] of damages) {
    test(`and that is ${name} stops refine with its name; put back, nothing is lost`, async () => {
      const lake = await copy(ingested);
      const file = pick(await dataFiles(lake, "bronze/readings"), "sensor_type=co2");
      const whole = await readFile(file);
      await damage(file);
      const refine = ["refine", "--once", "--lake", lake];
      const ended = await atrium(refine, { env: QUIET });
      assertOneError(ended, "TABLE_CORRUPT", pattern);
      assert.ok(ended.stderr.includes(file), ended.stderr);
      const silver = await ask(lake, "select count(*) as n from silver_readings").catch(() => [{ n: 0 }]);
      assert.deepEqual(silver, [{ n: 0 }]);
      await writeFile(file, whole);
      await done(refine, { env: QUIET });
      await done(["gold", "--lake", lake], { env: QUIET });
      await assertSameRows(lake, made.reference, SILVER_AND_GOLD);
      await done(["verify", "--lake", lake]);
    });
  }
});

describe("a data file of silver", { concurrency: 2 }, () => {
  for (const [name, pattern, damage] of damages) {
    test(`that is ${name} stops gold and queries with its name; rebuild brings back what it held`, async () => {
      const lake = await copy(made.reference);
      const versions = await versionsOf(lake);
      const file = pick(await dataFiles(lake, "silver/readings"));
      await damage(file);
      const day = /event_date=([\d-]+)/.exec(file)?.[1] ?? "";
      for (const args of [
        ["gold", "--date", day],
        ["sql", "select max(value_raw) from silver_readings"],
      ]) {
        const ended = await atrium([...args, "--lake", lake], { env: QUIET });
        assertOneError(ended, "TABLE_CORRUPT", pattern);
        assert.ok(ended.stderr.includes(file), ended.stderr);
      }
      assert.deepEqual(await versionsOf(lake), versions);
      const verified = await atrium(["verify", "--lake", lake]);
      assert.equal(verified.code, 1);
      assert.match(
        verified.stdout,
        /fault {2}silver\/readings.*\n.*\.parquet\n.*table rebuild silver\/readings/,
      );
      await done(["table", "rebuild", "silver/readings", "--lake", lake], { env: QUIET });
      await assertSameRows(lake, made.reference, SILVER_AND_GOLD);
      assert.match(await done(["verify", "--lake", lake]), /All is well/);
    });
  }
});

test("a commit file that was emptied or cut at the end of a line stops its table, and no other", async () => {
  const lake = await copy(made.reference);
  const file = commitFile(lake, "silver/readings", 1);
  const whole = await readFile(file, "utf8");
  for (const text of ["", `${whole.split("\n")[0]}\n`, whole.slice(0, -10)]) {
    await writeFile(file, text);
    const query = ["sql", "--lake", lake, "select count(*) from silver_readings"];
    assertOneError(await atrium(query), "TABLE_CORRUPT", /00001\.json/);
    assertOneError(await atrium(["gold", "--lake", lake], { env: QUIET }), "TABLE_CORRUPT", /00001\.json/);
    await ask(lake, "select count(*) from gold_room_daily");
    const { code, stdout } = await atrium(["verify", "--lake", lake]);
    assert.equal(code, 1);
    assert.match(stdout, /fault {2}silver\/readings: .*00001\.json/);
    assert.match(stdout, /^bronze\/readings +version/m);
  }
  await writeFile(file, whole);
  assert.match(await done(["verify", "--lake", lake]), /All is well/);
});

test("a bronze that lost its newest commit takes in nothing more: silver would pass over it", async () => {
  const lake = await copy(made.reference);
  const file = commitFile(lake, "bronze/readings", await newestVersion(lake, "bronze/readings"));
  const whole = await readFile(file);
  await rm(file);
  for (const args of [
    ["ingest", "--once"],
    ["refine", "--once"],
    ["run", "--raw", made.raw],
  ]) {
    const ended = await atrium([...args, "--lake", lake], { env: QUIET });
    assertOneError(ended, "TABLE_CORRUPT", /newest commits of bronze\/readings are missing.*recovery\.md/);
  }
  assert.equal((await atrium(["verify", "--lake", lake, "--quick"])).code, 1);
  await writeFile(file, whole);
  assert.match(await done(["verify", "--lake", lake, "--quick"]), /All is well/);
});

test("verify says the same as JSON, for all tables or one", async () => {
  const all: unknown = JSON.parse(await done(["verify", "--lake", made.reference, "--json"]));
  assert.partialDeepStrictEqual(all, { isWell: true, findings: [] });
  const one = await done(["verify", "--lake", made.reference, "--table", "gold/room_daily"]);
  assert.match(one, /^gold\/room_daily +version +\d+ +\d+ rows +\d+ files\n\nAll is well\.\n$/m);
  assert.doesNotMatch(one, /silver/);
});

describe("a lake on a read-only file system", { skip: withoutMounts() }, () => {
  test("answers queries, verify and doctor, and refuses to be written with STORE_DENIED", async () => {
    const place = join(made.folder.path, "read-only");
    const lake = await copy(ingested);
    await mkdir(place);
    execFileSync("mount", ["--bind", lake, place], { stdio: "pipe" });
    try {
      execFileSync("mount", ["-o", "remount,bind,ro", place], { stdio: "pipe" });
      const [row] = await ask(place, "select count(*) as n from bronze_readings");
      assert.ok(Number(row?.["n"]) > 1000);
      assert.match(await done(["verify", "--lake", place]), /All is well/);
      await done(["doctor", "--lake", place]);
      for (const args of [
        ["refine", "--once"],
        ["ingest", "--once"],
        ["run", "--raw", made.raw],
      ]) {
        const ended = await atrium([...args, "--lake", place], { env: QUIET });
        assertOneError(ended, "STORE_DENIED", /read|write/);
      }
    } finally {
      execFileSync("umount", [place]);
    }
    await done(["refine", "--once", "--lake", lake], { env: QUIET });
    await assertSameRows(lake, made.reference, ["silver/readings"]);
  });
});

/** A read-only file system can be had only where this user may mount one. */
function withoutMounts(): false | string {
  try {
    execFileSync("unshare", ["--mount", "true"], { stdio: "pipe" });
    return process.getuid?.() === 0 ? false : "only root can mount what this needs";
  } catch {
    return "this user cannot mount what this needs";
  }
}

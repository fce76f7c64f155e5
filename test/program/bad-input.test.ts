// Bad input: each a clear error on one line, with nothing half made and nothing of before lost.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { TABLE_NAMES } from "../../src/reading/tables.ts";
import type { ErrorCode } from "../../src/support/errors.ts";
import {
  ask,
  askOne,
  assertSameRows,
  generateRaw,
  QUIET,
  runAll,
  versionsOf,
} from "../support/lake-folder.ts";
import { assertOneError } from "../support/one-error.ts";
import { atrium, done, temporaryFolder } from "../support/program.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let raw = "";
let reference = "";
/** The generated room. */
let room = "";
const made = { count: 0 };

before(async () => {
  folder = await temporaryFolder();
  raw = join(folder.path, "raw");
  reference = join(folder.path, "reference");
  await generateRaw(raw, ["--rooms", "1", "--days", "1", "--seed", "8"]);
  [room = ""] = await readdir(raw);
  await runAll(raw, reference);
});
after(async () => folder[Symbol.asyncDispose]());

describe("a raw folder", { concurrency: 2 }, () => {
  test("that is missing, empty or a file is an error that names it, and makes no lake", async () => {
    const lake = newPath("no-lake");
    const empty = await newFolder();
    const file = newPath("file");
    await writeFile(file, "");
    const cases: readonly (readonly [string, string, ErrorCode])[] = [
      ["run", newPath("missing"), "SOURCE_MISSING"],
      ["replay", newPath("missing"), "SOURCE_MISSING"],
      ["up", newPath("missing"), "SOURCE_MISSING"],
      ["run", empty, "SOURCE_EMPTY"],
      ["run", file, "SOURCE_MISSING"],
    ];
    for (const [command, source, code] of cases) {
      assertOneError(await atrium([command, "--raw", source, "--lake", lake]), code, new RegExp(source));
    }
    assert.ok(!existsSync(lake));
  });

  test("that the filters leave nothing of is an error that names them", async () => {
    const lake = newPath("no-lake");
    const ended = await atrium(["run", "--raw", raw, "--lake", lake, "--rooms", "nowhere"]);
    assertOneError(ended, "SOURCE_EMPTY", /rooms nowhere/);
    assert.ok(!existsSync(lake));
  });

  test("with folders in place of files is an error, and makes no lake", async () => {
    const source = await newFolder();
    await mkdir(join(source, "413", "co2.csv"), { recursive: true });
    const lake = newPath("no-lake");
    assertOneError(
      await atrium(["run", "--raw", source, "--lake", lake]),
      "SOURCE_EMPTY",
      new RegExp(source),
    );
    assert.ok(!existsSync(lake));
  });

  test("with an empty file and one of rubbish gives no reading, and keeps every line of it as rejected", async () => {
    const source = await newFolder();
    await mkdir(join(source, "413"));
    await writeFile(join(source, "413", "co2.csv"), "");
    const lines = ["hello", "1377299108", "1377299108, ", "1377299108, nan", "1377299108, 1e999", ",", "€"];
    await writeFile(join(source, "413", "pir.csv"), `${lines.join("\n")}\n`);
    const lake = newPath("lake");
    const report = await runAll(source, lake);
    assert.deepEqual([report.messages, report.bronze, report.rejected, report.silver], [7, 0, 7, 0]);
    const rows = await ask(lake, `select decode(value) as line from bronze_rejected order by "offset"`);
    // The number beyond all doubles is well formed as a line, so it comes as a message.
    const whole = rows.map((row) =>
      String(row["line"]).replace(/^\{.*"value":1e999\}$/, "1377299108, 1e999"),
    );
    assert.deepEqual(whole, lines);
  });

  test("whose files hold no line is an error that names one; a single empty file is named in the report", async () => {
    const source = await newFolder();
    await mkdir(join(source, "413"));
    await writeFile(join(source, "413", "co2.csv"), "");
    const lake = newPath("lake");
    const ended = await atrium(["run", "--raw", source, "--lake", lake], { env: QUIET });
    assertOneError(ended, "SOURCE_EMPTY", /413\/co2\.csv without a line/);
    await writeFile(join(source, "413", "pir.csv"), "1377299108, 0.00\n");
    const report: unknown = JSON.parse(
      await done(["run", "--raw", source, "--lake", lake, "--json"], { env: QUIET }),
    );
    assert.partialDeepStrictEqual(report, {
      messages: 1,
      filesSkipped: [{ file: "413/co2.csv", reason: "it holds no line" }],
    });
  });

  test("with a damaged gzip file is an error that names it; what came before the damage is taken in, once", async () => {
    const { source, whole, lake } = await sourceWithDamage();
    const run = ["run", "--raw", source, "--lake", lake];
    assertOneError(await atrium(run, { env: QUIET }), "SOURCE_UNREADABLE", /light\.csv\.gz/);
    await writeFile(join(source, room, "light.csv.gz"), whole);
    await runAll(source, lake);
    // The day was made once without the rest of the file: its rows are the same, its revision is 2.
    await assertSameRows(
      lake,
      reference,
      TABLE_NAMES.filter((name) => name !== "gold/room_daily"),
    );
    const differing = await askOne(lake, "select max(revision) as n from gold_room_daily");
    assert.equal(differing["n"], 2);
  });

  test("with a damaged gzip file fills the lake with what came before the damage", async () => {
    const { source, lake } = await sourceWithDamage();
    assertOneError(
      await atrium(["run", "--raw", source, "--lake", lake], { env: QUIET }),
      "SOURCE_UNREADABLE",
      /light/,
    );
    const silver = await askOne(lake, "select count(*) as n from silver_readings");
    assert.ok(Number(silver["n"]) > 1000, `${String(silver["n"])} readings`);
  });

  test("with a file that is no gzip at all is an error that names it", async () => {
    const source = await newFolder();
    await mkdir(join(source, "413"));
    await writeFile(join(source, "413", "co2.csv.gz"), "1377299108, 495.00\n");
    const ended = await atrium(["run", "--raw", source, "--lake", newPath("lake")], { env: QUIET });
    assertOneError(ended, "SOURCE_UNREADABLE", /413\/co2\.csv\.gz is no valid gzip/);
  });
});

describe("a lake", { concurrency: 2 }, () => {
  test("that is a folder of other things is refused, and left as it is", async () => {
    const other = await newFolder();
    await writeFile(join(other, "thesis.txt"), "mine");
    for (const args of everyCommand(other)) assertOneError(await atrium(args), "LAKE_INVALID", /thesis\.txt/);
    assert.deepEqual(await readdir(other), ["thesis.txt"]);
  });

  test("that does not exist is an error for what reads it, and is not made", async () => {
    const lake = newPath("no-lake");
    const readers = everyCommand(lake).slice(3);
    for (const args of readers) assertOneError(await atrium(args), "NOT_FOUND", new RegExp(lake));
    assert.ok(!existsSync(lake));
  });

  test("of a newer version is refused by every command, and left as it is", async () => {
    const lake = newPath("newer");
    await cp(reference, lake, { recursive: true });
    await writeFile(join(lake, "_atrium/lake.json"), '{"formatVersion":2}\n');
    const before = await filesBelow(lake);
    for (const args of everyCommand(lake)) {
      assertOneError(await atrium(args), "LAKE_NEWER", new RegExp(`${lake} has format 2`));
    }
    assert.deepEqual(await filesBelow(lake), before);
  });

  test("that is a file is an error of the catalogue", async () => {
    const lake = newPath("file");
    await writeFile(lake, "");
    for (const args of everyCommand(lake)) {
      const ended = await atrium(args);
      assert.notEqual(ended.code, 0);
      assert.doesNotMatch(ended.stderr, /INTERNAL/, args.join(" "));
      assert.match(ended.stderr, new RegExp(lake));
    }
  });

  test("whose log is cut short says so and loses nothing: its tables still answer", async () => {
    const lake = await lakeWithCutLog();
    for (const args of [
      ["run", "--raw", raw],
      ["ingest", "--once"],
      ["replay", "--raw", raw],
    ]) {
      const ended = await atrium([...args, "--lake", lake], { env: QUIET });
      assertOneError(ended, "LOG_CORRUPT", /_log\/log\.db.* Move this file/);
    }
    await assertSameRows(lake, reference);
    assert.match((await atrium(["doctor", "--lake", lake])).stdout, /^fail +log: .*log\.db/m);
  });

  test("whose log is moved away, as the error of a damaged one advises, takes in new readings", async () => {
    const lake = await lakeWithCutLog();
    await rm(join(lake, "_log"), { recursive: true });
    const report = await runAll(raw, lake);
    assert.equal(report.silver, 0);
    await assertSameRows(lake, reference, ["silver/readings", "gold/room_daily"]);
  });

  test("whose log was replaced by another takes in all of it or refuses it, but never skips messages", async () => {
    const lake = newPath("replaced");
    const one = ["--topic-partitions", "1"];
    await runAll(raw, lake, one);
    await rm(join(lake, "_log"), { recursive: true });
    const other = newPath("raw");
    await mkdir(other);
    await cp(join(raw, room), join(other, "other"), { recursive: true });
    const replay = ["replay", "--raw", other, "--lake", lake, "--replay-mode", "max", ...one];
    await done(replay, { env: QUIET });
    await done([...replay, "--restart"], { env: QUIET });
    const ended = await atrium(["ingest", "--once", "--lake", lake], { env: QUIET });
    if (ended.code !== 0) return;
    const held = await askOne(lake, "select count(*) as n from bronze_readings where room = 'other'");
    const all = await askOne(reference, "select 2 * count(*) as n from bronze_readings");
    assert.equal(held["n"], all["n"]);
  });
});

describe("a command", { concurrency: 2 }, () => {
  test("whose port is taken names it, and ends", async () => {
    const taken = createServer();
    const port = await new Promise<number>((resolve) => {
      taken.listen(0, "127.0.0.1", () => resolve((taken.address() as { port: number }).port));
    });
    try {
      const serve = ["serve", "--lake", reference, "--api-port", String(port)];
      assertOneError(await atrium(serve), "PORT_IN_USE", new RegExp(`${port} .*API_PORT`));
      const up = ["up", "--raw", raw, "--lake", newPath("up"), "--api-port", String(port)];
      assertOneError(await atrium(up), "PORT_IN_USE", new RegExp(`${port} .*API_PORT`));
    } finally {
      taken.close();
    }
  });

  test("with a wrong value names the flag or variable, the value and what is allowed, and makes no lake", async () => {
    const lake = newPath("no-lake");
    const run = ["run", "--raw", raw, "--lake", lake];
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [[...run, "--batch-rows", "0"], /--batch-rows 0 .*from 1 to/],
      [[...run, "--bronze-partition-by", "room"], /--bronze-partition-by room .*event_date/],
      [[...run, "--log", "pulsar"], /--log pulsar .*embedded, kafka/],
      [["replay", "--raw", raw, "--lake", lake, "--replay-mode", "fast"], /--replay-mode fast .*timewarp/],
      [["gold", "--lake", lake, "--date", "2013-02-30"], /--date 2013-02-30 .*YYYY-MM-DD/],
      [["gold", "--lake", lake, "--from", "2013-08-02", "--to", "2013-08-01"], /--to must not be earlier/],
      [["serve", "--lake", lake, "--api-port", "70000"], /--api-port 70000 .*65535/],
      [["sql", "--lake", lake], /SQL is missing/],
    ];
    for (const [args, message] of cases) {
      assertOneError(await atrium(args), "USAGE_INVALID", message);
    }
    const env = { BATCH_SECONDS: "soon", TOPIC_PARTITIONS: "0" };
    const both = await atrium(run, { env });
    assert.equal(both.code, 2);
    assert.match(both.stderr, /^error CONFIG_INVALID: .*BATCH_SECONDS=soon .*\n/m);
    assert.match(both.stderr, /^error CONFIG_INVALID: .*TOPIC_PARTITIONS=0 .*\n/m);
    assert.equal(both.stderr.trimEnd().split("\n").length, 2);
    assert.ok(!existsSync(lake));
  });

  test("that names an unknown table or version, or wrong SQL, says what there is", async () => {
    const cases: readonly (readonly [readonly string[], ErrorCode, RegExp])[] = [
      [["table", "history", "silver/nope"], "USAGE_INVALID", /no table silver\/nope: .*silver\/readings/],
      [["table", "diff", "silver/readings"], "USAGE_INVALID", /--with/],
      [["table", "diff", "silver/readings", "--with", newPath("nowhere")], "NOT_FOUND", /nowhere/],
      [["sql", "select * from silver_nope"], "QUERY_INVALID", /silver_nope/],
      [["sql", "select nope from silver_readings"], "QUERY_INVALID", /nope/],
      [["sql", "selec 1"], "QUERY_INVALID", /selec/],
      [["sql", ""], "QUERY_INVALID", /empty/],
      [["sql", "--as-of", "999", "select * from silver_readings"], "NOT_FOUND", /version 999/],
      [["sql", "--as-of", "1", "select 1"], "USAGE_INVALID", /--as-of/],
    ];
    for (const [args, code, message] of cases) {
      assertOneError(await atrium([...args, "--lake", reference]), code, message);
    }
  });
});

test("none of it has touched the reference lake", async () => {
  const versions = await versionsOf(reference);
  assert.equal((await runAll(raw, reference)).messages, 0);
  assert.deepEqual(await versionsOf(reference), versions);
});

/** Commands that open a lake: first those that make one, then those that only read or refine it. */
function everyCommand(lake: string): readonly (readonly string[])[] {
  return [
    ["run", "--raw", raw],
    ["up", "--raw", raw, "--api-port", "0"],
    ["ingest", "--once"],
    ["refine", "--once"],
    ["serve", "--api-port", "0"],
    ["sql", "select 1"],
  ].map((args) => [...args, "--lake", lake]);
}

function newPath(name: string): string {
  made.count += 1;
  return join(folder.path, `${made.count}-${name}`);
}

async function newFolder(): Promise<string> {
  const path = newPath("folder");
  await mkdir(path);
  return path;
}

/** The raw files, the light of the room packed and cut in its middle, and the whole packed file. */
async function sourceWithDamage(): Promise<{ source: string; whole: Uint8Array; lake: string }> {
  const source = newPath("damaged");
  await cp(raw, source, { recursive: true });
  const light = join(source, room, "light.csv");
  const whole = gzipSync(await readFile(light));
  await rm(light);
  await writeFile(`${light}.gz`, whole.subarray(0, whole.length / 2));
  return { source, whole, lake: newPath("lake") };
}

async function lakeWithCutLog(): Promise<string> {
  const lake = newPath("cut");
  await cp(reference, lake, { recursive: true });
  const file = join(lake, "_log/log.db");
  await truncate(file, Math.floor((await stat(file)).size / 2));
  return lake;
}

async function filesBelow(path: string): Promise<readonly string[]> {
  const names = await readdir(path, { recursive: true });
  return names.filter((name) => !name.startsWith("_scratch")).toSorted();
}

// Each part as a process of its own gives what `run` gives, and the tables answer in every form.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { TABLE_NAMES } from "../../src/reading/tables.ts";
import { ask, askOne, assertSameRows, generateRaw, QUIET, type Row, runAll } from "../support/lake-folder.ts";
import { assertOneError } from "../support/one-error.ts";
import { atrium, done, type Ended, temporaryFolder } from "../support/program.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let raw = "";
/** The lake of one `run`. */
let whole = "";
/** The lake of the parts. */
let parts = "";

before(async () => {
  folder = await temporaryFolder();
  raw = join(folder.path, "raw");
  whole = join(folder.path, "whole");
  parts = join(folder.path, "parts");
  await generateRaw(raw, ["--rooms", "2", "--days", "1", "--seed", "11", "--faults"]);
});
after(async () => folder[Symbol.asyncDispose]());

describe("replay, ingest, refine and gold, one after the other", { concurrency: false }, () => {
  test("make the tables of one run", async () => {
    const report = await runAll(raw, whole);
    const replayed = JSON.parse(await part(["replay", "--raw", raw, "--replay-mode", "max"])) as Row;
    assert.equal(replayed["messages"], report.messages);
    assert.equal(replayed["stopped"], false);
    const ingested = JSON.parse(await part(["ingest", "--once", "--batch-rows", "20000"])) as Row;
    assert.deepEqual([ingested["readings"], ingested["rejected"]], [report.bronze, report.rejected]);
    const refined = JSON.parse(await part(["refine", "--once", "--batch-rows", "50000"])) as Row;
    assert.deepEqual([refined["rowsRead"], refined["rowsAdded"]], [report.bronze, report.silver]);
    const gold = JSON.parse(await part(["gold"])) as { daysReplaced: string[] };
    assert.deepEqual(gold.daysReplaced, report.daysReplaced);
    await assertSameRows(parts, whole);
  });

  test("have nothing to do when they are called again, and say so with 99", async () => {
    for (const args of [["ingest", "--once"], ["refine", "--once"], ["gold"]]) {
      assert.equal((await atrium([...args, "--lake", parts], { env: QUIET })).code, 99, args.join(" "));
    }
    const again = JSON.parse(await part(["replay", "--raw", raw, "--replay-mode", "max"])) as Row;
    assert.equal(again["messages"], 0);
  });

  test("table diff tells the same rows from others by its exit code", async () => {
    const diff = (name: string): Promise<Ended> =>
      atrium(["table", "diff", name, "--lake", parts, "--with", whole]);
    const same = await diff("silver/readings");
    assert.deepEqual([same.code, same.stderr], [0, ""]);
    assert.match(
      same.stdout,
      /^silver\/readings: the same [\d,]+ rows in both( \(offsets left out: .*\))?\.\n$/,
    );
    const other = join(folder.path, "other");
    await runAll(raw, other, ["--sensors", "pir"]);
    const differs = await atrium(["table", "diff", "gold/sensor_daily", "--lake", whole, "--with", other]);
    assert.equal(differs.code, 1);
    assert.match(
      differs.stdout,
      /^gold\/sensor_daily: 8 rows only in .*whole, 0 only in .*other( \(offsets left out: .*\))?\.\n$/,
    );
  });

  test("table list and table history show what each made", async () => {
    const tables = JSON.parse(await done(["table", "list", "--lake", parts, "--json"])) as Row[];
    assert.deepEqual(
      tables.map((row) => row["table"]),
      [...TABLE_NAMES],
    );
    const counted = await askOne(parts, "select count(*) as n from silver_readings");
    assert.equal(tables.find((row) => row["table"] === "silver/readings")?.["rows"], counted["n"]);
    const text = await done(["table", "history", "bronze/readings", "--lake", parts, "--json"]);
    const history = JSON.parse(text) as Row[];
    const versions = history.map((row) => Number(row["version"]));
    assert.deepEqual(
      versions,
      versions.map((_, place) => versions.length - 1 - place),
    );
    assert.ok(history.slice(0, -1).every((row) => row["operation"] === "INGEST"));
    assert.match(await done(["table", "history", "bronze/readings", "--lake", parts]), /^version +committed/);
  });

  test("doctor finds lake, tables and log in order", async () => {
    const findings = JSON.parse(await done(["doctor", "--lake", parts, "--json"])) as Row[];
    const states = new Map(findings.map((row) => [row["what"], row["state"]]));
    for (const what of ["lake", "engine", "log", ...TABLE_NAMES]) assert.equal(states.get(what), "ok", what);
    const log = findings.find((row) => row["what"] === "log");
    assert.match(String(log?.["found"]), /, 0 messages not yet in bronze$/);
  });
});

describe("sql", { concurrency: 2 }, () => {
  const sql = (query: string, ...more: readonly string[]): Promise<Ended> =>
    atrium(["sql", "--lake", whole, ...more, query]);

  test("answers as a table, as JSON and as CSV", async () => {
    const query = `select 'a,"b' as text, 1.5 as number, null as nothing, date '2013-08-26' as day`;
    assert.deepEqual(JSON.parse((await sql(query, "--json")).stdout), [
      { text: 'a,"b', number: 1.5, nothing: null, day: "2013-08-26" },
    ]);
    assert.equal((await sql(query, "--csv")).stdout, 'text,number,nothing,day\n"a,""b",1.5,,2013-08-26\n');
    assert.match((await sql(query)).stdout, /^text +number +nothing +day\n-+.*\na,"b +1\.5 +2013-08-26\n$/);
    assertOneError(await sql(query, "--json", "--csv"), "USAGE_INVALID", /--json and --csv/);
  });

  test("says when it shows the first rows only", async () => {
    const ended = await sql("select * from silver_readings", "--rows", "2", "--csv");
    assert.equal(ended.stdout.trimEnd().split("\n").length, 3);
    assert.match(ended.stderr, /^Only the first 2 rows are shown/);
  });

  test("reads any version of a table that is still there", async () => {
    const count = async (version: number): Promise<number> => {
      const [row] = await ask(parts, "select count(*) as n from bronze_readings", version);
      return Number(row?.["n"]);
    };
    const newest = await askOne(parts, "select count(*) as n from bronze_readings");
    const counts = [await count(0), await count(1), await count(2)];
    assert.equal(counts[0], 0);
    assert.ok(
      0 < counts[1]! && counts[1]! < counts[2]! && counts[2]! < Number(newest["n"]),
      counts.join(" "),
    );
  });

  test("refuses to write, to leave the lake, and more than one statement", async () => {
    const out = join(folder.path, "out.csv");
    const secret = join(folder.path, "secret.txt");
    await writeFile(secret, "secret");
    const refused = [
      `copy silver_readings to '${out}'`,
      `create table kept as select 1`,
      `attach '${join(folder.path, "kept.db")}' as kept`,
      `set memory_limit = '100GB'`,
      `select content from read_text('${secret}')`,
      `select * from read_text('/etc/hostname')`,
      `select * from read_text('${join(parts, "_atrium/lake.json")}')`,
      `select * from read_blob('${join(parts, "_log/log.db")}')`,
      `select 1; select 2`,
    ];
    for (const query of refused) {
      const ended = await sql(query);
      assertOneError(ended, "QUERY_INVALID", /./);
      assert.doesNotMatch(ended.stdout + ended.stderr, /^secret$/m);
    }
    assert.ok(!existsSync(out) && !existsSync(join(folder.path, "kept.db")));
  });
});

/** Runs one part on the lake of the parts; its summary is JSON. */
async function part(args: readonly string[]): Promise<string> {
  return done([...args, "--lake", parts, "--json"], { env: QUIET });
}

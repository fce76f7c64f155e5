// `atrium doctor` on a lake as it is filled step by step, and then damaged.

import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TABLE_NAMES } from "../../src/reading/tables.ts";
import { commitFile, newestVersion } from "../support/damaged-lake.ts";
import { askOne, generateRaw, QUIET } from "../support/lake-folder.ts";
import { atrium, done, temporaryFolder } from "../support/program.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let lake = "";

before(async () => {
  folder = await temporaryFolder();
  lake = join(folder.path, "lake");
  const raw = join(folder.path, "raw");
  await generateRaw(raw, ["--rooms", "1", "--days", "1", "--seed", "3", "--faults"]);
  await done(["replay", "--raw", raw, "--lake", lake, "--replay-mode", "max"], { env: QUIET });
});
after(async () => folder[Symbol.asyncDispose]());

/** What doctor says, by what it is about; every line has its state, and the texts begin in one column. */
async function doctor(): Promise<{ code: number | null; lines: ReadonlyMap<string, string> }> {
  const { code, stdout } = await atrium(["doctor", "--lake", lake]);
  const lines = stdout.trimEnd().split("\n");
  const parts = lines.map((line) => /^(ok|warn|fail) +([^:]+): +(.*)$/.exec(line));
  assert.ok(
    parts.every((part) => part !== null),
    stdout,
  );
  return { code, lines: new Map(parts.map((part) => [part[2]!, `${part[1]} ${part[3]}`])) };
}

test("says how far every stage is behind the one before it, from the log to gold", async () => {
  await done(["refine", "--once", "--lake", lake]).catch(() => "there is no lake yet");
  await done(["ingest", "--once", "--lake", lake, "--batch-rows", "10000"], { env: QUIET });
  const bronze = await doctor();
  assert.equal(bronze.code, 0);
  assert.match(bronze.lines.get("program") ?? "", /, lake format 1, Delta reader 1 and writer 2, Node \d+\./);
  assert.match(bronze.lines.get("lake") ?? "", /^ok .*\/lake, format 1$/);
  assert.match(
    bronze.lines.get("log") ?? "",
    /^ok .*, format 1, .* MB of 4,096 MB used, 0 messages not yet in bronze$/,
  );
  // Version 0 is the making of the table: it brings no row.
  const versions = await newestVersion(lake, "bronze/readings");
  assert.equal(bronze.lines.get("to silver"), `ok ${versions} bronze versions not yet in silver`);
  assert.equal(bronze.lines.get("to gold"), "ok nothing in silver yet");
  await done(["refine", "--once", "--lake", lake], { env: QUIET });
  const silver = await doctor();
  assert.equal(silver.lines.get("to silver"), "ok silver has all of bronze");
  assert.match(silver.lines.get("to gold") ?? "", /^ok [12] days? to be made, from \d{4}-\d\d-\d\d$/);
  await done(["gold", "--lake", lake], { env: QUIET });
  const gold = await doctor();
  assert.equal(gold.lines.get("to gold"), "ok gold has all of silver");
  assert.equal(gold.lines.get("restatements"), "ok all of gold/room_daily looked at");
});

test("tells each table's version, rows, files, bytes and age, the disk, and why messages were rejected", async () => {
  const { lines } = await doctor();
  for (const name of TABLE_NAMES) {
    const line =
      /^ok version +\d+ +[\d,]+ rows? +[\d,]+ files? +[\d,]+ small +[\d.,]+ MB +\d+ \w+ old +log from 0$/;
    assert.match(lines.get(name) ?? "", line, name);
  }
  assert.match(
    lines.get("disk") ?? "",
    /MB free for .* which takes [\d.]+ MB: [\d.]+ MB in tables, [\d.]+ MB in the log$/,
  );
  const { n } = await askOne(lake, "select count(*) as n from bronze_rejected");
  assert.match(lines.get("rejected") ?? "", new RegExp(`^ok ${String(n)} messages: \\d+ \\w+`));
  assert.equal(lines.get("holds"), "ok none");
});

test("fails where a table has lost commits that another one has taken", async () => {
  await rm(commitFile(lake, "bronze/readings", await newestVersion(lake, "bronze/readings")));
  const { code, lines } = await doctor();
  assert.equal(code, 1);
  assert.match(lines.get("to silver") ?? "", /^fail .*newest commits of bronze\/readings are missing/);
});

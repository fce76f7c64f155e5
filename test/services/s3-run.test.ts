// The whole flow on S3: raw files and lake in buckets, the same tables as in a folder, asked and looked after.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { makeReference, type Reference, type RunReport } from "../support/lake-folder.ts";
import { atrium, done } from "../support/program.ts";
import { type S3Fixture, s3Fixture, testStore } from "../support/s3.ts";
import { withoutServices } from "../support/services.ts";

const skip = await withoutServices("s3");
const LAKE = "s3://lake/building";
const BATCHES = ["--batch-rows", "20000"];
const TABLES = [
  "bronze/readings",
  "bronze/rejected",
  "silver/readings",
  "gold/sensor_hourly",
  "gold/room_daily",
  "gold/sensor_daily",
];

describe("a lake on S3", { skip }, () => {
  let fixture: S3Fixture;
  let reference: Reference;
  let env: Record<string, string>;

  before(async () => {
    fixture = await s3Fixture();
    env = { ...fixture.env, LOG_LEVEL: "error" };
    reference = await makeReference(["--rooms", "2", "--days", "2", "--seed", "7", "--faults"], BATCHES);
    const raw = testStore(fixture, "s3://raw/KETI");
    for (const entry of await readdir(reference.raw, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const file = join(entry.parentPath, entry.name);
      await raw.put(file.slice(reference.raw.length + 1), await readFile(file));
    }
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
    await reference.folder[Symbol.asyncDispose]();
  });

  test("has the tables that a folder has, from raw files on S3", async () => {
    const run = ["run", "--raw", "s3://raw/KETI/", "--lake", LAKE, "--json", ...BATCHES];
    const report = JSON.parse(await done(run, { env })) as RunReport;
    assert.equal(report.messages, reference.messages);
    const again = JSON.parse(await done(run, { env })) as RunReport;
    assert.equal(again.messages, 0);
    for (const table of TABLES) {
      const text = await done(["table", "diff", table, "--lake", LAKE, "--with", reference.reference], {
        env,
      });
      assert.match(text, /the same [\d,]+ rows in both/);
      const other = await done(["table", "diff", table, "--lake", reference.reference, "--with", LAKE], {
        env,
      });
      assert.match(other, /the same [\d,]+ rows in both/);
    }
  });

  test("answers queries with an empty cache, and cannot be led to read anything else", async () => {
    const cold = { ...env, CACHE_DIR: join(fixture.folder, "cold") };
    const sql = (text: string) => atrium(["sql", "--lake", LAKE, "--csv", text], { env: cold });
    const answer = await sql("select count(*) from bronze_readings");
    assert.equal(answer.code, 0, answer.stderr);
    assert.match(answer.stdout, /\d{5}/);
    const denied = await sql(`select * from read_csv('${join(reference.raw, "faults.csv")}')`);
    assert.equal(denied.code, 2);
    assert.match(denied.stderr, /error QUERY_INVALID: Permission Error/);
  });

  test("is verified, compacted, vacuumed and erased from as in a folder", async () => {
    assert.equal((await atrium(["verify", "--lake", LAKE], { env })).code, 0);
    await done(["upkeep", "--lake", LAKE], { env });
    await done(["table", "compact", "--lake", LAKE], { env });
    await done(["table", "vacuum", "--lake", LAKE], { env });
    const verified = await atrium(["verify", "--lake", LAKE], { env });
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    const [room] = JSON.parse(
      await done(["sql", "--lake", LAKE, "--json", "select min(room) as room from silver_readings"], { env }),
    ) as { readonly room: string }[];
    await done(["erase", "--lake", LAKE, "--room", room?.room ?? "", "--yes"], { env });
    const left = await done(
      ["sql", "--lake", LAKE, "--csv", `select count(*) from bronze_readings where room = '${room?.room}'`],
      { env },
    );
    assert.match(left, /\n0\s*$/);
  });

  test("needs a place for the embedded log, and says so before it makes anything", async () => {
    const { LOG_PATH: _path, ...without } = env;
    const ended = await atrium(["run", "--raw", reference.raw, "--lake", "s3://lake/none"], { env: without });
    assert.equal(ended.code, 2);
    assert.match(ended.stderr, /^error CONFIG_INVALID: LOG_PATH is not set: the lake is on S3/);
    assert.deepEqual(await testStore(fixture, "s3://lake/none").list(""), []);
  });
});

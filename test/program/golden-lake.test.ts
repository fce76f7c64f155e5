// Stored formats: lakes that earlier versions wrote are read, verified and gone on with. They are made by make-lake and never changed.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { describeLake } from "../support/golden-lake.ts";
import { askOne, generateRaw, QUIET, runAll } from "../support/lake-folder.ts";
import { atrium, done, temporaryFolder } from "../support/program.ts";

const FOLDER = join(import.meta.dirname, "../golden");
const lakes = readdirSync(FOLDER).filter((name) => existsSync(join(FOLDER, name, "_atrium/lake.json")));

test("there is a golden lake of every version of the stored formats", () => {
  assert.ok(lakes.includes("lake-v1"), lakes.join());
});

for (const name of lakes) {
  const expected = JSON.parse(readFileSync(join(FOLDER, `${name}.json`), "utf8")) as unknown;

  test(`${name} reads as it did when it was written, and verify finds nothing wrong`, async () => {
    await using folder = await temporaryFolder();
    const lake = join(folder.path, "lake");
    await cp(join(FOLDER, name), lake, { recursive: true });
    assert.deepEqual(await describeLake(lake), expected);
    const verified = await atrium(["verify", "--lake", lake], { env: QUIET });
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  });

  test(`${name} is gone on with: new readings, late ones, upkeep`, async () => {
    await using folder = await temporaryFolder();
    const lake = join(folder.path, "lake");
    const raw = join(folder.path, "raw");
    await cp(join(FOLDER, name), lake, { recursive: true });
    await generateRaw(raw, ["--rooms", "1", "--days", "3", "--seed", "12"]);
    const before = await askOne(lake, "select count(*) as n from silver_readings");
    const report = await runAll(raw, lake, ["--restart"]);
    assert.ok(report.silver > 0);
    const after = await askOne(lake, "select count(*) as n from silver_readings");
    assert.equal(after["n"], Number(before["n"]) + report.silver);
    await done(["table", "compact", "--lake", lake], { env: QUIET });
    const verified = await atrium(["verify", "--lake", lake], { env: QUIET });
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  });
}

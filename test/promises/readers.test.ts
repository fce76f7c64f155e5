// Promise 6: who reads while others write sees whole commits, and sees them again by their version.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import {
  ask,
  assertSameRows,
  commitsOf,
  generateRaw,
  QUIET,
  type Row,
  runAll,
} from "../support/lake-folder.ts";
import { mustReach } from "../support/moments.ts";
import { done, start, temporaryFolder } from "../support/program.ts";
import { lakeIn } from "../support/world.ts";

const TABLE = "bronze/readings";
const BATCHES = ["--batch-rows", "2000", "--bronze-partition-by", "event_date"];

test("what a reader sees beside a run is whole, only grows, and stays to be read by its version", async () => {
  await using folder = await temporaryFolder();
  const raw = join(folder.path, "raw");
  const [lake, reference] = [lakeIn(folder.path, "lake"), lakeIn(folder.path, "reference")];
  await generateRaw(raw, ["--rooms", "1", "--days", "1", "--seed", "13"]);
  const run = start(["run", "--raw", raw, "--lake", lake, ...BATCHES], { env: QUIET });
  const seen: { version: number; rows: number; positions: number }[] = [];
  for (const commits of [2, 5, 8]) {
    await mustReach(run, () => commitsOf(lake, TABLE) >= commits);
    // The writer stands still in the middle of its work while the reader looks: however slow, it looks beside it.
    run.child.kill("SIGSTOP");
    try {
      assert.equal(run.child.exitCode, null, run.output());
      const version = Number((await bronzeOf(lake))["version"]);
      const [row] = await ask(
        lake,
        `select count(*) as rows, count(distinct (topic, "partition", "offset")) as positions from bronze_readings`,
        version,
      );
      seen.push({ version, rows: Number(row?.["rows"]), positions: Number(row?.["positions"]) });
    } finally {
      run.child.kill("SIGCONT");
    }
  }
  assert.equal((await run.ended).code, 0, run.output());
  for (const [index, { rows, positions }] of seen.entries()) {
    assert.equal(rows, positions);
    assert.ok(rows > 0 && rows >= (seen[index - 1]?.rows ?? 0), JSON.stringify(seen));
  }
  const after = await bronzeOf(lake);
  assert.ok(Number(after["rows"]) > seen[0]!.rows);
  for (const { version, rows } of seen) {
    const [row] = await ask(lake, "select count(*) as rows from bronze_readings", version);
    assert.equal(row?.["rows"], rows, `version ${version}`);
  }
  await runAll(raw, reference);
  await assertSameRows(lake, reference);
});

/** What `table list` says of bronze/readings. */
async function bronzeOf(lake: string): Promise<Row> {
  const rows = JSON.parse(await done(["table", "list", "--lake", lake, "--json"])) as Row[];
  return rows.find((row) => row["table"] === TABLE) ?? assert.fail(`no ${TABLE}`);
}

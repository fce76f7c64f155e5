// Promise 2: of two processes that do the same work at once, one is refused, and nothing is doubled or lost.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  assertEachMessageOnce,
  assertSameRows,
  commitsOf,
  isTransforming,
  QUIET,
  runAll,
  makeReference,
  type Reference,
} from "../support/lake-folder.ts";
import { mustReach } from "../support/moments.ts";
import { assertOneError } from "../support/one-error.ts";
import { haltedAt } from "../support/preloaded.ts";
import { atrium, done, type Ended, start } from "../support/program.ts";
import { lakeIn } from "../support/world.ts";

/** Many small batches, so that two processes are sure to meet. */
const SMALL = ["--batch-rows", "5000"];
const BY_DAY = ["--bronze-partition-by", "event_date"];

let folder: Reference["folder"];
let raw = "";
let reference = "";
let messages = 0;

before(async () => {
  ({ folder, raw, reference, messages } = await makeReference(
    ["--rooms", "1", "--days", "2", "--seed", "6", "--faults"],
    BY_DAY,
  ));
});
after(async () => folder[Symbol.asyncDispose]());

test("of two ingests at once one stops with COMMIT_OVERTAKEN, and bronze has every message once", async () => {
  const lake = await lakeWithFullLog("two-ingests");
  const ingest = ["ingest", "--once", "--lake", lake, ...SMALL, ...BY_DAY];
  assertOneOvertaken(await Promise.all([atrium(ingest, { env: QUIET }), atrium(ingest, { env: QUIET })]));
  await assertEachMessageOnce(lake, messages);
  await assertSameRows(lake, reference, ["bronze/readings", "bronze/rejected"]);
});

test("of two refines at once one stops with COMMIT_OVERTAKEN, and silver has every reading once", async () => {
  const lake = await lakeWithFullLog("two-refines");
  await done(["ingest", "--once", "--lake", lake, ...SMALL, ...BY_DAY], { env: QUIET });
  const refine = ["refine", "--once", "--lake", lake, ...SMALL];
  assertOneOvertaken(await Promise.all([atrium(refine, { env: QUIET }), atrium(refine, { env: QUIET })]));
  await assertSameRows(lake, reference, ["silver/readings"]);
});

test("an ingest that slept while another did its work is refused when it wakes", async () => {
  const lake = await lakeWithFullLog("sleeper");
  const ingest = ["ingest", "--once", "--lake", lake, ...SMALL, ...BY_DAY];
  const sleeper = start(ingest, { env: QUIET });
  // In the middle of a transform it holds no lock of the log, and its batch is not committed.
  await mustReach(sleeper, () => commitsOf(lake, "bronze/readings") >= 3 && isTransforming(lake));
  sleeper.child.kill("SIGSTOP");
  const other = await atrium(ingest, { env: QUIET }).finally(() => sleeper.child.kill("SIGCONT"));
  assert.equal(other.code, 0, other.stderr);
  assertOneError(await sleeper.ended, "COMMIT_OVERTAKEN", /bronze\/(readings|rejected)/);
  await assertEachMessageOnce(lake, messages);
  await assertSameRows(lake, reference, ["bronze/readings", "bronze/rejected"]);
});

test("a replay that slept while another sent the same files is refused when it wakes, and the log has every message once", async () => {
  const lake = lakeIn(folder.path, "two-replays");
  const replay = ["replay", "--raw", raw, "--lake", lake, "--replay-mode", "max"];
  const sleeper = await haltedAt(replay, "replay/sent", folder.path);
  const other = await atrium(replay, { env: QUIET }).finally(() => sleeper.child.kill("SIGCONT"));
  assert.equal(other.code, 0, other.stderr);
  assertOneError(
    await sleeper.ended,
    "COMMIT_OVERTAKEN",
    /Another (replay is feeding this log|process appends as replay-)/,
  );
  assert.equal((await atrium(replay, { env: QUIET })).code, 0);
  await runAll(raw, lake, BY_DAY);
  await assertEachMessageOnce(lake, messages);
  await assertSameRows(lake, reference);
});

test("two runs at once, whose replays send the same files, leave every message once", async () => {
  const lake = lakeIn(folder.path, "two-runs");
  const run = ["run", "--raw", raw, "--lake", lake, ...SMALL, ...BY_DAY];
  const both = await Promise.all([atrium(run, { env: QUIET }), atrium(run, { env: QUIET })]);
  for (const ended of both) {
    if (ended.code !== 0) assert.match(ended.stderr, /^error (COMMIT_OVERTAKEN|COMMIT_CONFLICT): [^\n]+\n$/);
  }
  await runAll(raw, lake, BY_DAY);
  await assertEachMessageOnce(lake, messages);
  await assertSameRows(lake, reference, [
    "bronze/readings",
    "bronze/rejected",
    "silver/readings",
    "gold/sensor_hourly",
    "gold/sensor_daily",
  ]);
});

/** A lake whose log holds all messages, and whose tables do not exist yet. */
async function lakeWithFullLog(name: string): Promise<string> {
  const lake = lakeIn(folder.path, name);
  await done(["replay", "--raw", raw, "--lake", lake, "--replay-mode", "max"], { env: QUIET });
  return lake;
}

function assertOneOvertaken(both: readonly Ended[]): void {
  const said = both.map(({ code, stderr }) => `${code}: ${stderr}`).join("\n");
  assert.deepEqual(new Set(both.map((ended) => ended.code)), new Set([0, 1]), said);
  const loser = both.find((ended) => ended.code === 1)!;
  assertOneError(loser, "COMMIT_OVERTAKEN", /Another writer .* restart this one/);
}

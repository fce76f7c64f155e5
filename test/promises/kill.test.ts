// Promises 1, 2 and 6: `run` is killed again and again with SIGKILL, and the lake ends as if it never had been.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { seededChance } from "../../src/support/chance.ts";
import {
  assertEachMessageOnce,
  assertSameRows,
  commitsOf,
  dataFilesOf,
  filesIn,
  isTransforming,
  logBytes,
  QUIET,
  runAll,
  makeReference,
  type Reference,
} from "../support/lake-folder.ts";
import { endAt } from "../support/moments.ts";
import { start } from "../support/program.ts";

const KILLS = 10;
/** A moment close to the end may pass before the signal arrives: so many may be missed. */
const MISSED_MAX = 3;
/** Many small batches, so that most moments lie between commits. */
const BATCHES = ["--batch-rows", "5000", "--bronze-partition-by", "event_date"];

let folder: Reference["folder"];
let raw = "";
let reference = "";
let messages = 0;

before(async () => {
  ({ folder, raw, reference, messages } = await makeReference(
    ["--rooms", "2", "--days", "1", "--seed", "9", "--faults"],
    BATCHES,
  ));
});
after(async () => folder[Symbol.asyncDispose]());

test("killed at ten moments between the first message in the log and the last commit of gold, nothing is lost or doubled", async () => {
  const lake = join(folder.path, "moments");
  const bronze = (): number => commitsOf(lake, "bronze/readings");
  const silver = (): number => commitsOf(lake, "silver/readings");
  // Version 0 is the making of a table, so the n-th commit of data is the file n + 1.
  const moments: Readonly<Record<string, () => boolean>> = {
    "the log is being made": () => logBytes(lake) > 0,
    "some messages are in the log": () => logBytes(lake) > 100_000,
    "bronze has data files that no commit names": () => dataFilesOf(lake, "bronze/readings") > 0,
    "bronze has its first batch": () => bronze() >= 2,
    "rejected messages are committed, their batch perhaps not": () => commitsOf(lake, "bronze/rejected") >= 4,
    "silver is being written": () => silver() >= 1 && isTransforming(lake),
    "silver has half of the batches": () => silver() >= 14,
    "bronze has most of them": () => bronze() >= 24,
    "hourly gold is made, daily is not": () => commitsOf(lake, "gold/sensor_hourly") >= 2,
    "daily gold is made, that of rooms is not": () => commitsOf(lake, "gold/sensor_daily") >= 2,
  };
  assert.equal(Object.keys(moments).length, KILLS);
  await killAndFinish(lake, Object.values(moments));
});

test("killed at ten random moments, nothing is lost or doubled", async () => {
  const lake = join(folder.path, "random");
  const chance = seededChance(20130823);
  const step = filesIn(reference) / KILLS;
  const moments = Array.from({ length: KILLS }, () => {
    const wanted = 1 + chance.below(Math.ceil(step * 2));
    let before: number | undefined;
    return () => filesIn(lake) - (before ??= filesIn(lake)) >= wanted;
  });
  await killAndFinish(lake, moments);
});

/** Runs to each moment and kills there, on one lake; then runs to the end, and compares all tables with the reference. */
async function killAndFinish(lake: string, moments: readonly (() => boolean)[]): Promise<void> {
  let killed = 0;
  for (const moment of moments) {
    const running = start(["run", "--raw", raw, "--lake", lake, ...BATCHES], { env: QUIET });
    const ended = await endAt(running, "SIGKILL", moment);
    if (ended?.signal === "SIGKILL") killed += 1;
    // Whatever the kill left behind, the next run must not stumble over it.
    else assert.equal((await running.ended).code, 0, running.output());
  }
  assert.ok(killed >= KILLS - MISSED_MAX, `only ${killed} of ${KILLS} moments were reached`);
  await runAll(raw, lake, BATCHES);
  await assertEachMessageOnce(lake, messages);
  await assertSameRows(lake, reference);
}

// Promise 1 for a stop that is asked for: SIGTERM or SIGINT ends every command with 0, and the next one goes on from there.
//
// The program itself ends with 1 when it takes more than 5 s to stop, so the exit code 0 stands for the time limit.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  assertEachMessageOnce,
  assertSameRows,
  commitsOf,
  QUIET,
  runAll,
  makeReference,
  type Reference,
} from "../support/lake-folder.ts";
import { endAt } from "../support/moments.ts";
import { done, type Ended, start } from "../support/program.ts";
import { lakeIn, logBytes } from "../support/world.ts";

const BATCHES = ["--batch-rows", "10000", "--bronze-partition-by", "event_date"];
/** With debug lines a process shows that it is at work: before that, it may not yet listen to signals. */
const HEARD = { env: { LOG_LEVEL: "debug" } };
const AT_WORK = /"msg":"(log opened|refined)"/;

let folder: Reference["folder"];
let raw = "";
let reference = "";
let messages = 0;

before(async () => {
  ({ folder, raw, reference, messages } = await makeReference(
    ["--rooms", "2", "--days", "1", "--seed", "7"],
    BATCHES,
  ));
});
after(async () => folder[Symbol.asyncDispose]());

test("run, stopped by SIGTERM and SIGINT at different times, ends with 0, and a last run completes the lake", async () => {
  const lake = lakeIn(folder.path, "run");
  const moments: readonly (readonly [NodeJS.Signals, () => boolean])[] = [
    ["SIGTERM", () => logBytes(lake) > 0],
    ["SIGINT", () => logBytes(lake) > 100_000],
    ["SIGTERM", () => commitsOf(lake, "bronze/readings") >= 3],
    ["SIGINT", () => commitsOf(lake, "silver/readings") >= 4],
    ["SIGTERM", () => commitsOf(lake, "bronze/readings") >= 9],
  ];
  for (const [signal, moment] of moments) {
    const ended = await stopsWithZero(
      ["run", "--raw", raw, "--lake", lake, "--json", ...BATCHES],
      signal,
      moment,
    );
    assert.match(ended.stderr, /^Stopped before the end; the next run goes on from here\.$/m);
    // What it prints is whole.
    JSON.parse(ended.stdout);
  }
  await runAll(raw, lake, BATCHES);
  await assertEachMessageOnce(lake, messages);
  await assertSameRows(lake, reference);
});

test("the stages as processes of their own, each stopped in its work, leave nothing out", async () => {
  const lake = lakeIn(folder.path, "stages");
  const replay = ["replay", "--raw", raw, "--lake", lake];
  const paced = [...replay, "--replay-mode", "rate", "--rate-msg-per-sec", "20000"];
  await stopsWithZero(paced, "SIGINT", () => logBytes(lake) > 150_000);
  await stopsWithZero([...replay, "--replay-mode", "max"], "SIGTERM", () => logBytes(lake) > 250_000);
  await done([...replay, "--replay-mode", "max"], { env: QUIET });
  const ingest = ["ingest", "--lake", lake, ...BATCHES];
  await stopsWithZero(ingest, "SIGTERM", () => commitsOf(lake, "bronze/readings") >= 3);
  await stopsWithZero(ingest, "SIGINT", () => commitsOf(lake, "bronze/readings") >= 7);
  await done([...ingest, "--once"], { env: QUIET });
  const refine = ["refine", "--lake", lake, "--batch-rows", "10000"];
  await stopsWithZero(refine, "SIGINT", () => commitsOf(lake, "silver/readings") >= 3);
  await stopsWithZero(refine, "SIGTERM", () => commitsOf(lake, "silver/readings") >= 7);
  await done([...refine, "--once"], { env: QUIET });
  await done(["gold", "--lake", lake], { env: QUIET });
  await assertEachMessageOnce(lake, messages);
  await assertSameRows(lake, reference);
});

test("an ingest that waits for work stops at once", async () => {
  const lake = lakeIn(folder.path, "idle");
  await runAll(raw, lake, BATCHES);
  const ingest = start(["ingest", "--lake", lake], HEARD);
  const stopped = await endAt(ingest, "SIGTERM", () => AT_WORK.test(ingest.output()));
  assert.deepEqual([stopped?.code, stopped?.stdout], [0, "0 readings, 0 rejected.\n"], ingest.output());
  await assertEachMessageOnce(lake, messages);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`serve ends with 0 on ${signal}`, async () => {
    const serve = start(["serve", "--lake", reference, "--api-port", "0"], { env: QUIET });
    const ended = await endAt(serve, signal, () => serve.output().includes("Listening on "));
    assert.deepEqual([ended?.code, ended?.stderr], [0, ""], serve.output());
  });
}

test("up, stopped while it replays, ends with 0, and a run completes the lake", async () => {
  const lake = lakeIn(folder.path, "up");
  const pace = ["--replay-mode", "rate", "--rate-msg-per-sec", "30000", "--batch-seconds", "0.2"];
  const up = ["up", "--raw", raw, "--lake", lake, "--api-port", "0", ...pace, ...BATCHES];
  await stopsWithZero(up, "SIGTERM", () => commitsOf(lake, "silver/readings") >= 3);
  await stopsWithZero(up, "SIGINT", () => commitsOf(lake, "silver/readings") >= 6);
  await runAll(raw, lake, BATCHES);
  await assertEachMessageOnce(lake, messages);
  await assertSameRows(lake, reference, ["bronze/readings", "silver/readings", "gold/sensor_hourly"]);
});

/** Starts a command, sends it the signal at the moment, and fails unless it then ends with 0 and says nothing of an error. */
async function stopsWithZero(
  args: readonly string[],
  signal: NodeJS.Signals,
  moment: () => boolean,
): Promise<Ended> {
  const running = start(args, HEARD);
  const ended = await endAt(running, signal, () => moment() && AT_WORK.test(running.output()));
  assert.ok(ended, `${args[0]} ended before it was asked to: ${running.output()}`);
  assert.deepEqual([ended.code, ended.signal], [0, null], running.output());
  assert.doesNotMatch(ended.stderr, /^error|did not stop/m);
  return ended;
}

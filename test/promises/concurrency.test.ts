// Promises 2 and 6: replay, ingest, refine, gold, upkeep and readers on one lake at once, each a process of its own, are in
// nobody's way: readers see no error and no torn version, and the tables end as if one had come after the other.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { TableName } from "../../src/reading/tables.ts";
import {
  ask,
  askOne,
  assertEachMessageOnce,
  assertSameRows,
  commitsOf,
  generateRaw,
  QUIET,
  runAll,
} from "../support/lake-folder.ts";
import { ageFiles, unnamedFiles } from "../support/leftovers.ts";
import { mustReach } from "../support/moments.ts";
import { atrium, done, start, temporaryFolder, type Running } from "../support/program.ts";
import { lakeIn, storeOf } from "../support/world.ts";

const BATCHES = ["--batch-rows", "5000", "--bronze-partition-by", "event_date"];
/** So many files of dead writers are there when all begins: vacuum has something to do. */
const LITTER = 12;
/** Nobody makes so many rounds before the messages are through, unless something hangs. */
const ROUNDS_MAX = 300;

/** What must not depend on how often gold was made. */
const COMPARED: readonly TableName[] = [
  "bronze/readings",
  "bronze/rejected",
  "silver/readings",
  "gold/sensor_hourly",
  "gold/sensor_daily",
];

test("all of it at once, in many processes, ends in the tables of one after the other, and readers see whole versions", async () => {
  await using folder = await temporaryFolder();
  const raw = join(folder.path, "raw");
  const [lake, reference] = [lakeIn(folder.path, "lake"), lakeIn(folder.path, "reference")];
  await generateRaw(raw, ["--rooms", "2", "--days", "1", "--seed", "21", "--faults"]);
  const [first = "", second = ""] = roomsIn(raw);
  const before = await runAll(raw, reference, ["--rooms", first, ...BATCHES]);
  const messages = before.messages + (await runAll(raw, reference, ["--rooms", second, ...BATCHES])).messages;

  // The first room makes all tables; the second one comes in while everything else is at work on them.
  await runAll(raw, lake, ["--rooms", first, ...BATCHES]);
  await litter(lake);
  const ingest = start(["ingest", "--lake", lake, ...BATCHES], { env: QUIET });
  const refine = start(["refine", "--lake", lake, "--batch-rows", "5000"], { env: QUIET });
  const serve = start(["serve", "--lake", lake, "--api-port", "0"], { env: QUIET });
  try {
    await mustReach(serve, () => /Listening on \S+/.test(serve.output()));
    const address = /Listening on (\S+)/.exec(serve.output())?.[1] ?? "";
    await allAtOnce({ lake, raw, room: second, address, messages });
  } finally {
    for (const { child } of [ingest, refine, serve]) child.kill("SIGTERM");
  }
  for (const running of [ingest, refine, serve]) await assertEndsWell(running);

  await done(["gold", "--lake", lake], { env: QUIET }).catch(() => undefined);
  await runAll(raw, lake, BATCHES);
  await assertEachMessageOnce(lake, messages);
  await assertSameRows(lake, reference, COMPARED);
  const daily = "select * exclude (created_at, revision) from gold_room_daily order by event_date, room";
  assert.deepEqual(await ask(lake, daily), await ask(reference, daily));
  assert.deepEqual(
    unnamedFiles(lake).filter((file) => file.includes("litter")),
    [],
  );
});

interface Work {
  readonly lake: string;
  readonly raw: string;
  readonly room: string;
  readonly address: string;
  readonly messages: number;
}

/**
 * Gold, upkeep and readers go round and round. When each has been round once the second room is sent, and when all of it is
 * in silver each goes round once more.
 */
async function allAtOnce({ lake, raw, room, address, messages }: Work): Promise<void> {
  const rounds = { gold: 0, upkeep: 0, sql: 0, http: 0 };
  const underWay = Promise.withResolvers<void>();
  let isEnough = false;
  const loop = async (name: keyof typeof rounds, round: () => Promise<void>): Promise<void> => {
    try {
      for (let wasEnough = false; !wasEnough && rounds[name] < ROUNDS_MAX; rounds[name] += 1) {
        wasEnough = isEnough;
        await round();
        if (Object.values(rounds).every((count) => count > 0)) underWay.resolve();
      }
    } finally {
      isEnough = true;
      underWay.resolve();
    }
  };
  const reader = sqlReader(lake);
  const bronzeBefore = commitsOf(lake, "bronze/readings");
  const send = async (): Promise<void> => {
    await underWay.promise;
    const args = ["replay", "--raw", raw, "--rooms", room, "--lake", lake, "--replay-mode", "max"];
    await done(args, { env: QUIET });
  };
  await Promise.all([
    send(),
    loop("gold", async () => makeGold(lake)),
    loop("upkeep", async () => keepUp(lake)),
    loop("http", async () => readOverHttp(address)),
    loop("sql", async () => {
      if ((await reader()) === messages) isEnough = true;
    }),
  ]);
  assert.ok(commitsOf(lake, "bronze/readings") - bronzeBefore >= 2, JSON.stringify(rounds));
  assert.ok(Math.max(...Object.values(rounds)) < ROUNDS_MAX, `never ended: ${JSON.stringify(rounds)}`);
}

/** Compaction of a day that gold replaces is a race that gold may lose; then it has written nothing. */
async function makeGold(lake: string): Promise<void> {
  const ended = await atrium(["gold", "--lake", lake], { env: QUIET });
  if (ended.code === 1) assert.match(ended.stderr, /^error COMMIT_CONFLICT: [^\n]+\n$/);
  else assert.ok(ended.code === 0 || ended.code === 99, ended.stderr);
}

async function keepUp(lake: string): Promise<void> {
  const ended = await atrium(["upkeep", "--lake", lake, "--grace-hours", "0.1"], { env: QUIET });
  assert.ok(ended.code === 0 || ended.code === 99, ended.stderr);
}

/** A reader: each look sees whole batches, and all that the look before it saw. Returns the messages that are through. */
function sqlReader(lake: string): () => Promise<number> {
  let seen = { bronze: 0, silver: 0 };
  return async () => {
    const row = await askOne(
      lake,
      `select (select count(*) from silver_readings) as silver,
        (select count(distinct (sensor_id, ts_utc)) from silver_readings) as silver_keys,
        (select count(*) from bronze_readings) as bronze,
        (select count(distinct (topic, "partition", "offset")) from bronze_readings) as bronze_positions,
        (select count(*) from bronze_rejected) as rejected`,
    );
    const { silver, bronze, rejected } = row as Record<"silver" | "bronze" | "rejected", number>;
    assert.equal(row["bronze_positions"], bronze, JSON.stringify(row));
    assert.equal(row["silver_keys"], silver, JSON.stringify(row));
    assert.ok(
      bronze >= seen.bronze && silver >= seen.silver,
      `${JSON.stringify(row)} after ${JSON.stringify(seen)}`,
    );
    seen = { bronze, silver };
    return bronze + rejected;
  };
}

async function readOverHttp(address: string): Promise<void> {
  for (const path of ["/v1/kpis/daily", "/v1/rooms", "/v1/readings?limit=1000", "/health/ready"]) {
    const answer = await fetch(`${address}${path}`);
    const text = await answer.text();
    assert.equal(answer.status, 200, `${path}: ${text}`);
    if (path !== "/v1/kpis/daily") continue;
    const rows = (JSON.parse(text) as { data?: readonly { room: string; event_date: string }[] }).data ?? [];
    const keys = rows.map(({ room, event_date: day }) => `${room} ${day}`);
    assert.equal(new Set(keys).size, keys.length, text);
  }
}

function roomsIn(raw: string): readonly string[] {
  const entries = readdirSync(raw, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

/** Files of writers that died long ago, beside the live ones, which look as old. */
async function litter(lake: string): Promise<void> {
  const store = storeOf(lake);
  for (const table of ["bronze/readings", "silver/readings"]) {
    for (let file = 0; file < LITTER; file += 1) {
      await store.put(`${table}/event_date=2013-08-26/litter-${file}.parquet`, Buffer.from("dead"));
    }
  }
  ageFiles(lake);
}

async function assertEndsWell(running: Running): Promise<void> {
  const ended = await running.ended;
  assert.deepEqual([ended.code, ended.stderr], [0, ""], running.output());
}

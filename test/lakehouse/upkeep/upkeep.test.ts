// A whole round of upkeep with the real engine, and the loop that repeats it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { makeGold } from "../../../src/lakehouse/gold/gold.ts";
import type { Lake } from "../../../src/lakehouse/lake.ts";
import { upkeep, type UpkeepOptions, type UpkeepSummary } from "../../../src/lakehouse/upkeep/upkeep.ts";
import { upkeepLoop } from "../../../src/pipeline.ts";
import { TABLE_NAMES } from "../../../src/reading/tables.ts";
import { AtriumError } from "../../../src/support/errors.ts";
import { silentLogger } from "../../../src/support/logger.ts";
import { makeTestLake, message, rows, testClock, type TestLake } from "../../support/lake.ts";

const DAY = 1377302400; // 2013-08-24T00:00:00Z
const DAY_S = 86_400;
const HOUR_MS = 3_600_000;

/** A time that the store's clock has not reached: of the two clocks vacuum goes by the earlier. */
const LATER_MS = Date.UTC(2100, 0, 1);

const rules = (lake: Lake, more: Partial<UpkeepOptions> = {}): UpkeepOptions => ({
  lake,
  logger: silentLogger,
  retentionDays: { bronze: undefined, silver: undefined, gold: undefined, rejected: undefined },
  targetBytes: 256 * 1_048_576,
  graceMs: HOUR_MS,
  signal: new AbortController().signal,
  ...more,
});

const filesOf = ({ tables }: UpkeepSummary): readonly (readonly (number | undefined)[])[] =>
  tables.map(({ retention, compaction, vacuum }) => [
    retention?.filesRemoved,
    compaction?.filesBefore,
    vacuum?.filesRemoved,
  ]);

/** Four days in two batches each, all the way to gold. */
async function filled(lake: TestLake): Promise<void> {
  for (let batch = 0; batch < 2; batch += 1) {
    const days = [0, 1, 2, 3].map((day) => DAY + day * DAY_S + batch * 5);
    await lake.send(days.map((ts) => message("413", "co2", ts, 500)));
    await lake.send([{ key: "413:co2", value: Buffer.from("nothing") }]);
    await lake.ingest();
    await lake.refine();
  }
  await makeGold({ lake: lake.lake, queryTimeoutMs: 60_000 });
}

const ALL = TABLE_NAMES.filter((name) => name !== "gold/restatements").map(
  (name) => `select * from ${name.replace("/", "_")} order by all`,
);
const allRows = async (lake: Lake): Promise<unknown> => Promise.all(ALL.map(async (sql) => rows(lake, sql)));

test("a round leaves all rows as they are, a second one finds nothing to do, and old files go in their time", async () => {
  const clock = testClock();
  await using lake = await makeTestLake({ clock });
  await filled(lake);
  const before = await allRows(lake.lake);
  const first = await upkeep(rules(lake.lake));
  assert.deepEqual([first.failures, first.isAnythingDone], [[], true]);
  assert.deepEqual(await allRows(lake.lake), before);
  assert.equal((await upkeep(rules(lake.lake))).isAnythingDone, false);
  // The files that compaction replaced are young by the store's clock: a grace below nothing makes them old.
  const merged = first.tables.reduce((sum, { compaction }) => sum + (compaction?.filesBefore ?? 0), 0);
  assert.ok(merged >= 12);
  clock.set(LATER_MS);
  const late = await upkeep(rules(lake.lake, { graceMs: -HOUR_MS }));
  assert.equal(
    late.tables.reduce((sum, { vacuum }) => sum + (vacuum?.filesRemoved ?? 0), 0),
    merged,
  );
  assert.deepEqual(await allRows(lake.lake), before);
});

test("days that are too old leave bronze and silver, and gold outlives them", async () => {
  await using lake = await makeTestLake();
  await filled(lake);
  const gold = await lake.rows("select * from gold_sensor_daily order by all");
  const summary = await upkeep(
    rules(lake.lake, { retentionDays: { bronze: 1, silver: 1, gold: undefined, rejected: undefined } }),
  );
  assert.deepEqual(summary.tables[0]?.retention?.daysRemoved, ["2013-08-24", "2013-08-25"]);
  assert.deepEqual(summary.tables[2]?.retention?.daysRemoved, ["2013-08-24", "2013-08-25"]);
  assert.deepEqual(await lake.rows("select count(*) from silver_readings"), [[4]]);
  assert.deepEqual(await lake.rows("select * from gold_sensor_daily order by all"), gold);
});

test("what fails in one table is reported, and the others are looked after", async () => {
  await using lake = await makeTestLake();
  await filled(lake);
  const broken = lake.lake.table("silver/readings");
  const table: Lake["table"] = (name) =>
    name === "silver/readings"
      ? { ...broken, snapshot: async () => Promise.reject(new AtriumError("STORE_FAILED", "It is gone.")) }
      : lake.lake.table(name);
  const summary = await upkeep(rules({ ...lake.lake, table }));
  assert.ok(summary.failures.every(({ error }) => error.code === "STORE_FAILED"));
  assert.deepEqual(
    [...new Set(summary.failures.map((failure) => failure.table))],
    // Bronze waits for silver's position, so it fails with it.
    ["bronze/readings", "silver/readings"],
  );
  const [, rejected] = filesOf(summary);
  assert.deepEqual(rejected, [0, 0, 0]);
  assert.equal(summary.tables.length, TABLE_NAMES.length);
});

test("a round that is told to end does no more", async () => {
  await using lake = await makeTestLake();
  await filled(lake);
  const summary = await upkeep(rules(lake.lake, { signal: AbortSignal.abort() }));
  assert.deepEqual([summary.isAnythingDone, summary.failures], [false, []]);
});

test("the loop looks after the tables once a period, and removes no file after the clock has jumped", async () => {
  const clock = testClock();
  await using lake = await makeTestLake({ clock });
  await filled(lake);
  assert.ok((await upkeep(rules(lake.lake, { isVacuumed: false }))).isAnythingDone);
  clock.set(LATER_MS);
  const stop = new AbortController();
  const warnings: string[] = [];
  let sleeps = 0;
  let monotonicMs = 0;
  const stepped = {
    ...clock,
    monotonicMs: () => monotonicMs,
    sleep: async (ms: number) => {
      assert.equal(ms, 300_000);
      sleeps += 1;
      monotonicMs += ms;
      clock.set(clock.nowMs() + ms + (sleeps === 1 ? 48 * HOUR_MS : 0));
      if (sleeps === 3) stop.abort();
    },
  };
  const logger = { ...silentLogger, warn: (text: string) => warnings.push(text) };
  const { retentionDays, targetBytes } = rules(lake.lake);
  const removed: number[] = [];
  const { store } = lake.lake;
  const counted = {
    ...lake.lake,
    store: {
      ...store,
      delete: async (paths: readonly string[]) => {
        if (paths.some((path) => path.endsWith(".zstd.parquet"))) removed.push(sleeps);
        return store.delete(paths);
      },
    },
  };
  const stage = { lake: counted, clock: stepped, logger, batchRowsMax: 1, queryTimeoutMs: 1, pollMs: 1 };
  await upkeepLoop(
    { ...stage, retentionDays, targetBytes, graceMs: -100 * HOUR_MS, everyMs: 300_000 },
    stop.signal,
  );
  assert.deepEqual([sleeps, [...new Set(removed)]], [3, [2]]);
  assert.deepEqual(warnings, ["the clock has jumped: no files are removed this time"]);
});

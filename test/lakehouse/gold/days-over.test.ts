// Gold by the day: each day once when it is over, what was missed at the start, late readings again, two schedulers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type DaysOver, isOver, watchDaysOver } from "../../../src/lakehouse/gold/days-over.ts";
import { GOLD_APP_ID, makeGold } from "../../../src/lakehouse/gold/gold.ts";
import { GOLD_TRANSFORMS } from "../../../src/lakehouse/gold/transforms.ts";
import type { Lake } from "../../../src/lakehouse/lake.ts";
import { silentLogger } from "../../../src/support/logger.ts";
import { makeTestLake, message, testClock, type TestLake } from "../../support/lake.ts";

const DAY = 1377216000; // 2013-08-23T00:00:00Z
const [HOUR, DAY_SECONDS, DELAY_MS] = [3600, 86_400, 600_000];
const NOW = Date.UTC(2026, 0, 10);

/** A clock whose monotonic time is the test's too. */
function handClock(): ReturnType<typeof testClock> & { pass(ms: number): void } {
  let passedMs = 0;
  return {
    ...testClock(NOW),
    monotonicMs: () => passedMs,
    pass: (ms) => {
      passedMs += ms;
    },
  };
}

const watch = (lake: Lake): DaysOver =>
  watchDaysOver({ lake, logger: silentLogger, queryTimeoutMs: 60_000, delayMs: DELAY_MS });

/** Readings at these times (s after DAY) get as far as silver. */
async function arrive(lake: TestLake, ...times: readonly number[]): Promise<void> {
  await lake.send(times.map((time) => message("413", "co2", DAY + time, 400 + (time % 97))));
  await lake.ingest();
  await lake.refine();
}

/** The days of each commit that replaced some, by table. */
async function replacements(lake: Lake): Promise<readonly (readonly string[])[]> {
  return Promise.all(
    GOLD_TRANSFORMS.map(async ({ table }) =>
      (await lake.table(table).history(1000))
        .toReversed()
        .filter(({ operation, filesAdded }) => operation === "REPLACE DAYS" && filesAdded > 0)
        .map(({ info }) => (info["operationParameters"] as { days: string }).days),
    ),
  );
}

const each = (...days: readonly string[]): readonly (readonly string[])[] => GOLD_TRANSFORMS.map(() => days);

test("a day is over when readings from after its end and the delay are there, or when none comes any more", () => {
  const [endMs, delayMs] = [Date.parse("2013-08-24"), 600_000];
  const moment = { newestMs: endMs + delayMs, nowMs: endMs, quietMs: 0, delayMs };
  assert.equal(isOver("2013-08-23", moment), true);
  assert.equal(isOver("2013-08-23", { ...moment, newestMs: endMs + delayMs - 1 }), false);
  const quiet = { newestMs: endMs - 1, nowMs: endMs + delayMs, quietMs: delayMs, delayMs };
  assert.equal(isOver("2013-08-23", quiet), true);
  assert.equal(isOver("2013-08-23", { ...quiet, quietMs: delayMs - 1 }), false);
  assert.equal(isOver("2013-08-23", { ...quiet, nowMs: endMs + delayMs - 1 }), false);
});

test("each day is made once, when it is over; the running one waits, also over restarts", async () => {
  await using lake = await makeTestLake({ clock: handClock() });
  let days = watch(lake.lake);
  assert.deepEqual(await days.look(), { isElsewhere: false, made: undefined });
  await arrive(lake, 5, 12 * HOUR);
  assert.equal((await days.look()).made, undefined);
  // The next day has begun, but the delay has not passed.
  await arrive(lake, DAY_SECONDS - 5, DAY_SECONDS + 599);
  assert.equal((await days.look()).made, undefined);
  await arrive(lake, DAY_SECONDS + 601);
  assert.deepEqual((await days.look()).made?.daysReplaced, ["2013-08-23"]);
  for (let looks = 0; looks < 3; looks += 1) assert.equal((await days.look()).made, undefined);
  days = watch(await lake.reopen());
  assert.equal((await days.look()).made, undefined);
  await arrive(lake, DAY_SECONDS + 12 * HOUR);
  // While the program is down, the day ends.
  await arrive(lake, 2 * DAY_SECONDS + HOUR);
  days = watch(await lake.reopen());
  assert.deepEqual((await days.look()).made?.daysReplaced, ["2013-08-24"]);
  assert.deepEqual(await replacements(lake.lake), each("2013-08-23", "2013-08-24"));
});

test("a day whose last reading was in silver before the day before it was made is not forgotten", async () => {
  await using lake = await makeTestLake({ clock: handClock() });
  await arrive(lake, 5);
  await arrive(lake, DAY_SECONDS + HOUR);
  await watch(lake.lake).look();
  // Nothing more comes for the 24th: the first reading of the 25th ends it.
  await arrive(lake, 2 * DAY_SECONDS + HOUR);
  const days = watch(await lake.reopen());
  assert.deepEqual((await days.look()).made?.daysReplaced, ["2013-08-24"]);
});

test("gold goes on reflecting silver up to the first version that a waiting day is in", async () => {
  await using lake = await makeTestLake({ clock: handClock() });
  const reflected = async (): Promise<bigint | undefined> =>
    (await lake.lake.table("gold/room_daily").snapshot())?.txns.get(GOLD_APP_ID);
  const days = watch(lake.lake);
  await arrive(lake, 5);
  const before = (await lake.lake.table("silver/readings").snapshot())!.version;
  await arrive(lake, DAY_SECONDS + HOUR);
  await days.look();
  assert.equal(await reflected(), BigInt(before));
  // A plain `gold` has all; what the schedule does next does not take it back.
  await makeGold({ lake: lake.lake, queryTimeoutMs: 60_000 });
  assert.equal(await reflected(), BigInt(before + 1));
  await arrive(lake, 2 * DAY_SECONDS + HOUR);
  await days.look();
  assert.equal(await reflected(), BigInt(before + 1));
});

test("late readings make their day again, and only that, and are restated", async () => {
  await using lake = await makeTestLake({ clock: handClock() });
  const days = watch(lake.lake);
  await arrive(lake, 5, DAY_SECONDS + HOUR, 2 * DAY_SECONDS + HOUR);
  assert.deepEqual((await days.look()).made?.daysReplaced, ["2013-08-23", "2013-08-24"]);
  await arrive(lake, 10);
  const { made } = await days.look();
  assert.deepEqual([made?.daysReplaced, made?.daysRestated], [["2013-08-23"], ["2013-08-23"]]);
  assert.equal((await days.look()).made, undefined);
});

test("the last day of a building that has fallen silent is made when it has been quiet for the delay", async () => {
  const clock = handClock();
  await using lake = await makeTestLake({ clock });
  const days = watch(lake.lake);
  await arrive(lake, 5);
  await days.look();
  clock.pass(DELAY_MS - 1);
  assert.equal((await days.look()).made, undefined);
  // A reading comes after all: the quiet begins anew.
  await arrive(lake, 10);
  assert.equal((await days.look()).made, undefined);
  clock.pass(DELAY_MS);
  assert.deepEqual((await days.look()).made?.daysReplaced, ["2013-08-23"]);
});

test("two schedulers that look at once make no day twice, and the second knows from the first what is made", async () => {
  await using lake = await makeTestLake({ clock: handClock() });
  const other = await lake.reopen();
  const [one, two] = [watch(lake.lake), watch(other)];
  await arrive(lake, 5, DAY_SECONDS + HOUR, 2 * DAY_SECONDS + HOUR);
  const looks = await Promise.all([one.look(), two.look()]);
  assert.deepEqual(looks.filter(({ isElsewhere }) => isElsewhere).length, 1);
  for (const days of [one, two]) assert.equal((await days.look()).made?.daysReplaced.length ?? 0, 0);
  const again = await watch(await lake.reopen()).look();
  assert.deepEqual(again.made?.daysChecked ?? [], []);
  assert.deepEqual(await replacements(lake.lake), each("2013-08-23,2013-08-24"));
});

test("two without a lease between them, as after a pause, make no day twice either", async () => {
  await using lake = await makeTestLake({ clock: handClock() });
  await arrive(lake, 5, DAY_SECONDS + HOUR);
  const options = { queryTimeoutMs: 60_000, days: ["2013-08-23"], reflects: { from: 0, to: 0 } };
  await Promise.all([
    makeGold({ ...options, lake: lake.lake }),
    makeGold({ ...options, lake: await lake.reopen() }),
  ]);
  assert.deepEqual(await replacements(lake.lake), each("2013-08-23"));
});

// Pacing against a clock that only sleeping moves: even, without drift, late rows at once.

import assert from "node:assert/strict";
import { test } from "node:test";
import { replay, type ReplayOptions, type ReplaySummary } from "../../src/replay/replay.ts";
import { seededChance } from "../../src/support/chance.ts";
import {
  memorySource,
  recordingLog,
  type RecordingLog,
  type RecordingLogOptions,
  replayOptions,
  type SleepingClock,
  sleepingClock,
} from "../support/replay.ts";

const START_MS = 1000;

const paced = async (
  files: Readonly<Record<string, string>>,
  given: Partial<ReplayOptions> & { readonly clock: SleepingClock },
  logOptions: RecordingLogOptions = {},
): Promise<{ readonly log: RecordingLog; readonly summary: ReplaySummary }> => {
  const log = recordingLog({ clock: given.clock, ...logOptions });
  const summary = await replay(replayOptions({ source: memorySource(files, 65_536), log, ...given }));
  return { log, summary };
};

const rows = (count: number): string => Array.from({ length: count }, (_, i) => `${i},${i}\n`).join("");

const assertDue = (log: RecordingLog, dueOf: (i: number) => number, lateMsMax: number): void => {
  for (const [i, { atMs }] of log.records.entries()) {
    const late = atMs - dueOf(i);
    assert.ok(late >= -1e-6, `message ${i} is ${-late} ms early`);
    assert.ok(late <= lateMsMax, `message ${i} is ${late} ms late`);
  }
};

for (const messagesPerSecond of [1, 7, 1000, 100_000]) {
  test(`at ${messagesPerSecond} messages a second each goes out when it is due, at most lingering`, async () => {
    const count = Math.min(20_000, messagesPerSecond * 5);
    const clock = sleepingClock();
    const { log, summary } = await paced(
      { "1/co2.csv": rows(count) },
      { clock, pace: { mode: "rate", messagesPerSecond } },
    );
    assert.equal(log.records.length, count);
    assertDue(log, (i) => START_MS + (i * 1000) / messagesPerSecond, 5);
    assert.ok(summary.latenessMs.max <= 5);
    assert.ok(summary.latenessMs.p50 <= summary.latenessMs.p99);
  });
}

test("oversleeping and slow appends do not add up, and what is due meanwhile goes out together", async () => {
  const chance = seededChance(7);
  const clock = sleepingClock(() => chance.next() * 3);
  const after = (): void => clock.pass(20);
  const { log } = await paced(
    { "1/co2.csv": rows(10_000) },
    { clock, pace: { mode: "rate", messagesPerSecond: 1000 } },
    { clock, after },
  );
  assertDue(log, (i) => START_MS + i, 20 + 5 + 3);
  const appends = new Set(log.records.map(({ append }) => append)).size;
  assert.ok(appends < 600, `${appends} appends`);
});

test("a message alone does not linger", async () => {
  const clock = sleepingClock();
  const { summary } = await paced(
    { "1/co2.csv": rows(10) },
    { clock, lingerMs: 400, pace: { mode: "rate", messagesPerSecond: 2 } },
  );
  assert.equal(summary.latenessMs.max, 0);
});

test("messages wait for others at most for the linger time", async () => {
  const clock = sleepingClock();
  const { log } = await paced(
    { "1/co2.csv": rows(100) },
    { clock, lingerMs: 45, pace: { mode: "rate", messagesPerSecond: 100 } },
  );
  const sizes = [...Map.groupBy(log.records, ({ append }) => append).values()].map(
    (records) => records.length,
  );
  assert.deepEqual(new Set(sizes), new Set([5]));
});

test("a machine that is too slow for the rate still sends what has lingered", async () => {
  const clock = sleepingClock();
  const monotonicMs = (): number => {
    clock.pass(1);
    return clock.nowMs();
  };
  const slow = { ...clock, monotonicMs };
  const { summary } = await paced(
    { "1/co2.csv": rows(2000) },
    { clock: slow, pace: { mode: "rate", messagesPerSecond: 2000 } },
  );
  assert.ok(summary.latenessMs.max <= 10, `${summary.latenessMs.max} ms late`);
});

test("time-warp keeps the distances between all sensors, divided by the factor", async () => {
  const clock = sleepingClock();
  const { log } = await paced(
    {
      "1/co2.csv": "1377299108,0\n1377299113,3\n",
      "2/pir.csv": "1377299109.5,1\n1377299112,2\n1377309108,4\n",
    },
    { clock, pace: { mode: "timewarp", factor: 10 } },
  );
  assert.deepEqual(
    log.records.map(({ atMs }) => Math.round(atMs - START_MS)),
    [0, 150, 400, 500, 1_000_000],
  );
});

test("in time-warp a late row goes out at once", async () => {
  const clock = sleepingClock();
  const { log, summary } = await paced(
    { "1/co2.csv": "100,1\n110,2\n105,3\n120,4\n", "2/co2.csv": "111,5\n" },
    { clock, pace: { mode: "timewarp", factor: 1 } },
  );
  const sent = log.records.map(({ value, atMs }) => [
    Number(/"value":(\d+)/.exec(value)?.[1]),
    atMs - START_MS,
  ]);
  assert.deepEqual(sent, [
    [1, 0],
    [2, 10_000],
    [3, 10_000],
    [5, 11_000],
    [4, 20_000],
  ]);
  assert.deepEqual([summary.late, summary.latenessMs.max], [1, 0]);
});

test("in time-warp a malformed line goes out with the row before it", async () => {
  const clock = sleepingClock();
  const { log } = await paced(
    { "1/co2.csv": "x\n100,1\ny\n102,2\n" },
    { clock, pace: { mode: "timewarp", factor: 2 } },
  );
  assert.deepEqual(
    log.records.map(({ atMs }) => atMs - START_MS),
    [0, 0, 0, 1000],
  );
});

test("after a resume time-warp starts anew with the first row that is sent", async () => {
  const clock = sleepingClock();
  const log = recordingLog({ clock });
  const pace = { mode: "timewarp", factor: 1 } as const;
  await replay(replayOptions({ source: memorySource({ "1/co2.csv": "100,1\n" }), log, clock, pace }));
  clock.pass(5000);
  await replay(
    replayOptions({ source: memorySource({ "1/co2.csv": "100,1\n900,2\n903,3\n" }), log, clock, pace }),
  );
  assert.deepEqual(
    log.records.map(({ atMs }) => atMs - START_MS),
    [0, 5000, 8000],
  );
});

test("a long pause is slept in parts, so that progress is told", async () => {
  const clock = sleepingClock();
  let told = 0;
  await paced(
    { "1/co2.csv": "0,1\n600,2\n" },
    { clock, pace: { mode: "timewarp", factor: 1 }, onProgress: () => (told += 1), progressEveryMs: 60_000 },
  );
  assert.ok(Math.max(...clock.slept) <= 60_000);
  assert.equal(told, 11);
});

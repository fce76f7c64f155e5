// A slow, full or failing log, and stopping.

import assert from "node:assert/strict";
import { test } from "node:test";
import { replay } from "../../src/replay/replay.ts";
import { AtriumError } from "../../src/support/errors.ts";
import { memorySource, recordingLog, replayOptions, sleepingClock } from "../support/replay.ts";

const full = (): never => {
  throw new AtriumError("LOG_FULL", "The log is full.");
};
const rows = (count: number): string => Array.from({ length: count }, (_, i) => `${i},${i}\n`).join("");
const numbersOf = (values: readonly { readonly value: string }[]): readonly number[] =>
  values.map(({ value }) => Number(/"value":(\d+)/.exec(value)?.[1]));
const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

test("while the log is full replay waits, at most a second at a time, and loses nothing", async () => {
  const clock = sleepingClock();
  const log = recordingLog({ before: () => (clock.monotonicMs() < 200_000 ? full() : undefined) });
  let warned = 0;
  const quiet = (): void => undefined;
  const logger = { debug: quiet, info: quiet, error: quiet, warn: () => void (warned += 1) };
  const source = memorySource({ "1/co2.csv": rows(10) });
  const summary = await replay(replayOptions({ source, log, clock, logger, batchRecordsMax: 3 }));
  assert.deepEqual(numbersOf(log.records), upTo(10));
  assert.equal(summary.messages, 10);
  assert.equal(Math.max(...clock.slept), 1000);
  assert.equal(warned, 4, "once a minute");
});

test("a log that cannot be reached is waited for with the same batches, once a minute said and once when it is over", async () => {
  const clock = sleepingClock();
  const given = new Set<unknown>();
  const base = recordingLog({
    before: () => {
      if (clock.monotonicMs() < 130_000) throw new AtriumError("STORE_FAILED", "The broker is away.");
    },
  });
  const log: typeof base = {
    ...base,
    records: base.records,
    append: async (batches, step) => {
      given.add(batches);
      await base.append(batches, step);
    },
  };
  const said: string[] = [];
  const quiet = (): void => undefined;
  const note = (words: string): void => void said.push(words);
  const logger = { debug: quiet, info: note, error: quiet, warn: note };
  const source = memorySource({ "1/co2.csv": rows(10) });
  await replay(replayOptions({ source, log, clock, logger }));
  assert.deepEqual(numbersOf(base.records), upTo(10));
  assert.equal(given.size, 1, "the same array every time");
  assert.deepEqual(
    said.map((words) => words.split(":")[0]),
    [...Array.from({ length: 3 }, () => "The log cannot be reached"), "The log takes messages again."],
  );
});

test("a stop while the log is full gives up what is not in it, and the next run sends it", async () => {
  const stop = new AbortController();
  let appends = 0;
  const log = recordingLog({
    before: () => {
      appends += 1;
      if (appends === 5) stop.abort();
      if (appends > 1 && appends < 9) full();
    },
  });
  const source = memorySource({ "1/co2.csv": rows(10) });
  const stopped = await replay(replayOptions({ source, log, batchRecordsMax: 2, signal: stop.signal }));
  assert.deepEqual([stopped.stopped, stopped.messages, log.records.length], [true, 2, 2]);
  appends = 10;
  await replay(replayOptions({ source, log }));
  assert.deepEqual(numbersOf(log.records), upTo(10));
});

test("a stop sends what was taken out of the files and says so", async () => {
  const stop = new AbortController();
  const clock = sleepingClock();
  const log = recordingLog({ clock });
  const source = memorySource({ "1/co2.csv": rows(1000) });
  const sleep: typeof clock.sleep = async (ms, signal) => {
    await clock.sleep(ms, signal);
    if (clock.monotonicMs() >= 1250) stop.abort();
  };
  const pace = { mode: "rate", messagesPerSecond: 100 } as const;
  const options = replayOptions({
    source,
    log,
    clock: { ...clock, sleep },
    pace,
    lingerMs: 1000,
    signal: stop.signal,
  });
  const summary = await replay(options);
  assert.deepEqual(numbersOf(log.records), upTo(25));
  assert.deepEqual([summary.stopped, summary.messages], [true, 25]);
  const rest = await replay(replayOptions({ source, log }));
  assert.deepEqual([rest.stopped, rest.messages], [false, 975]);
  assert.deepEqual(numbersOf(log.records), upTo(1000));
});

test("a stop before the start sends nothing", async () => {
  const log = recordingLog();
  const source = memorySource({ "1/co2.csv": rows(5) });
  const summary = await replay(replayOptions({ source, log, signal: AbortSignal.abort() }));
  assert.deepEqual([summary.stopped, summary.messages, log.records.length], [true, 0, 0]);
});

test("another error of the log ends the replay, and nothing is appended after it", async () => {
  const log = recordingLog({
    before: (append) => {
      if (append === 2) throw new AtriumError("LOG_CORRUPT", "damaged");
    },
  });
  const source = memorySource({ "1/co2.csv": rows(20) });
  await assert.rejects(replay(replayOptions({ source, log, batchRecordsMax: 2 })), { code: "LOG_CORRUPT" });
  assert.deepEqual(numbersOf(log.records), upTo(4));
});

test("one append is in flight at a time while the next batch fills, and no more is taken out of the files", async () => {
  let inFlight = 0;
  let taken = 0;
  let aheadMax = 0;
  const log = recordingLog({
    before: () => {
      inFlight += 1;
      assert.equal(inFlight, 1);
    },
    after: (append) => {
      inFlight -= 1;
      aheadMax = Math.max(aheadMax, taken - (append + 1) * 4);
    },
  });
  const source = memorySource({ "1/co2.csv": "x\n".repeat(100) });
  await replay(replayOptions({ source, log, batchRecordsMax: 4, onMalformed: () => (taken += 1) }));
  assert.deepEqual([taken, aheadMax], [100, 4]);
});

test("between batches everything else in the process gets its turn, though nothing has to be waited for", async () => {
  const all = Buffer.from(rows(100));
  const source = {
    name: "at once",
    list: async () => [{ path: "1/co2.csv", sizeBytes: all.length }],
    async *open(): AsyncGenerator<Uint8Array> {
      yield all;
    },
  };
  // The second clock runs so fast that the next message is always due: nothing is ever slept.
  const racing = sleepingClock();
  const monotonicMs = (): number => {
    racing.pass(1);
    return racing.nowMs();
  };
  const given = [
    { pace: { mode: "max" } },
    { pace: { mode: "rate", messagesPerSecond: 1000 }, lingerMs: 2, clock: { ...racing, monotonicMs } },
  ] as const;
  for (const each of given) {
    let appends = 0;
    const append = async (): Promise<void> => {
      appends += 1;
    };
    let turns = 0;
    let ended = false;
    const others = (): void => {
      turns += 1;
      if (!ended) setImmediate(others);
    };
    setImmediate(others);
    await replay(replayOptions({ source, log: { ...recordingLog(), append }, batchRecordsMax: 5, ...each }));
    ended = true;
    assert.ok(appends >= 10, `${appends} appends`);
    assert.ok(turns >= appends - 2, `${turns} turns in ${appends} appends`);
  }
});

test("a batch is sent when it is large, whatever its number of lines", async () => {
  const log = recordingLog();
  const source = memorySource({ "1/co2.csv": `${"x".repeat(1_000_000)}\n`.repeat(40) }, 262_144);
  await replay(replayOptions({ source, log }));
  assert.deepEqual(
    [...Map.groupBy(log.records, ({ append }) => append).values()].map((records) => records.length),
    [17, 17, 6],
  );
});

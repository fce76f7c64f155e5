// Replay at full speed: the order of the merge, what is malformed or late, and what it says about itself.

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import type { MalformedLine } from "../../src/replay/merge.ts";
import { replay, type ReplayProgress } from "../../src/replay/replay.ts";
import {
  memorySource,
  recordingLog,
  replayed,
  replayOptions,
  sleepingClock,
  valuesByKey,
} from "../support/replay.ts";

const message = (room: string, sensor: string, ts: number | string, value: number | string): string =>
  `{"room":"${room}","sensor":"${sensor}","ts":${ts},"value":${value}}`;

test("rows of all files go out in the order of event time, equal times in the order of the files", async () => {
  const { values, summary } = await replayed({
    "2/light.csv": "1,10\n3,30\n",
    "1/co2.csv": "2,20\n3,31\n",
    "1/pir.csv.gz": gzipSync("0,1\n3,32.00\n"),
  });
  assert.deepEqual(values, [
    message("1", "pir", 0, 1),
    message("2", "luminosity", 1, 10),
    message("1", "co2", 2, 20),
    message("1", "co2", 3, 31),
    message("1", "pir", 3, 32),
    message("2", "luminosity", 3, 30),
  ]);
  assert.deepEqual(summary, {
    messages: 6,
    late: 0,
    malformed: 0,
    files: 3,
    filesSkipped: [],
    filesEmpty: [],
    bytes: 32,
    firstEventMs: 0,
    lastEventMs: 3000,
    latenessMs: { p50: 0, p99: 0, max: 0 },
    stopped: false,
  });
});

test("a record has its sensor's key, topic and partition", async () => {
  const { log } = await replayed({ "1/co2.csv": "1,1\n", "22/co2.csv": "1,1\n", 'a "b"/pir.csv': "1,1\n" });
  const places = log.records.map(({ key, topic, partition, value }) => ({ key, topic, partition, value }));
  assert.deepEqual(places, [
    { key: "1:co2", topic: "iot.co2", partition: 1, value: message("1", "co2", 1, 1) },
    { key: "22:co2", topic: "iot.co2", partition: 0, value: message("22", "co2", 1, 1) },
    {
      key: 'a "b":pir',
      topic: "iot.pir",
      partition: 1,
      value: '{"room":"a \\"b\\"","sensor":"pir","ts":1,"value":1}',
    },
  ]);
});

test("a topic that exists keeps its number of partitions", async () => {
  const log = recordingLog();
  await log.createTopics([{ name: "iot.co2", partitions: 7 }]);
  await replay(
    replayOptions({
      log,
      source: memorySource({ "1/co2.csv": "1,1\n" }),
      partitionOf: (_, partitions) => partitions - 1,
    }),
  );
  assert.equal(log.records[0]?.partition, 6);
});

test("a late row goes out at once and is counted; the clock does not go back", async () => {
  const { values, summary } = await replayed({
    "1/co2.csv": "10,1\n4,2\n5,3\n11,4\n",
    "2/co2.csv": "9,5\n10,6\n11,7\n",
  });
  assert.deepEqual(
    values.map((value) => Number(/"value":(\d+)/.exec(value)?.[1])),
    [5, 1, 2, 3, 6, 4, 7],
  );
  assert.equal(summary.late, 2);
  assert.deepEqual([summary.firstEventMs, summary.lastEventMs], [4000, 11_000]);
});

test("a malformed line is reported, counted, and goes out as it is at its place in its file", async () => {
  const reported: MalformedLine[] = [];
  const long = "x".repeat(300);
  const { values, summary, log } = await replayed(
    { "1/co2.csv": `ts,value\r\n5,1\n\n${long}\n7,nan\n9,2`, "2/co2.csv": "4,0\n5,3\n6,4\n" },
    { onMalformed: (line) => reported.push(line) },
  );
  const co2 = (room: string, ts: number, value: number): string => message(room, "co2", ts, value);
  assert.deepEqual(values, [
    "ts,value",
    co2("2", 4, 0),
    co2("1", 5, 1),
    "",
    long,
    "7,nan",
    co2("2", 5, 3),
    co2("2", 6, 4),
    co2("1", 9, 2),
  ]);
  assert.equal(log.records[0]?.key, "1:co2");
  assert.equal(summary.malformed, 4);
  assert.equal(summary.messages, 9);
  assert.deepEqual(reported, [
    { file: "1/co2.csv", line: 1, text: "ts,value" },
    { file: "1/co2.csv", line: 3, text: "" },
    { file: "1/co2.csv", line: 4, text: long.slice(0, 200) },
    { file: "1/co2.csv", line: 5, text: "7,nan" },
  ]);
});

test("a row with an impossible time becomes a message, but does not hold back its file", async () => {
  const { values, summary } = await replayed({
    "1/co2.csv": "5,1\n99999999999,2\n-3,3\n6,4\n",
    "2/co2.csv": "5,5\n7,6\n",
  });
  assert.deepEqual(
    values.map((value) => Number(/"value":(\d+)/.exec(value)?.[1])),
    [1, 2, 3, 5, 4, 6],
  );
  assert.deepEqual([summary.malformed, summary.late, summary.lastEventMs], [0, 0, 7000]);
});

test("a byte order mark, CR LF and a missing last line end make no difference", async () => {
  const { values } = await replayed({ "1/co2.csv": "\u{FEFF}1,1\r\n2,2" });
  assert.deepEqual(values, [message("1", "co2", 1, 1), message("1", "co2", 2, 2)]);
});

test("empty files, and files with a byte order mark alone, are files without readings", async () => {
  const { values, summary } = await replayed({ "1/co2.csv": "", "1/pir.csv": "\u{FEFF}" });
  assert.deepEqual(values, []);
  assert.deepEqual([summary.files, summary.firstEventMs, summary.lastEventMs], [2, undefined, undefined]);
  assert.deepEqual(summary.filesEmpty, ["1/co2.csv", "1/pir.csv"]);
});

test("a row that bronze will reject as too far ahead does not hold back what is behind it in its file", async () => {
  const ahead = Date.UTC(2026, 0, 3) / 1000;
  const { values, summary } = await replayed({
    "1/co2.csv": `1,1\n${ahead},2\n3,3\n`,
    "1/pir.csv": "2,1\n4,1\n",
  });
  assert.deepEqual(values, [
    message("1", "co2", 1, 1),
    message("1", "co2", ahead, 2),
    message("1", "pir", 2, 1),
    message("1", "co2", 3, 3),
    message("1", "pir", 4, 1),
  ]);
  assert.equal(summary.lastEventMs, 4000);
});

test("a decimal time is kept as it is written and merged by its value", async () => {
  const { values } = await replayed({ "1/co2.csv": "1.50,1\n", "2/co2.csv": "1.25,2\n1.75,3\n" });
  assert.deepEqual(values, [
    message("2", "co2", "1.25", 2),
    message("1", "co2", "1.50", 1),
    message("2", "co2", "1.75", 3),
  ]);
});

test("a malformed line of 1 MiB goes out whole; a longer one stops the replay, with everything before it sent", async () => {
  const long = "x".repeat(1_048_576);
  const whole = memorySource({ "1/co2.csv": `1,1\n${long}\n2,2\n` }, 100_000);
  const log = recordingLog();
  assert.equal((await replay(replayOptions({ source: whole, log }))).malformed, 1);
  assert.equal(log.records[1]?.value, long);

  for (const end of ["\n2,2\n", ""]) {
    const longer = memorySource({ "1/co2.csv": `1,1\n${long}x${end}` }, 100_000);
    const stopped = recordingLog();
    await assert.rejects(replay(replayOptions({ source: longer, log: stopped })), {
      code: "SOURCE_UNREADABLE",
      message: /1\/co2\.csv, line 2: longer than 1048576 bytes/,
    });
    assert.deepEqual(
      stopped.records.map(({ value }) => value),
      [message("1", "co2", 1, 1)],
    );
  }
});

test("a damaged packed file stops the replay once everything before the damage is in the log", async () => {
  const rows = Array.from({ length: 2000 }, (_, i) => `${i}, ${(i * 7919) % 1000}.00\n`).join("");
  const cut = gzipSync(rows).subarray(0, -2000);
  const log = recordingLog();
  const source = memorySource({ "1/co2.csv.gz": cut, "2/co2.csv": "5,5\n1999,6\n" }, 1000);
  await assert.rejects(replay(replayOptions({ source, log })), {
    code: "SOURCE_UNREADABLE",
    message: /1\/co2\.csv\.gz is no valid gzip file/,
  });
  const ours = valuesByKey(log).get("1:co2") ?? [];
  assert.ok(ours.length > 500, `${ours.length} rows`);
  assert.deepEqual(
    ours,
    ours.map((_, i) => message("1", "co2", i, (i * 7919) % 1000)),
  );
  assert.deepEqual(valuesByKey(log).get("2:co2"), [message("2", "co2", 5, 5)]);
});

test("skipped files are in the summary and in the log lines", async () => {
  const warned: unknown[] = [];
  const logger = {
    debug: () => undefined,
    info: () => undefined,
    error: () => undefined,
    warn: (_: string, fields: unknown) => warned.push(fields),
  };
  const { summary } = await replayed({ "1/co2.csv": "1,1\n", "1/odd.csv": "1,1\n" }, { logger });
  assert.deepEqual(
    summary.filesSkipped.map(({ file }) => file),
    ["1/odd.csv"],
  );
  assert.deepEqual(warned, summary.filesSkipped);
});

test("progress tells counts, place and rate, and ends at 100 %", async () => {
  const calls: ReplayProgress[] = [];
  const log = recordingLog();
  const clock = sleepingClock();
  const files = { "1/co2.csv": "1,1\n2,2\n3,3\n", "2/co2.csv.gz": gzipSync("1,1\nx\n") };
  const source = memorySource(files);
  await replay(
    replayOptions({
      source,
      log,
      clock,
      pace: { mode: "rate", messagesPerSecond: 1 },
      progressEveryMs: 2000,
      onProgress: (progress) => calls.push(progress),
    }),
  );
  const bytesTotal = 12 + files["2/co2.csv.gz"].length;
  assert.deepEqual(calls.at(-1), {
    messages: 5,
    late: 0,
    malformed: 1,
    eventTimeMs: 3000,
    bytesDone: bytesTotal,
    bytesTotal,
    rate: calls.at(-1)?.rate,
  });
  assert.deepEqual(
    calls.slice(0, -1).map(({ rate }) => rate),
    [1, 1],
  );
});

test("whatever the files, chunks and batches are, the log is what merging line by line gives", async () => {
  const row = fc.oneof(
    { weight: 8, arbitrary: fc.tuple(fc.nat(30), fc.nat(99)).map(([ts, value]) => `${ts}, ${value}`) },
    { weight: 1, arbitrary: fc.stringMatching(/^x[a-z,.0-9 -]{0,12}$/) },
  );
  const files = fc.dictionary(
    fc.constantFrom("1/co2", "1/pir", "2/co2", "3/light", "33/light"),
    fc.array(row, { maxLength: 20 }),
    { minKeys: 1, noNullPrototype: true },
  );
  const batches = fc.record({
    chunkBytes: fc.integer({ min: 1, max: 40 }),
    recordsMax: fc.integer({ min: 1, max: 9 }),
  });
  const topic = { name: "iot.all", partitions: 1 };
  const topics = { co2: topic, humidity: topic, luminosity: topic, pir: topic, temperature: topic };
  await fc.assert(
    fc.asyncProperty(files, batches, fc.boolean(), async (lists, { chunkBytes, recordsMax }, packed) => {
      const content = Object.entries(lists).map(([name, lines]) => {
        const text = lines.map((line) => `${line}\n`).join("");
        return [packed ? `${name}.csv.gz` : `${name}.csv`, packed ? gzipSync(text) : text] as const;
      });
      const source = memorySource(Object.fromEntries(content), chunkBytes);
      const log = recordingLog();
      const given = { source, log, topics, partitionOf: () => 0, batchRecordsMax: recordsMax };
      const summary = await replay(replayOptions(given));
      const model = mergedLineByLine(lists);
      assert.deepEqual(
        log.records.map(
          ({ key, value }) =>
            `${key} ${/"ts":(\d+),"value":(\d+)/.exec(value)?.slice(1).join(", ") ?? value}`,
        ),
        model.lines,
      );
      assert.deepEqual([summary.messages, summary.late], [model.lines.length, model.late]);
    }),
    { numRuns: 100 },
  );
});

/** The merge, slow and plain: of all first lines always the one with the smallest key, the first file among equals. */
const mergedLineByLine = (
  lists: Readonly<Record<string, readonly string[]>>,
): { readonly lines: readonly string[]; readonly late: number } => {
  const heads = Object.entries(lists)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, rest]) => ({
      key: name.replace("/", ":").replace("light", "luminosity"),
      rest: [...rest],
      last: -Infinity,
    }));
  const timeOf = (line: string | undefined): number | undefined =>
    line === undefined || line.startsWith("x") ? undefined : Number.parseInt(line, 10);
  const lines: string[] = [];
  let clock = -Infinity;
  let late = 0;
  for (;;) {
    const open = heads.filter(({ rest }) => rest.length > 0);
    const [next] = open.toSorted((a, b) => {
      const [left, right] = [timeOf(a.rest[0]) ?? a.last, timeOf(b.rest[0]) ?? b.last];
      return left < right ? -1 : left > right ? 1 : 0;
    });
    if (next === undefined) return { lines, late };
    const line = next.rest.shift() ?? "";
    const time = timeOf(line);
    lines.push(`${next.key} ${line}`);
    if (time === undefined) continue;
    next.last = time;
    if (time < clock) late += 1;
    clock = Math.max(clock, time);
  }
};

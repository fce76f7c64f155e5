// Resuming: nothing is sent twice and nothing is lost, wherever a replay was interrupted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { replay, type ReplayOptions } from "../../src/replay/replay.ts";
import {
  memorySource,
  recordingLog,
  type RecordingLog,
  replayOptions,
  valuesByKey,
} from "../support/replay.ts";

type Files = Readonly<Record<string, string | Uint8Array>>;

const run = async (files: Files, log: RecordingLog, given: Partial<ReplayOptions> = {}) =>
  replay(replayOptions({ source: memorySource(files), log, ...given }));

const numbersSent = (log: RecordingLog): readonly number[] =>
  log.records.map(({ value }) => Number(/"value":(\d+)/.exec(value)?.[1]));

const warnings = (): { readonly warned: string[]; readonly logger: ReplayOptions["logger"] } => {
  const warned: string[] = [];
  const quiet = (): void => undefined;
  return {
    warned,
    logger: {
      debug: quiet,
      info: quiet,
      error: quiet,
      warn: (message, fields) => warned.push(`${message} ${JSON.stringify(fields)}`),
    },
  };
};

test("a second run of the same files sends nothing", async () => {
  const files = { "1/co2.csv": "1,1\n2,2\n", "1/pir.csv.gz": gzipSync("1,3\n2,4") };
  const log = recordingLog();
  await run(files, log);
  const again = await run(files, log);
  assert.deepEqual([again.messages, again.bytes, log.records.length], [0, 0, 4]);
});

test("a file that has grown goes on where it ended", async () => {
  const log = recordingLog();
  await run({ "1/co2.csv": "1,1\n2,2\n" }, log);
  await run({ "1/co2.csv": "1,1\n2,2\n3,3\n" }, log);
  assert.deepEqual(numbersSent(log), [1, 2, 3]);
});

test("a last line without its end is one line when the end comes", async () => {
  for (const end of ["\n", "\r\n"]) {
    const log = recordingLog();
    await run({ "1/co2.csv": "1,1\n2,2" }, log);
    await run({ "1/co2.csv": `1,1\n2,2${end}` }, log);
    await run({ "1/co2.csv": `1,1\n2,2${end}3,3` }, log);
    await run({ "1/co2.csv": `1,1\n2,2${end}3,3` }, log);
    assert.deepEqual(log.records.length, 3);
    assert.deepEqual(numbersSent(log), [1, 2, 3]);
  }
});

test("a last line that was cut short is sent again as a whole", async () => {
  const log = recordingLog();
  await run({ "1/co2.csv": "1,1\n2,2" }, log);
  await run({ "1/co2.csv": "1,1\n2,25\n3,3\n" }, log);
  assert.deepEqual(numbersSent(log), [1, 2, 25, 3]);
  assert.match(log.notes.get("1/co2.csv") ?? "", /"lines":3/);
});

test("a file that was packed since goes on", async () => {
  const log = recordingLog();
  await run({ "1/co2.csv": "1,1\n2,2\n" }, log);
  await run({ "1/co2.csv.gz": gzipSync("1,1\n2,2\n3,3\n") }, log);
  assert.deepEqual(numbersSent(log), [1, 2, 3]);
});

test("a file that is another one starts over, with a warning", async () => {
  for (const other of ["1,1\n2,9\n3,3\n", "1,1\n", ""]) {
    const log = recordingLog();
    await run({ "1/co2.csv": "1,1\n2,2\n" }, log);
    const { warned, logger } = warnings();
    await run({ "1/co2.csv": other }, log, { logger });
    assert.equal(log.records.length, 2 + other.split("\n").length - 1);
    assert.equal(warned.filter((line) => /starts over.*1\/co2\.csv/.test(line)).length, 1);
  }
});

test("a note that cannot be read makes its file start over, with a warning", async () => {
  const log = recordingLog();
  log.notes.set("1/co2.csv", "nonsense");
  const { warned, logger } = warnings();
  await run({ "1/co2.csv": "1,1\n" }, log, { logger });
  assert.equal(log.records.length, 1);
  assert.equal(warned.length, 1);
});

test("a restart sends everything again", async () => {
  const log = recordingLog();
  await run({ "1/co2.csv": "1,1\n" }, log);
  await run({ "1/co2.csv": "1,1\n" }, log, { restart: true });
  assert.deepEqual(numbersSent(log), [1, 1]);
});

test("a note holds bytes, lines and the last line", async () => {
  const log = recordingLog();
  const long = "x".repeat(300);
  await run({ "1/co2.csv": "\u{FEFF}1,1\r\n2,2\r\n", "1/pir.csv": `${long}\n` }, log);
  assert.deepEqual(JSON.parse(log.notes.get("1/co2.csv") ?? ""), { bytes: 13, lines: 2, tail: "2,2\r\n" });
  assert.deepEqual(JSON.parse(log.notes.get("1/pir.csv") ?? ""), {
    bytes: 301,
    lines: 1,
    tail: `${"x".repeat(199)}\n`,
  });
});

test("only the notes of files that have moved are written", async () => {
  const log = recordingLog();
  const written: string[][] = [];
  const watching = {
    ...log,
    append: async (...[batches, progress]: Parameters<RecordingLog["append"]>) => {
      written.push([...(progress?.notes.keys() ?? [])]);
      await log.append(batches, progress);
    },
  };
  await run({ "1/co2.csv": "1,1\n4,4\n", "2/co2.csv": "2,2\n3,3\n" }, watching, { batchRecordsMax: 1 });
  assert.deepEqual(written, [["1/co2.csv"], ["2/co2.csv"], ["2/co2.csv"], ["1/co2.csv"]]);
  await run({ "1/co2.csv": "1,1\n4,4\n5,5\n", "2/co2.csv": "2,2\n3,3\n" }, watching);
  assert.deepEqual(written.at(-1), ["1/co2.csv"]);
});

const line = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.nat(50), fc.nat(999)).map(([ts, value]) => `${ts},${value}`) },
  { weight: 1, arbitrary: fc.stringMatching(/^[a-z,0-9 ]{0,9}$/) },
  { weight: 1, arbitrary: fc.nat(300).map((length) => "y".repeat(length)) },
);
const lines = fc.array(fc.tuple(line, fc.constantFrom("\n", "\r\n")), { maxLength: 25 });
const filesOfLines = fc.dictionary(
  fc.constantFrom("1/co2.csv", "1/pir.csv", "2/co2.csv", "3/light.csv"),
  lines,
  {
    minKeys: 1,
    noNullPrototype: true,
  },
);
const crashes = fc.array(fc.record({ at: fc.nat(12), effective: fc.boolean() }), { maxLength: 4 });

test("crashes before or after an append takes effect lose nothing and double nothing, and files may be packed or grow meanwhile", async () => {
  await fc.assert(
    fc.asyncProperty(
      filesOfLines,
      crashes,
      fc.record({
        chunkBytes: fc.integer({ min: 1, max: 60 }),
        batchRecordsMax: fc.integer({ min: 1, max: 9 }),
        grownFrom: fc.double({ min: 0, max: 1, noNaN: true }),
        unfinished: fc.boolean(),
        packed: fc.boolean(),
      }),
      async (content, plan, { chunkBytes, batchRecordsMax, grownFrom, unfinished, packed }) => {
        const textOf = (rows: readonly (readonly string[])[]): string =>
          rows.map((parts) => parts.join("")).join("");
        const whole = Object.fromEntries(Object.entries(content).map(([path, rows]) => [path, textOf(rows)]));
        const beginning = Object.fromEntries(
          Object.entries(content).map(([path, rows]) => {
            const text = textOf(rows.slice(0, Math.floor(rows.length * grownFrom)));
            return [path, unfinished ? text.replace(/(?<=[^\r\n])\r?\n$/, "") : text];
          }),
        );
        const undisturbed = recordingLog();
        await run(whole, undisturbed);

        let crash: (typeof plan)[number] | undefined;
        const fail = (): never => {
          throw new Error("crash");
        };
        let appends = 0;
        const log = recordingLog({
          before: () => {
            if (crash?.at === appends && !crash.effective) fail();
          },
          after: () => {
            appends += 1;
            if (crash?.at === appends - 1 && crash.effective) fail();
          },
        });
        const runs = [
          ...plan.map((planned) => ({ planned, files: beginning })),
          { planned: undefined, files: packed ? pack(whole) : whole },
        ];
        for (const { planned, files } of runs) {
          crash = planned;
          appends = 0;
          const source = memorySource(files, chunkBytes);
          const ended = replay(replayOptions({ source, log, batchRecordsMax }));
          if (planned === undefined) await ended;
          else await ended.catch((error: unknown) => assert.match(String(error), /crash/));
        }
        assert.deepEqual(sorted(valuesByKey(log)), sorted(valuesByKey(undisturbed)));
      },
    ),
    { numRuns: 150 },
  );
});

const pack = (files: Readonly<Record<string, string>>): Files =>
  Object.fromEntries(Object.entries(files).map(([path, text]) => [`${path}.gz`, gzipSync(text)]));

const sorted = (byKey: ReadonlyMap<string, readonly string[]>): readonly unknown[] =>
  [...byKey].toSorted(([a], [b]) => (a < b ? -1 : 1));

// Rejected messages that are readings by now move once, whatever is cut short and whoever else redrives.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { readCorrections } from "../../../src/lakehouse/bronze/corrections.ts";
import type { RejectedMessage } from "../../../src/lakehouse/bronze/decode.ts";
import { redrive } from "../../../src/lakehouse/bronze/redrive.ts";
import type { Lake } from "../../../src/lakehouse/lake.ts";
import { isAtriumError } from "../../../src/support/errors.ts";
import { makeTestLake, message, testClock, type TestLake } from "../../support/lake.ts";
import {
  assertEachOnce,
  badMessage,
  DAY,
  death,
  goodMessage,
  heldMessages,
  LOG_TIME_MS,
  openThrough,
  redriveAll,
  reject,
  startActor,
} from "../../support/redrive.ts";

const OPTIONS = { isDryRun: false, queryTimeoutMs: 60_000 };

describe("redrive", () => {
  test("moves what is a reading by now with its position, its log time, its other fields and what it was", async () => {
    await using lake = await makeTestLake();
    const value = Buffer.from(
      `{"room":"é/ =%","sensor":"pir","ts":${DAY},"value":30,"id":12345678901234567890}`,
    );
    await reject(lake.lake, [goodMessage(7, { value, key: null, partition: 2 }), badMessage(8)]);
    assert.deepEqual(await redriveAll(lake.lake), {
      moved: 1,
      completed: 0,
      stillRejected: 1,
      reasons: { not_utf8: 1 },
      missing: 0,
      attempts: 1,
    });
    const [row] = await lake.rows(
      `select room, sensor_type, ts_unix, value, topic, "partition", "offset", log_ts, event_date, attributes from bronze_readings`,
    );
    const was = { reason: "not_json", key: null, original: value.toString() };
    assert.deepEqual(row, [
      "é/ =%",
      "pir",
      DAY,
      30,
      "iot.co2",
      2,
      7,
      new Date(LOG_TIME_MS).toISOString().replace(".000Z", "Z"),
      "2013-08-24",
      `{"id":12345678901234567890,"atrium.redriven":${JSON.stringify(was)}}`,
    ]);
  });

  test("asked for again, it moves nothing", async () => {
    await using lake = await makeTestLake();
    const messages = [goodMessage(0), badMessage(1), goodMessage(2)];
    await reject(lake.lake, messages);
    assert.equal((await redriveAll(lake.lake)).moved, 2);
    const again = await redriveAll(lake.lake);
    assert.deepEqual([again.moved, again.stillRejected, again.attempts], [0, 1, 0]);
    await assertEachOnce(lake.lake, messages, { isSettled: true });
  });

  test("works through many messages in bounded attempts, over several files", async () => {
    await using lake = await makeTestLake({ bronzePartitionBy: ["event_date"] });
    const messages = Array.from({ length: 20 }, (_, offset) =>
      offset % 4 === 3 ? badMessage(offset) : goodMessage(offset),
    );
    await reject(lake.lake, messages.slice(0, 11));
    await reject(lake.lake, messages.slice(11));
    const summary = await redriveAll(lake.lake, 3);
    assert.deepEqual([summary.moved, summary.stillRejected, summary.attempts], [15, 5, 7]);
    await assertEachOnce(lake.lake, messages, { isSettled: true });
  });

  test("takes only what the filters let through", async () => {
    await using lake = await makeTestLake();
    const messages = [
      goodMessage(0),
      goodMessage(1, { reason: "value_missing" }),
      goodMessage(2, { topic: "iot.pir" }),
      goodMessage(3, { key: "4130:co2" }),
    ];
    await reject(lake.lake, messages);
    const filter = { reasons: ["not_json"], topics: ["iot.co2"], room: "413" };
    const summary = await redrive({ ...OPTIONS, lake: lake.lake, filter });
    assert.equal(summary.moved, 1);
    assert.deepEqual(
      (await heldMessages(lake.lake)).map(({ offset }) => offset),
      [1, 3, 2],
    );
    await assertEachOnce(lake.lake, messages, { isSettled: true });
  });

  test("takes by ingest time, the end left out", async () => {
    const clock = testClock(Date.UTC(2026, 0, 1));
    await using lake = await makeTestLake({ clock });
    for (const offset of [0, 1, 2]) {
      clock.set(Date.UTC(2026, 0, 1 + offset, 12));
      await reject(lake.lake, [goodMessage(offset)]);
    }
    const filter = { from: "2026-01-02T12:00:00.000000Z", before: "2026-01-03T12:00:00.000000Z" };
    assert.equal((await redrive({ ...OPTIONS, lake: lake.lake, filter })).moved, 1);
    assert.deepEqual(
      (await heldMessages(lake.lake)).map(({ offset }) => offset),
      [0, 2],
    );
  });

  test("a dry run says what would move, and changes nothing", async () => {
    await using lake = await makeTestLake();
    await reject(lake.lake, [goodMessage(0), badMessage(1)]);
    const summary = await redrive({ ...OPTIONS, lake: lake.lake, isDryRun: true });
    assert.deepEqual([summary.moved, summary.stillRejected, summary.attempts], [1, 1, 0]);
    assert.equal((await lake.lake.table("bronze/rejected").snapshot())?.version, 1);
    assert.equal(await lake.lake.table("bronze/readings").snapshot(), undefined);
  });

  test("messages of two logs at one position both move, each with its own bytes", async () => {
    await using lake = await makeTestLake();
    const messages = [
      goodMessage(5),
      goodMessage(5, { logTimeMs: LOG_TIME_MS + 1 }),
      badMessage(5, { logTimeMs: LOG_TIME_MS + 2 }),
    ];
    await reject(lake.lake, messages);
    assert.equal((await redriveAll(lake.lake, 1)).moved, 2);
    await assertEachOnce(lake.lake, messages, { isSettled: true });
  });

  test("silver takes what moved, but for readings that it holds already", async () => {
    await using lake = await makeTestLake();
    await lake.send([message("r0", "co2", DAY, 400)]);
    await lake.ingest();
    await lake.refine();
    await reject(lake.lake, [goodMessage(0), goodMessage(1)]);
    assert.equal((await redriveAll(lake.lake)).moved, 2);
    await lake.refine();
    assert.deepEqual(await lake.rows("select ts_unix, value_raw from silver_readings order by 1"), [
      [DAY, 400],
      [DAY + 1, 1],
    ]);
  });

  test("messages that ingestion rejects meanwhile stay, and its positions too", async () => {
    await using lake = await makeTestLake();
    await lake.send([{ key: "413:co2", value: Buffer.from("odd") }]);
    await lake.ingest();
    await reject(lake.lake, [goodMessage(9)]);
    await redriveAll(lake.lake);
    await lake.send([{ key: "413:co2", value: Buffer.from("odd too") }]);
    assert.equal((await lake.ingest()).rejected, 1);
    assert.equal((await heldMessages(lake.lake)).length, 2);
  });
});

describe("corrections", () => {
  const line = (offset: number, value: unknown, more: object = {}): string =>
    JSON.stringify({ topic: "iot.co2", partition: 0, offset, value, ...more });
  const fix = async (lake: Lake, lines: readonly string[]) =>
    redrive({ ...OPTIONS, lake, corrections: readCorrections(lines.join("\n"), "fixed.jsonl") });
  const reading = { room: "413", sensor: "co2", ts: DAY, value: 495 };

  test("make readings of the messages that they name, once, and leave the others", async () => {
    await using lake = await makeTestLake();
    const messages = [0, 1, 2, 3].map((offset) => badMessage(offset));
    await reject(lake.lake, messages);
    const lines = [
      line(0, reading),
      "",
      line(1, JSON.stringify({ ...reading, ts: DAY + 1 })),
      line(2, { base64: Buffer.from("still odd").toString("base64") }),
      line(77, reading),
    ];
    const first = await fix(lake.lake, lines);
    assert.deepEqual([first.moved, first.reasons, first.missing], [2, { not_json: 1 }, 1]);
    const again = await fix(lake.lake, lines);
    assert.deepEqual([again.moved, again.stillRejected, again.missing], [0, 1, 3]);
    await assertEachOnce(lake.lake, messages, { isSettled: true });
    assert.deepEqual(await lake.rows(`select "offset", value from bronze_readings order by 1`), [
      [0, 495],
      [1, 495],
    ]);
  });

  test("digits stay as they were written", async () => {
    await using lake = await makeTestLake();
    await reject(lake.lake, [badMessage(0)]);
    const text = `{"topic":"iot.co2","partition":0,"offset":0,"value":{"room":"1","sensor":"co2","ts":${DAY},"value":1.50,"id":12345678901234567890}}`;
    assert.equal((await fix(lake.lake, [text])).moved, 1);
    const [[attributes] = []] = await lake.rows("select attributes from bronze_readings");
    assert.match(String(attributes), /^\{"id":12345678901234567890,/);
  });

  test("that fit several messages are refused, until they name the log time", async () => {
    await using lake = await makeTestLake();
    await reject(lake.lake, [badMessage(0), badMessage(0, { logTimeMs: LOG_TIME_MS + 1 })]);
    await assert.rejects(fix(lake.lake, ["", line(0, reading)]), /fixed\.jsonl, line 2: several messages/);
    const logTime = new Date(LOG_TIME_MS + 1).toISOString();
    assert.equal((await fix(lake.lake, [line(0, reading, { logTime })])).moved, 1);
    const [held, ...others] = await heldMessages(lake.lake);
    assert.deepEqual([held?.logTimeMs, others.length], [LOG_TIME_MS, 0]);
  });

  test("that are wrong are named by line, and nothing is done", () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      ["{", /line 1: it is no JSON\./],
      ["[]", /line 1: it is no JSON object/],
      [line(0, 5), /line 1: value is no object/],
      [line(0, null), /line 1: value is no object/],
      [line(-1, reading), /line 1: offset is no whole number/],
      [line(0, reading, { partition: 1.5 }), /line 1: partition/],
      [line(0, reading, { topic: undefined }), /line 1: topic is missing/],
      [line(0, reading, { logTime: "yesterday" }), /line 1: logTime/],
      [line(0, { base64: "?" }), /line 1: value\.base64/],
      [`${line(0, reading)}\n\n${line(0, "other")}`, /line 3: it corrects the same message as line 1/],
      ["\n", /holds no line/],
    ];
    for (const [text, expected] of wrong) {
      assert.throws(
        () => readCorrections(text, "fixed.jsonl"),
        (error) => {
          assert.ok(isAtriumError(error, "USAGE_INVALID"));
          assert.match(error.message, expected);
          return true;
        },
      );
    }
    const many = Array.from({ length: 12 }, () => "?").join("\n");
    assert.throws(() => readCorrections(many, "f"), /line 10: .*\n… and 2 more/);
  });
});

// One lake for many stories: each brings messages of its own, and all must still be there at its end.
describe("whatever happens, each message is exactly one row", { concurrency: false }, () => {
  let lake: TestLake;
  const messages: RejectedMessage[] = [];
  before(async () => (lake = await makeTestLake({ bronzePartitionBy: ["event_date"] })));
  after(async () => lake[Symbol.asyncDispose]());

  const addMessages = async (): Promise<void> => {
    const first = messages.length;
    // One message stays for ever; the others can move.
    const odd = first === 0 ? badMessage(first) : goodMessage(first);
    const added = [odd, ...[1, 2, 3].map((more) => goodMessage(first + more))];
    await reject(lake.lake, added);
    messages.push(...added);
  };
  const check = async (isSettled: boolean): Promise<void> =>
    assertEachOnce(lake.lake, messages, { isSettled });

  /** A redrive whose process dies at its n-th operation; false if it ended before. */
  const dieAt = async (n: number, when: "before" | "after"): Promise<boolean> => {
    let [count, isDead] = [0, false];
    const dying = await openThrough(lake.lake, async (_path, act) => {
      if (isDead) throw death();
      count += 1;
      isDead = count === n;
      if (isDead && when === "before") throw death();
      const result = await act();
      if (isDead) throw death();
      return result;
    });
    await redriveAll(dying, 100).catch((error: unknown) => assert.ok(isDead, String(error)));
    return isDead;
  };

  for (const when of ["before", "after"] as const) {
    test(`a redrive dies ${when} any operation of the store`, async () => {
      let n = 0;
      for (let hasDied = true; hasDied;) {
        n += 1;
        await addMessages();
        hasDied = await dieAt(n, when);
        await check(false);
        await redriveAll(lake.lake, 100);
        await check(true);
      }
      assert.ok(n > 15, `${n} operations`);
    });
  }

  test("redrives die one after the other, wherever", async () => {
    const deaths = fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.constantFrom("before", "after")), {
      minLength: 2,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(deaths, async (some) => {
        await addMessages();
        for (const [n, when] of some) await dieAt(n, when);
        await check(false);
        await redriveAll(lake.lake, 100);
        await check(true);
      }),
      { numRuns: 8 },
    );
  });

  test("a redrive sleeps before any step while another one runs whole, and then goes on", async () => {
    for (let n = 0, isUnderWay = true; isUnderWay; n += 1) {
      await addMessages();
      const sleeper = await startActor(lake.lake, 100);
      for (let step = 0; step < n; step += 1) await sleeper.step();
      isUnderWay = !sleeper.hasEnded();
      await redriveAll(lake.lake, 100);
      await check(true);
      while (!sleeper.hasEnded()) await sleeper.step();
      assertOvertakenOrDone(sleeper.error());
      await check(true);
    }
  });

  test("two redrives stop before any two of their commits, the first goes on first, and a third one clears up", async () => {
    for (const ofFirst of [0, 1, 2, 3]) {
      for (const ofSecond of [0, 1, 2, 3, 4]) {
        await addMessages();
        const first = await startActor(lake.lake, 100, "commits");
        for (let step = 0; step < ofFirst; step += 1) await first.step();
        const second = await startActor(lake.lake, 100, "commits");
        for (let step = 0; step < ofSecond; step += 1) await second.step();
        for (const actor of [first, second]) {
          while (!actor.hasEnded()) await actor.step();
          assertOvertakenOrDone(actor.error());
        }
        await check(false);
        await redriveAll(lake.lake, 100);
        await check(true);
      }
    }
  });

  test("three redrives take their steps in any order, and some die", async () => {
    const order = fc.array(
      fc.record({
        actor: fc.nat({ max: 2 }),
        steps: fc.integer({ min: 1, max: 12 }),
        end: fc.constantFrom("live", "live", "live", "live", "live", "die before", "die after"),
      }),
      { minLength: 4, maxLength: 14 },
    );
    await fc.assert(
      fc.asyncProperty(order, async (turns) => {
        await addMessages();
        const actors = await Promise.all([0, 1, 2].map(async () => startActor(lake.lake, 3)));
        for (const { actor, steps, end } of turns) {
          for (let step = 1; step < steps; step += 1) await actors[actor]?.step();
          await actors[actor]?.step(end);
        }
        for (const actor of actors) {
          while (!actor.hasEnded()) await actor.step();
          assertOvertakenOrDone(actor.error());
        }
        await check(false);
        await redriveAll(lake.lake, 3);
        await check(true);
      }),
      { numRuns: 12 },
    );
  });

  function assertOvertakenOrDone(error: unknown): void {
    const isKnown =
      error === undefined ||
      ["COMMIT_OVERTAKEN", "COMMIT_CONFLICT", "STORE_FAILED"].some(
        (code) => isAtriumError(error) && error.code === code,
      );
    assert.ok(isKnown, String(error));
  }
});

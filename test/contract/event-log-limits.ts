// CONTRACT of the EventLog port, part 2: waiting, lost positions, retention.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventLog } from "../../src/log/event-log.ts";
import { byteSize } from "../../src/log/records.ts";
import { isAtriumError } from "../../src/support/errors.ts";
import { readToEnd, recordsSeen, settle } from "../support/log.ts";
import {
  noisy,
  outgoing,
  perSuite,
  rejectsWith,
  startsOf,
  type LogFactory,
  type LogFixture,
} from "./event-log-fixture.ts";

const MIB = 1_048_576;

/** Waiting for records, and the ends of a wait. */
export function waitingCases(factory: LogFactory): void {
  const { fixture, newTopic } = perSuite(factory);

  test("a read of nothing with no time to wait returns an empty list", async () => {
    const { log } = fixture();
    const topic = await newTopic(1);
    assert.deepEqual(await log.read(startsOf(topic, 1), { recordsMax: 10, waitMs: 0 }), []);
  });

  test("a waiting read is woken by an append", async () => {
    const { log } = fixture();
    const topic = await newTopic(2);
    const reading = log.read(startsOf(topic, 2), { recordsMax: 10, waitMs: 60_000 });
    await settle();
    await log.append([outgoing(topic, 1, ["a"])]);
    assert.deepEqual(
      recordsSeen(await reading, []).map(({ at }) => at),
      [`${topic}/1/0`],
    );
  });

  test("a waiting read returns an empty list when its time is over", async () => {
    const { log, elapse } = fixture();
    const topic = await newTopic(1);
    let isOver = false;
    const reading = log
      .read(startsOf(topic, 1), { recordsMax: 10, waitMs: 100 })
      .finally(() => (isOver = true));
    for (let i = 0; i < 1000; i += 1) {
      await settle();
      if (isOver) break;
      await elapse(10);
    }
    assert.deepEqual(await reading, []);
  });

  test("an abort ends a waiting read, and one that begins after it", async () => {
    const { log } = fixture();
    const topic = await newTopic(1);
    const stopping = new AbortController();
    const reading = log.read(startsOf(topic, 1), { recordsMax: 10, waitMs: 60_000 }, stopping.signal);
    await settle();
    stopping.abort();
    assert.deepEqual(await reading, []);
    assert.deepEqual(
      await log.read(startsOf(topic, 1), { recordsMax: 10, waitMs: 60_000 }, stopping.signal),
      [],
    );
  });

  test("disposing ends waiting reads, may be repeated, and nothing works afterwards", async () => {
    const own = await factory.open();
    const topic = `${own.topicPrefix}closing`;
    await own.log.createTopics([{ name: topic, partitions: 1 }]);
    const reading = own.log.read(startsOf(topic, 1), { recordsMax: 10, waitMs: 60_000 });
    await settle();
    await own.log[Symbol.asyncDispose]();
    await own.log[Symbol.asyncDispose]();
    assert.deepEqual(await reading, []);
    await rejectsWith("INTERNAL", own.log.append([outgoing(topic, 0, ["a"])]));
    await rejectsWith("INTERNAL", own.log.read(startsOf(topic, 1), { recordsMax: 10, waitMs: 60_000 }));
    await own.dispose();
  });
}

/** Positions that the log does not hold. */
export function positionCases(factory: LogFactory): void {
  const { fixture, newTopic } = perSuite(factory);

  test("reading beyond the end is LOG_OFFSET_LOST and says where the log ends", async () => {
    const { log } = fixture();
    const topic = await newTopic(1);
    await log.append([outgoing(topic, 0, ["a"])]);
    const reading = log.read([{ topic, partition: 0, offset: 7n }], { recordsMax: 1, waitMs: 0 });
    await rejectsWith("LOG_OFFSET_LOST", reading, new RegExp(`offset 7 .* ends at ${1 + factory.marks}`));
  });

  test("releasing beyond the end is LOG_OFFSET_LOST, since nobody can have read that", async () => {
    const { log } = fixture();
    const topic = await newTopic(1);
    await log.append([outgoing(topic, 0, ["a"])]);
    const end = 1n + BigInt(factory.marks);
    await log.release([{ topic, partition: 0, offset: end }]);
    await rejectsWith("LOG_OFFSET_LOST", log.release([{ topic, partition: 0, offset: end + 1n }]));
  });
}

/** What happens when the log is full. */
export function fullnessCases(factory: LogFactory): void {
  test("a log full of what is not released refuses more and stores nothing of it, until some is released", () =>
    withLog(factory, { maxBytes: MIB }, async ({ log }, topic) => {
      const fitting = await fill(log, topic);
      assert.ok(fitting >= 8 && fitting < 16, `${fitting} batches of 64 KiB fit into 1 MiB`);
      const progress = { producer: "p", notes: new Map([["at", "1"]]) };
      await rejectsWith("LOG_FULL", log.append([noisy(topic, 0, 99)], progress));
      const before = { topic, partition: 0, start: 0n, end: BigInt(fitting) };
      assert.deepEqual((await log.ranges([topic]))[0], before);
      assert.equal((await log.progress("p")).size, 0);
      await log.release([{ topic, partition: 0, offset: 2n }]);
      await log.append([noisy(topic, 0, 99)], progress);
      const range = (await log.ranges([topic]))[0];
      assert.ok(range !== undefined && range.start >= 1n && range.start <= 2n, `starts at ${range?.start}`);
      assert.equal(range.end, BigInt(fitting) + 1n);
    }));

  test("a lower release does not take back a higher one", () =>
    withLog(factory, { maxBytes: MIB }, async ({ log }, topic) => {
      const fitting = await fill(log, topic);
      await log.release([{ topic, partition: 0, offset: BigInt(fitting) }]);
      await log.release([{ topic, partition: 0, offset: 0n }]);
      await log.append([noisy(topic, 0, 99)]);
    }));

  test("a log that is released as it is written goes on for ever within its limit", () =>
    withLog(factory, { maxBytes: MIB }, async ({ log, waitMs }, topic) => {
      for (let i = 0; i < 64; i += 1) {
        await log.append([noisy(topic, i % 2, i)]);
        const ends = (await log.ranges([topic])).map(({ partition, end }) => ({
          topic,
          partition,
          offset: end,
        }));
        await log.release(ends);
      }
      const held = (await log.ranges([topic])).map(({ partition, start }) => ({
        topic,
        partition,
        offset: start,
      }));
      const bytes = (await readToEnd(log, held, waitMs)).reduce(
        (sum, { records }) => sum + byteSize(records),
        0,
      );
      assert.ok(bytes > MIB / 2 && bytes <= MIB, `${bytes} bytes are held`);
    }));
}

/** What retention deletes by age, and what never. */
export function ageCases(factory: LogFactory): void {
  test("retention never deletes what is not released, however old it is", () =>
    withLog(factory, { maxAgeMs: 1000, maxBytes: MIB }, async ({ log, elapse, waitMs }, topic) => {
      await log.append([outgoing(topic, 0, ["a", "b"]), outgoing(topic, 1, ["c"])]);
      await log.append([outgoing(topic, 0, ["d"])]);
      await log.release([{ topic, partition: 0, offset: 1n }]);
      await elapse(1_000_000);
      await log.append([outgoing(topic, 0, ["e"])]);
      const from = startsOf(topic, 2);
      assert.equal(recordsSeen(await readToEnd(log, from, waitMs), from).length, 5);
    }));

  test("released batches older than maxAgeMs go with a later append, and only they", () =>
    withLog(factory, { maxAgeMs: 10_000, maxBytes: MIB }, async ({ log, elapse }, topic) => {
      await log.append([outgoing(topic, 0, ["a"]), outgoing(topic, 1, ["b"])]);
      await elapse(9_000);
      await log.append([outgoing(topic, 0, ["c"])]);
      await log.release([{ topic, partition: 0, offset: 2n }]);
      await elapse(6_000);
      await log.append([outgoing(topic, 0, ["d"])]);
      assert.deepEqual(await log.ranges([topic]), [
        { topic, partition: 0, start: 1n, end: 3n },
        { topic, partition: 1, start: 0n, end: 1n },
      ]);
    }));

  test("reading what retention has deleted is LOG_OFFSET_LOST and names how many records are gone", () =>
    withLog(factory, { maxAgeMs: 1000, maxBytes: MIB }, async ({ log, elapse }, topic) => {
      await log.append([outgoing(topic, 0, ["a", "b", "c"])]);
      await log.release([{ topic, partition: 0, offset: 3n }]);
      await elapse(10_000);
      await log.append([outgoing(topic, 0, ["d"])]);
      const reading = log.read([{ topic, partition: 0, offset: 1n }], { recordsMax: 10, waitMs: 0 });
      await rejectsWith("LOG_OFFSET_LOST", reading, /2 records from offset 1 on are gone/);
    }));
}

async function withLog(
  factory: LogFactory,
  retention: { readonly maxAgeMs?: number; readonly maxBytes: number },
  body: (fixture: LogFixture, topic: string) => Promise<void>,
): Promise<void> {
  const fixture = await factory.open(retention);
  const topic = `${fixture.topicPrefix}kept`;
  try {
    await fixture.log.createTopics([{ name: topic, partitions: 2 }]);
    await body(fixture, topic);
  } finally {
    await fixture.dispose();
  }
}

/** Appends batches of 64 KiB to partition 0 until the log is full; returns how many went in. */
async function fill(log: EventLog, topic: string): Promise<number> {
  for (let i = 0; i < 64; i += 1) {
    try {
      await log.append([noisy(topic, 0, i)]);
    } catch (error) {
      if (isAtriumError(error, "LOG_FULL") && error.retryable) return i;
      throw error;
    }
  }
  throw new Error("the log was never full");
}

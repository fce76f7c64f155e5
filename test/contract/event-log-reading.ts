// CONTRACT of the EventLog port, part 1: topics, what is appended, what is read, progress.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Position } from "../../src/log/event-log.ts";
import { RECORDS_PER_BATCH_MAX, keyAt, recordsOf, valueAt } from "../../src/log/records.ts";
import { movedOn, noise, readToEnd, recordsSeen } from "../support/log.ts";
import { outgoing, perSuite, rejectsWith, startsOf, type LogFactory } from "./event-log-fixture.ts";

/** Topics and their partitions. */
export function topicCases(factory: LogFactory): void {
  const { fixture } = perSuite(factory);

  test("a topic keeps its own name, whatever is done with the log", async () => {
    const { log, topicPrefix } = fixture();
    const topic = `${topicPrefix}named`;
    await log.createTopics([{ name: topic, partitions: 1 }]);
    const identity = await log.identity(topic);
    assert.match(identity, /^[\w.-]{1,100}$/);
    await log.createTopics([{ name: `${topic}-too`, partitions: 1 }]);
    await log.append([{ topic, partition: 0, records: recordsOf([{ key: "k", value: "v" }]) }]);
    assert.equal(await log.identity(topic), identity);
  });

  test("a topic keeps its number of partitions when it is created again", async () => {
    const { log, topicPrefix } = fixture();
    const name = `${topicPrefix}again`;
    await log.createTopics([{ name, partitions: 3 }]);
    await log.createTopics([
      { name, partitions: 5 },
      { name: `${name}2`, partitions: 1 },
    ]);
    const counts = await log.partitions();
    assert.equal(counts.get(name), 3);
    assert.equal(counts.get(`${name}2`), 1);
    assert.equal(counts.has(`${name}3`), false);
  });

  test("a new topic starts and ends at 0 in every partition", async () => {
    const { log, topicPrefix } = fixture();
    const topic = `${topicPrefix}new`;
    await log.createTopics([{ name: topic, partitions: 2 }]);
    assert.deepEqual(await log.ranges([topic]), [
      { topic, partition: 0, start: 0n, end: 0n },
      { topic, partition: 1, start: 0n, end: 0n },
    ]);
  });

  test("a topic or partition that was not created is NOT_FOUND to every call", async () => {
    const { log, topicPrefix } = fixture();
    const topic = `${topicPrefix}absent`;
    const known = `${topicPrefix}one-partition`;
    await log.createTopics([{ name: known, partitions: 1 }]);
    const places = [
      { topic, partition: 0 },
      { topic: known, partition: 1 },
    ];
    for (const place of places) {
      await rejectsWith(
        "NOT_FOUND",
        log.append([{ ...place, records: recordsOf([{ key: "k", value: "v" }]) }]),
      );
      await rejectsWith("NOT_FOUND", log.read([{ ...place, offset: 0n }], { recordsMax: 1, waitMs: 0 }));
      await rejectsWith("NOT_FOUND", log.release([{ ...place, offset: 0n }]));
    }
    await rejectsWith("NOT_FOUND", log.ranges([topic]));
  });

  test("a name that Kafka would refuse, or no partition at all, is USAGE_INVALID", async () => {
    const { log, topicPrefix } = fixture();
    await rejectsWith("USAGE_INVALID", log.createTopics([{ name: `${topicPrefix}a b`, partitions: 1 }]));
    await rejectsWith("USAGE_INVALID", log.createTopics([{ name: `${topicPrefix}ab`, partitions: 0 }]));
    assert.equal((await log.partitions()).has(`${topicPrefix}ab`), false);
  });
}

/** The order of what is read. */
export function orderCases(factory: LogFactory): void {
  const { fixture, newTopic } = perSuite(factory);

  test("records come back with their keys, values and offsets, in the order of appending", async () => {
    const { log, waitMs } = fixture();
    const topic = await newTopic(1);
    await log.append([outgoing(topic, 0, ["a", "b"]), outgoing(topic, 0, ["c"])]);
    await log.append([outgoing(topic, 0, ["d"])]);
    const from = startsOf(topic, 1);
    assert.deepEqual(recordsSeen(await readToEnd(log, from, waitMs), from), [
      { at: `${topic}/0/0`, key: "k-a", value: "a" },
      { at: `${topic}/0/1`, key: "k-b", value: "b" },
      { at: `${topic}/0/2`, key: "k-c", value: "c" },
      { at: `${topic}/0/${3 + factory.marks}`, key: "k-d", value: "d" },
    ]);
  });

  test("reading on from where the last read ended sees every record of every partition once", async () => {
    const { log, waitMs } = fixture();
    const topic = await newTopic(3);
    for (let i = 0; i < 30; i += 1) {
      await log.append(
        [0, 1, 2].filter((p) => (i + p) % 3 !== 0).map((p) => outgoing(topic, p, [`${i}/${p}`, "x"])),
      );
    }
    const from = startsOf(topic, 3);
    const seen = recordsSeen(await readToEnd(log, from, waitMs), from);
    assert.equal(seen.length, 120);
    assert.equal(new Set(seen.map(({ at }) => at)).size, 120);
    for (const p of [0, 1, 2]) {
      const offsets = seen
        .filter(({ at }) => at.startsWith(`${topic}/${p}/`))
        .map(({ at }) => Number(at.split("/")[2]));
      // Two records an append.
      assert.deepEqual(
        offsets,
        Array.from({ length: 40 }, (_, i) => i + Math.floor(i / 2) * factory.marks),
      );
    }
  });
}

/** Reading from some place on, and only so much. */
export function readingCases(factory: LogFactory): void {
  const { fixture, newTopic } = perSuite(factory);

  test("a position inside a batch brings that batch, and what follows", async () => {
    const { log, waitMs } = fixture();
    const topic = await newTopic(1);
    await log.append([outgoing(topic, 0, ["a", "b", "c"])]);
    await log.append([outgoing(topic, 0, ["d", "e"])]);
    for (const [offset, expected] of [
      [1, "bcde"],
      [2, "cde"],
      [3, "de"],
      [4 + factory.marks, "e"],
      [5 + factory.marks, ""],
    ] as const) {
      const from = [{ topic, partition: 0, offset: BigInt(offset) }];
      const seen = recordsSeen(await readToEnd(log, from, waitMs), from);
      assert.equal(seen.map(({ value }) => value).join(""), expected, `from ${offset}`);
    }
  });

  test("a read stops adding batches at recordsMax, and no partition is left out for ever", async () => {
    const { log, waitMs } = fixture();
    const topic = await newTopic(2);
    for (let i = 0; i < 20; i += 1) {
      await log.append([outgoing(topic, 0, ["a", "b", "c"]), outgoing(topic, 1, ["d"])]);
    }
    const first = await log.read(startsOf(topic, 2), { recordsMax: 1, waitMs });
    assert.equal(first.length, 1);
    let positions: readonly Position[] = startsOf(topic, 2);
    const partitions = new Set<number>();
    for (let reads = 0; reads < 20 && partitions.size < 2; reads += 1) {
      for (const batch of await log.read(positions, { recordsMax: 4, waitMs })) {
        positions = movedOn(positions, batch);
        partitions.add(batch.partition);
      }
    }
    assert.deepEqual(partitions, new Set([0, 1]));
  });

  test("partitions that were not asked for are not read", async () => {
    const { log, waitMs } = fixture();
    const topic = await newTopic(2);
    await log.append([outgoing(topic, 0, ["a"]), outgoing(topic, 1, ["b"])]);
    const from = [{ topic, partition: 1, offset: 0n }];
    assert.deepEqual(
      recordsSeen(await readToEnd(log, from, waitMs), from).map(({ value }) => value),
      ["b"],
    );
    assert.deepEqual(await log.read([], { recordsMax: 10, waitMs: 0 }), []);
  });
}

/** What an append does, and that it does all of it or nothing. */
export function appendingCases(factory: LogFactory): void {
  const { fixture, newTopic } = perSuite(factory);

  test("ranges tell the next offset of each partition", async () => {
    const { log } = fixture();
    const topic = await newTopic(2);
    await log.append([outgoing(topic, 1, ["a", "b"])]);
    assert.deepEqual(await log.ranges([topic]), [
      { topic, partition: 0, start: 0n, end: 0n },
      { topic, partition: 1, start: 0n, end: 2n + BigInt(factory.marks) },
    ]);
  });

  test("an append with one wrong batch appends nothing", async () => {
    const { log, topicPrefix } = fixture();
    const topic = await newTopic(1);
    const good = outgoing(topic, 0, ["a"]);
    const progress = { producer: topic, notes: new Map([["at", "1"]]) };
    await rejectsWith("NOT_FOUND", log.append([good, outgoing(`${topicPrefix}absent`, 0, ["b"])], progress));
    const { count, ...rest } = good.records;
    await rejectsWith(
      "INTERNAL",
      log.append([good, { ...good, records: { ...rest, count: count + 1 } }], progress),
    );
    assert.equal((await log.ranges([topic]))[0]?.end, 0n);
    assert.equal((await log.progress(topic)).size, 0);
  });

  test("the buffers of an append may be used again at once", async () => {
    const { log, waitMs } = fixture();
    const topic = await newTopic(1);
    const batch = outgoing(topic, 0, ["abc"]);
    await log.append([batch]);
    batch.records.values.fill(0x7a);
    const from = startsOf(topic, 1);
    assert.equal(recordsSeen(await readToEnd(log, from, waitMs), from)[0]?.value, "abc");
  });
}

/** What values and keys may be. */
export function recordCases(factory: LogFactory): void {
  const { fixture, newTopic } = perSuite(factory);

  const roundTrip = async (values: readonly (string | Uint8Array)[]): Promise<void> => {
    const { log, waitMs } = fixture();
    const topic = await newTopic(1);
    const records = recordsOf(values.map((value, i) => ({ key: `413:${i % 5}`, value })));
    await log.append([{ topic, partition: 0, records }]);
    const from = startsOf(topic, 1);
    const seen = recordsSeen(await readToEnd(log, from, waitMs), from);
    const expected = values.map((value) => Buffer.from(value).toString("latin1"));
    assert.deepEqual(
      seen.map(({ value }) => value),
      expected,
    );
    assert.deepEqual(
      seen.map(({ key }) => key),
      values.map((_, i) => `413:${i % 5}`),
    );
  };

  test("values may hold line feeds", () => roundTrip(["one\ntwo", "\n", "three\n\n", "four"]));
  test("values may be empty", () => roundTrip(["", "", "a", ""]));
  test("values may be any bytes", () =>
    roundTrip([Uint8Array.of(0, 255, 10, 13, 128), noise(5000), "é°✓", Uint8Array.of(0)]));
  test("keys may be empty, long, or not ASCII", async () => {
    const { log, waitMs } = fixture();
    const topic = await newTopic(1);
    const keys = ["", "413:temperature", "Büro °1:co2", "k".repeat(10_000)];
    await log.append([{ topic, partition: 0, records: recordsOf(keys.map((key) => ({ key, value: "v" }))) }]);
    const from = startsOf(topic, 1);
    assert.deepEqual(
      recordsSeen(await readToEnd(log, from, waitMs), from).map(({ key }) => key),
      keys,
    );
  });

  test("a batch may have 65,535 records, each with its own key", async () => {
    const { log, waitMs } = fixture();
    const topic = await newTopic(1);
    const items = Array.from({ length: RECORDS_PER_BATCH_MAX }, (_, i) => ({
      key: `k${i}`,
      value: String(i),
    }));
    await log.append([{ topic, partition: 0, records: recordsOf(items) }]);
    const batches = await readToEnd(log, startsOf(topic, 1), waitMs);
    const last = batches.findLast(({ records }) => records.count > 0);
    assert.ok(last);
    assert.equal(
      batches.reduce((sum, { records }) => sum + records.count, 0),
      RECORDS_PER_BATCH_MAX,
    );
    assert.equal(keyAt(last.records, last.records.count - 1), "k65534");
    assert.equal(Buffer.from(valueAt(last.records, last.records.count - 1)).toString(), "65534");
  });
}

/** A producer's notes. */
export function progressCases(factory: LogFactory): void {
  const { fixture, newTopic } = perSuite(factory);

  test("notes are kept by producer and name; those not named stay", async () => {
    const { log } = fixture();
    const topic = await newTopic(1);
    const [one, two] = [`${topic}-one`, `${topic}-two`];
    await log.append([outgoing(topic, 0, ["a"])], {
      producer: one,
      notes: new Map([
        ["x", "1"],
        ["y", "1"],
      ]),
    });
    await log.append([], { producer: one, notes: new Map([["x", "2"]]) });
    await log.append([], { producer: two, notes: new Map([["x", "é\n"]]) });
    assert.deepEqual(
      await log.progress(one),
      new Map([
        ["x", "2"],
        ["y", "1"],
      ]),
    );
    assert.deepEqual([...(await log.progress(two))], [["x", "é\n"]]);
    assert.deepEqual([...(await log.progress(`${topic}-three`))], []);
  });

  test("notes that are no longer what the producer knows refuse the whole append", async () => {
    const { log } = fixture();
    const topic = await newTopic(1);
    const producer = topic;
    const none = new Map<string, string>();
    const [one, two] = [new Map([["x", "1"]]), new Map([["x", "2"]])];
    await log.append([outgoing(topic, 0, ["a"])], { producer, notes: one, previous: none });
    const late = { producer, notes: new Map([["y", "1"], ...two]), previous: none };
    await rejectsWith("COMMIT_OVERTAKEN", log.append([outgoing(topic, 0, ["a"])], late), /another replay/i);
    assert.deepEqual(await log.progress(producer), one);
    assert.equal((await log.ranges([topic]))[0]?.end, 1n + BigInt(factory.marks));
    // The names of other notes may say what they like, and so may other producers.
    const known = new Map([...one, ["z", "elsewhere"]]);
    await log.append([outgoing(topic, 0, ["b"])], { producer, notes: two, previous: known });
    await log.append([], { producer: `${topic}-other`, notes: one, previous: none });
    assert.deepEqual(await log.progress(producer), two);
    assert.equal((await log.ranges([topic]))[0]?.end, 2n + 2n * BigInt(factory.marks));
  });

  test("an append without notes leaves the notes alone", async () => {
    const { log } = fixture();
    const topic = await newTopic(1);
    await log.append([], { producer: topic, notes: new Map([["x", "1"]]) });
    await log.append([outgoing(topic, 0, ["a"])]);
    assert.deepEqual([...(await log.progress(topic))], [["x", "1"]]);
  });
}

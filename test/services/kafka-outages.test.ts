// A broker that is killed or stands still while replay and ingestion are at work on it, and a second replay: nothing is lost,
// nothing is doubled, and the user is told.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { KafkaLog, KafkaLogOptions } from "../../src/adapters/kafka/event-log.ts";
import type { Progress } from "../../src/log/event-log.ts";
import { recordsOf } from "../../src/log/records.ts";
import { uniqueId } from "../../src/support/chance.ts";
import { systemClock } from "../../src/support/clock.ts";
import { AtriumError, isAtriumError } from "../../src/support/errors.ts";
import { onFaultPoint } from "../../src/support/fault-point.ts";
import { silentLogger } from "../../src/support/logger.ts";
import { rejectsWith } from "../contract/event-log-fixture.ts";
import {
  connectionTo,
  ingestFrom,
  logOn,
  ownBroker,
  recordsOfTopic,
  withoutKafka,
} from "../support/kafka.ts";
import { makeTestLake, message } from "../support/lake.ts";

function numberIn(message: string): number {
  return (JSON.parse(message) as { readonly value: number }).value;
}

/** Rounds before, while and after the broker is away. */
const ROUNDS = 60;
const PER_ROUND = 50;
const PARTITIONS = 3;

describe("a broker that goes away", { skip: withoutKafka }, () => {
  const broker = ownBroker();

  function open(options: Partial<KafkaLogOptions> = {}): KafkaLog {
    // A short time-out, so that a broker that stands still is noticed soon.
    const connection = { ...connectionTo(broker().bootstrap), requestTimeoutMs: 1500 };
    return logOn(broker().bootstrap, { connection, ...options });
  }

  /** Appends rounds of numbered readings as replay does: the same batches again after STORE_FAILED, with notes. */
  async function produce(log: KafkaLog, topic: string, onRound: (round: number) => void): Promise<number> {
    let failures = 0;
    let previous: Progress = await log.progress(topic);
    for (let round = 0; round < ROUNDS; round += 1) {
      const batches = Array.from({ length: PARTITIONS }, (_, partition) => ({
        topic,
        partition,
        records: recordsOf(
          Array.from({ length: PER_ROUND }, (_, i) => {
            const number = (round * PARTITIONS + partition) * PER_ROUND + i;
            return message("413", "co2", 1_377_299_108 + number, number);
          }),
        ),
      }));
      const notes = new Map([["round", String(round)]]);
      for (let isDone = false; !isDone;) {
        try {
          await log.append(batches, { producer: topic, notes, previous });
          isDone = true;
        } catch (error) {
          if (!isAtriumError(error, "STORE_FAILED")) throw error;
          failures += 1;
        }
      }
      previous = notes;
      onRound(round);
    }
    return failures;
  }

  async function during(trouble: () => Promise<void>): Promise<void> {
    const topic = `topic-${uniqueId()}`;
    const said: string[] = [];
    const note = (words: string): void => void said.push(words);
    await using log = open();
    await using reading = open({ logger: { ...silentLogger, warn: note, info: note } });
    await log.createTopics([{ name: topic, partitions: PARTITIONS }]);
    await using lake = await makeTestLake({ clock: systemClock });
    let isSent = false;
    let troubled: Promise<void> | undefined;
    const ingesting = ingestFrom(reading, lake.lake, {
      topics: [topic],
      batchRowsMax: 700,
      isComplete: () => isSent,
    });
    const producing = produce(log, topic, (round) => {
      if (round === 20) troubled = trouble();
    });
    await producing;
    await troubled;
    isSent = true;
    await ingesting;
    const all = ROUNDS * PARTITIONS * PER_ROUND;
    assert.deepEqual(
      await lake.rows("select count(*), count(distinct value), min(value), max(value) from bronze_readings"),
      [[all, all, 0, all - 1]],
    );
    const values = (await recordsOfTopic(reading, topic)).map(({ value }) => numberIn(value));
    assert.equal(values.length, all);
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      const own = values.filter((value) => Math.floor(value / PER_ROUND) % PARTITIONS === partition);
      assert.deepEqual(
        own,
        own.toSorted((a, b) => a - b),
        "the order of a partition",
      );
    }
    assert.match(said.join("\n"), /does not answer: reading waits[^]*answers again: reading goes on/);
  }

  test("killed with -9 under load and started again: every message once, in order", async () =>
    during(async () => {
      await broker().kill("SIGKILL");
      await broker().restart();
    }));

  test("standing still for longer than a request may take: every message once, in order", async () =>
    during(async () => {
      await broker().kill("SIGSTOP");
      await systemClock.sleep(6000);
      await broker().kill("SIGCONT");
    }));

  for (const point of ["log/append/inside", "log/append/done"] as const) {
    test(`an append that is cut off at ${point} and made again is there once, and so are its notes`, async () => {
      await using log = open();
      const topic = `topic-${uniqueId()}`;
      await log.createTopics([{ name: topic, partitions: 1 }]);
      let failures = 0;
      onFaultPoint((passed) => {
        if (passed !== point || failures === 3) return;
        failures += 1;
        throw new AtriumError("STORE_FAILED", "The answer was lost.");
      });
      try {
        let previous: Progress = await log.progress(topic);
        for (const value of ["1", "2", "3"]) {
          const notes = new Map([["at", value]]);
          const batches = [{ topic, partition: 0, records: recordsOf([{ key: "k", value }]) }];
          await log.append(batches, { producer: topic, notes, previous });
          previous = notes;
        }
      } finally {
        onFaultPoint(() => undefined);
      }
      assert.equal(failures, 3);
      const read = await recordsOfTopic(log, topic);
      assert.deepEqual(
        read.map(({ value }) => value),
        ["1", "2", "3"],
      );
      assert.deepEqual(await log.progress(topic), new Map([["at", "3"]]));
    });
  }

  test("a second replay takes over, and the first one stops before it sends anything twice", async () => {
    await using first = open();
    await using second = open();
    const topic = `topic-${uniqueId()}`;
    await first.createTopics([{ name: topic, partitions: 1 }]);
    const step = (value: string, before: Progress) => ({
      producer: topic,
      notes: new Map([["at", value]]),
      previous: before,
    });
    const batch = (value: string) => [{ topic, partition: 0, records: recordsOf([{ key: "k", value }]) }];
    await first.append(batch("1"), step("1", await first.progress(topic)));
    const seen = await second.progress(topic);
    assert.deepEqual(seen, new Map([["at", "1"]]));
    await rejectsWith("COMMIT_OVERTAKEN", first.append(batch("2"), step("2", seen)), /taken over/);
    await rejectsWith("COMMIT_OVERTAKEN", first.append(batch("2"), step("2", seen)), /taken over/);
    await second.append(batch("2"), step("2", seen));
    const read = await recordsOfTopic(second, topic);
    assert.deepEqual(
      read.map(({ value }) => value),
      ["1", "2"],
    );
  });
});

// A broker that goes away while messages are sent to it and read from it: what must hold when it is back.

import assert from "node:assert/strict";
import type { Kafka } from "../../services/kafka.ts";
import type { KafkaLog, KafkaLogOptions } from "../../src/adapters/kafka/event-log.ts";
import type { Progress } from "../../src/log/event-log.ts";
import { uniqueId } from "../../src/support/chance.ts";
import { systemClock } from "../../src/support/clock.ts";
import { isAtriumError } from "../../src/support/errors.ts";
import { silentLogger } from "../../src/support/logger.ts";
import { plainAccess } from "./kafka-access.ts";
import { ingestFrom, logOn, numbered, recordsOfTopic } from "./kafka.ts";
import { makeTestLake } from "./lake.ts";

/** What is done to the broker, and when. */
export interface Outage {
  /** In the middle of an append, or while ingestion has all that was sent and waits for more. */
  readonly during: "producing" | "reading";
  /** Takes the broker away and brings it back. */
  readonly trouble: () => Promise<void>;
}

/** Rounds of appends before, while and after the broker is away. */
const ROUNDS = 60;
const TROUBLE_ROUND = 20;
const PER_ROUND = 50;
const PARTITIONS = 3;
const ALL = ROUNDS * PARTITIONS * PER_ROUND;

/** Opens a log that notices soon that a broker stands still. */
export function openImpatient(broker: Kafka, options: Partial<KafkaLogOptions> = {}): KafkaLog {
  const connection = { ...plainAccess(broker.bootstrap), requestTimeoutMs: 3000 };
  return logOn(broker.bootstrap, { connection, ...options });
}

/**
 * Sends and ingests through an outage. Fails unless every message is in the topic and in bronze, once and in the order of its
 * partition, and ingestion has said that it waited and that it goes on.
 */
export async function assertSurvives(broker: Kafka, { during, trouble }: Outage): Promise<void> {
  const topic = `topic-${uniqueId()}`;
  const said: string[] = [];
  const note = (words: string): void => void said.push(words);
  await using log = openImpatient(broker);
  await using reading = openImpatient(broker, { logger: { ...silentLogger, warn: note, info: note } });
  await log.createTopics([{ name: topic, partitions: PARTITIONS }]);
  await using lake = await makeTestLake({ clock: systemClock });
  const taken = Promise.withResolvers<void>();
  let isSent = false;
  let rows = 0;
  const ingesting = ingestFrom(reading, lake.lake, {
    topics: [topic],
    batchRowsMax: 700,
    isComplete: () => isSent,
    onCommit: (batch) => {
      rows += batch.readings;
      if (rows >= (TROUBLE_ROUND + 1) * PARTITIONS * PER_ROUND) taken.resolve();
    },
  });
  let troubled: Promise<void> | undefined;
  await produce(log, topic, async (round) => {
    if (round !== TROUBLE_ROUND) return;
    if (during === "reading") await taken.promise;
    troubled = trouble();
    if (during === "reading") await troubled;
  });
  await troubled;
  isSent = true;
  await ingesting;
  assert.deepEqual(
    await lake.rows("select count(*), count(distinct value), min(value), max(value) from bronze_readings"),
    [[ALL, ALL, 0, ALL - 1]],
  );
  await assertInOrder(reading, topic);
  assert.match(said.join("\n"), /does not answer: reading waits[^]*answers again: reading goes on/);
}

/** Appends rounds of numbered readings as replay does: the same batches again after STORE_FAILED, with notes. */
async function produce(
  log: KafkaLog,
  topic: string,
  afterRound: (round: number) => Promise<void>,
): Promise<void> {
  let previous: Progress = await log.progress(topic);
  for (let round = 0; round < ROUNDS; round += 1) {
    const batches = Array.from({ length: PARTITIONS }, (_, partition) => {
      const first = (round * PARTITIONS + partition) * PER_ROUND;
      return numbered(
        topic,
        partition,
        Array.from({ length: PER_ROUND }, (__, i) => first + i),
      );
    });
    const notes = new Map([["round", String(round)]]);
    for (let isDone = false; !isDone;) {
      try {
        await log.append(batches, { producer: topic, notes, previous });
        isDone = true;
      } catch (error) {
        if (!isAtriumError(error, "STORE_FAILED")) throw error;
      }
    }
    previous = notes;
    await afterRound(round);
  }
}

async function assertInOrder(log: KafkaLog, topic: string): Promise<void> {
  const values = (await recordsOfTopic(log, topic)).map(({ value }) => {
    return (JSON.parse(value) as { readonly value: number }).value;
  });
  assert.equal(values.length, ALL);
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    const own = values.filter((value) => Math.floor(value / PER_ROUND) % PARTITIONS === partition);
    assert.deepEqual(
      own,
      own.toSorted((a, b) => a - b),
      `the order of partition ${partition}`,
    );
  }
}

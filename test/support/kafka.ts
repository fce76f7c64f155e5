// For tests against a real broker: one broker a file, started when the file is, and logs on it.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { type Kafka, type KafkaOptions, kafkaTool, startKafka } from "../../services/kafka.ts";
import { type KafkaLog, type KafkaLogOptions, openKafkaLog } from "../../src/adapters/kafka/event-log.ts";
import { ingest, type IngestOptions, type IngestSummary } from "../../src/lakehouse/bronze/ingest.ts";
import type { Lake } from "../../src/lakehouse/lake.ts";
import type { OutgoingBatch } from "../../src/log/event-log.ts";
import { recordsOf } from "../../src/log/records.ts";
import { uniqueId } from "../../src/support/chance.ts";
import { systemClock } from "../../src/support/clock.ts";
import { silentLogger } from "../../src/support/logger.ts";
import { plainAccess } from "./kafka-access.ts";
import { makeTestLake, message, type TestLake } from "./lake.ts";
import { readToEnd, recordsSeen, type SeenRecord } from "./log.ts";
import { temporaryFolder } from "./program.ts";
import { withoutServices } from "./services.ts";

/** Why tests that need a broker are left out here, or false. */
export const withoutKafka = await withoutServices("kafka");

/** A broker for the tests of a `describe`. */
export function ownBroker(options: Omit<KafkaOptions, "folder"> = { topics: [] }): () => Kafka {
  let broker: Kafka | undefined;
  let folder: Awaited<ReturnType<typeof temporaryFolder>> | undefined;
  before(async () => {
    folder = await temporaryFolder();
    broker = await startKafka({ ...options, folder: folder.path });
  });
  after(async () => {
    await broker?.kill("SIGKILL");
    await folder?.[Symbol.asyncDispose]();
  });
  return () => {
    if (broker === undefined) throw new Error("the broker has not started");
    return broker;
  };
}

/** Opens a log on a broker. */
export function logOn(bootstrap: string, options: Partial<KafkaLogOptions> = {}): KafkaLog {
  return openKafkaLog({
    connection: plainAccess(bootstrap),
    clock: systemClock,
    logger: silentLogger,
    compression: "lz4",
    batchBytesMax: 131_072,
    replication: -1,
    group: undefined,
    ...options,
  });
}

/** What a test of one topic works with. */
export interface TopicParts {
  readonly log: KafkaLog;
  readonly lake: TestLake;
  readonly topic: string;
}

/** Gives the body a topic of its own and an empty lake. */
export async function withTopic(
  bootstrap: string,
  body: (parts: TopicParts) => Promise<void>,
): Promise<void> {
  await using log = logOn(bootstrap);
  // Time passes quickly for ingestion, so that what it does now and then comes soon.
  await using lake = await makeTestLake({
    clock: { ...systemClock, monotonicMs: () => systemClock.monotonicMs() * 20 },
  });
  const topic = `topic-${uniqueId()}`;
  await log.createTopics([{ name: topic, partitions: 1 }]);
  await body({ log, lake, topic });
}

/** CO2 readings of room 413 for a partition: each number is the value, and the second of its event time. */
export function numbered(topic: string, partition: number, numbers: readonly number[]): OutgoingBatch {
  const messages = numbers.map((value) => message("413", "co2", 1_377_299_108 + value, value));
  return { topic, partition, records: recordsOf(messages) };
}

/** The values of all readings in bronze, in their own order. */
export async function valuesIn(lake: TestLake): Promise<readonly unknown[]> {
  return (await lake.rows("select value from bronze_readings order by 1")).map(([value]) => value);
}

/** Sends lines `key|value` by Java's own producer. */
export async function sendByJava(
  bootstrap: string,
  topic: string,
  { lines, codec = "none" }: { readonly lines: readonly string[]; readonly codec?: string },
): Promise<void> {
  const to = ["--bootstrap-server", bootstrap, "--topic", topic, "--compression-codec", codec];
  const keyed = ["--reader-property", "parse.key=true", "--reader-property", "key.separator=|"];
  const tool = "org.apache.kafka.tools.ConsoleProducer";
  const { code, stderr } = await kafkaTool([tool, ...to, ...keyed], { input: `${lines.join("\n")}\n` });
  assert.equal(code, 0, stderr);
}

/** All records of a topic from its beginning to its present end, in the order of each partition. */
export async function recordsOfTopic(log: KafkaLog, topic: string): Promise<readonly SeenRecord[]> {
  const from = (await log.ranges([topic])).map(({ partition, start }) => ({
    topic,
    partition,
    offset: start,
  }));
  return recordsSeen(await readToEnd(log, from, 60_000), from);
}

/** Ingestion into a lake to the end of the log, or as the options say. */
export async function ingestFrom(
  log: KafkaLog,
  lake: Lake,
  options: Partial<IngestOptions> & Pick<IngestOptions, "topics">,
): Promise<IngestSummary> {
  return ingest({
    lake,
    log,
    batchRowsMax: 100_000,
    batchAgeMsMax: 0,
    logger: silentLogger,
    signal: new AbortController().signal,
    isComplete: () => true,
    ...options,
  });
}

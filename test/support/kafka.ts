// For tests against a real broker: one broker a file, started when the file is, and logs on it.

import { after, before } from "node:test";
import { type Kafka, type KafkaOptions, startKafka } from "../../services/kafka.ts";
import { type KafkaLog, type KafkaLogOptions, openKafkaLog } from "../../src/adapters/kafka/event-log.ts";
import { ingest, type IngestOptions, type IngestSummary } from "../../src/lakehouse/bronze/ingest.ts";
import type { Lake } from "../../src/lakehouse/lake.ts";
import { systemClock } from "../../src/support/clock.ts";
import { silentLogger } from "../../src/support/logger.ts";
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

/** How the plain listener of a broker is reached. */
export function connectionTo(bootstrap: string): KafkaLogOptions["connection"] {
  return {
    bootstrap: [bootstrap],
    security: "plaintext",
    saslMechanism: "plain",
    username: undefined,
    password: undefined,
    caFile: undefined,
    certFile: undefined,
    keyFile: undefined,
  };
}

/** Opens a log on a broker. */
export function logOn(bootstrap: string, options: Partial<KafkaLogOptions> = {}): KafkaLog {
  return openKafkaLog({
    connection: connectionTo(bootstrap),
    clock: systemClock,
    logger: silentLogger,
    compression: "lz4",
    batchBytesMax: 131_072,
    replication: -1,
    group: undefined,
    ...options,
  });
}

/** All records of a topic from its beginning to its present end, in the order of each partition. */
export async function recordsOfTopic(log: KafkaLog, topic: string): Promise<readonly SeenRecord[]> {
  const from = (await log.ranges([topic])).map(({ partition, start }) => ({
    topic,
    partition,
    offset: start,
  }));
  return recordsSeen(await readToEnd(log, from, 5000), from);
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

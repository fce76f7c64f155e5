// The log on Kafka with a broker on the same machine: raw files to topics, topics to committed bronze, and both with messages
// of 1.2 kB.

import { join } from "node:path";
import type { Kafka } from "../services/kafka.ts";
import { openKafkaLog } from "../src/adapters/kafka/event-log.ts";
import { partitionOf } from "../src/log/partitioner.ts";
import { type KeyedValue, recordsOf } from "../src/log/records.ts";
import { SENSOR_TRAITS } from "../src/reading/terms.ts";
import { systemClock } from "../src/support/clock.ts";
import { silentLogger } from "../src/support/logger.ts";
import { plainAccess } from "../test/support/kafka-access.ts";
import { numbersIn } from "./figures.ts";
import { ATRIUM, measure, type Measured, type MeasureOptions, type Say, type Usage } from "./measure.ts";

/** Messages that went from one place to another. */
export interface Throughput {
  readonly what: string;
  readonly messages: number;
  /** Of their values, uncompressed. */
  readonly bytes: number;
  /** Of the process that did it; of one that is not measured the wall time alone. */
  readonly usage: Pick<Usage, "wallSeconds"> & Partial<Usage>;
}

/** What is measured on a broker. */
export interface BrokerOptions extends MeasureOptions {
  readonly broker: Kafka;
  readonly say: Say;
}

/** About 1.7 million readings. */
const SIZE = ["--rooms", "8", "--days", "3", "--seed", "1"];
/** Bytes of a reading's value, about. */
const READING_BYTES = 62;
const LARGE_MESSAGES = 200_000;
const LARGE_BYTES = 1200;
const PER_APPEND = 10_000;
const ROOMS = Array.from({ length: 20 }, (_, index) => `room-${index}`);
const { topic: CO2 } = SENSOR_TRAITS.co2;

/** The flags that lead a program to the broker. */
export function brokerFlags({ bootstrap }: Kafka): readonly string[] {
  return ["--log", "kafka", "--kafka-bootstrap", bootstrap];
}

/** Replays generated readings, ingests them, and does the same with large messages. */
export async function measureKafka({ broker, say, ...options }: BrokerOptions): Promise<Throughput[]> {
  const raw = join(options.cwd, "raw-of-kafka");
  await measure(ATRIUM, ["generate", ...SIZE, "--out", raw], options);
  const run = async (what: string, args: readonly string[]): Promise<Measured> => {
    say(what);
    return measure(ATRIUM, [...args, ...brokerFlags(broker), "--json"], options);
  };
  const ingest = ["ingest", "--once", "--lake", join(options.cwd, "lake-of-kafka")];
  const replayed = await run("replay to Kafka", ["replay", "--raw", raw, "--replay-mode", "max"]);
  const { messages } = numbersIn(replayed.stdout, ["messages"]);
  const readings = { messages, bytes: messages * READING_BYTES };
  const large = { messages: LARGE_MESSAGES, bytes: LARGE_MESSAGES * LARGE_BYTES };
  return [
    { what: "replay to Kafka", ...readings, usage: replayed },
    { what: "Kafka to bronze", ...readings, usage: await run("Kafka to bronze", ingest) },
    { what: "1.2 kB to Kafka", ...large, usage: { wallSeconds: await sendLarge(broker) } },
    { what: "1.2 kB to bronze", ...large, usage: await run("Kafka to bronze, 1.2 kB", ingest) },
  ];
}

/** Sends messages whose attributes fill them up; returns how long it took, s. */
async function sendLarge({ bootstrap }: Kafka): Promise<number> {
  await using log = openKafkaLog({
    connection: plainAccess(bootstrap),
    clock: systemClock,
    logger: silentLogger,
    compression: "lz4",
    batchBytesMax: 131_072,
    replication: -1,
    group: undefined,
  });
  const count = (await log.partitions()).get(CO2) ?? 1;
  const startMs = performance.now();
  for (let sent = 0; sent < LARGE_MESSAGES; sent += PER_APPEND) {
    const items = Array.from({ length: PER_APPEND }, (_, index) => largeMessage(sent + index));
    const byPartition = Map.groupBy(items, ({ key }) => partitionOf(key, count));
    await log.append(
      Array.from(byPartition, ([partition, some]) => ({ topic: CO2, partition, records: recordsOf(some) })),
    );
  }
  return (performance.now() - startMs) / 1000;
}

function largeMessage(n: number): KeyedValue {
  const room = ROOMS[n % ROOMS.length] ?? "";
  const reading = { room, sensor: "co2", ts: 1_400_000_000 + n, value: n % 900 };
  const frame = JSON.stringify({ ...reading, attributes: { note: "" } }).length;
  const note = Math.imul(n, 2_654_435_761)
    .toString(36)
    .padEnd(8, "x")
    .repeat(200)
    .slice(0, LARGE_BYTES - frame);
  return { key: `${room}:co2`, value: JSON.stringify({ ...reading, attributes: { note } }) };
}

// The log on Kafka, measured with a broker on the same machine: raw files to topics, topics to committed bronze, and the
// same with messages of 1.2 kB. `node bench/kafka.ts [--rooms N] [--days N]`; needs Java (see docs/operate/services.md).

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Kafka, startKafka } from "../services/kafka.ts";
import { openKafkaLog } from "../src/adapters/kafka/event-log.ts";
import { partitionOf } from "../src/log/partitioner.ts";
import { type KeyedValue, recordsOf } from "../src/log/records.ts";
import { SENSOR_TRAITS } from "../src/reading/terms.ts";
import { systemClock } from "../src/support/clock.ts";
import { silentLogger } from "../src/support/logger.ts";
import { ATRIUM, measure, type Measured } from "./measure.ts";
import { type Cell, number, tableText } from "./table.ts";

const LARGE_MESSAGES = 200_000;
const LARGE_BYTES = 1200;
const PER_APPEND = 10_000;
const PARTITIONS = 3;
/** Bytes of a reading's value, about. */
const READING_BYTES = 62;
const PLAIN = {
  security: "plaintext",
  saslMechanism: "plain",
  username: undefined,
  password: undefined,
  caFile: undefined,
  certFile: undefined,
  keyFile: undefined,
} as const;
const { topic: CO2 } = SENSOR_TRAITS.co2;

const { values } = parseArgs({
  options: { rooms: { type: "string", default: "8" }, days: { type: "string", default: "3" } },
});
const folder = await mkdtemp(join(tmpdir(), "atrium-bench-"));
const stopping = new AbortController();
try {
  await using broker = await startKafka({ folder: join(folder, "broker") });
  process.stdout.write(await measureAll(broker));
} finally {
  stopping.abort();
  await rm(folder, { recursive: true, force: true });
}

async function measureAll(broker: Kafka): Promise<string> {
  const raw = join(folder, "raw");
  const options = { cwd: folder, signal: stopping.signal };
  await measure(ATRIUM, ["generate", "--out", raw, "--rooms", values.rooms, "--days", values.days], options);
  const kafka = ["--log", "kafka", "--kafka-bootstrap", broker.bootstrap];
  const run = async (args: readonly string[]): Promise<Measured> =>
    measure(ATRIUM, [...args, ...kafka, "--json"], options);
  const rows: (readonly Cell[])[] = [];
  const add = (name: string, measured: Measured, { messages, bytes }: Load): void => {
    const seconds = measured.wallSeconds;
    const rates = [number(messages / seconds), number(bytes / seconds / 1e6, 1)];
    rows.push([
      name,
      number(messages),
      ...rates,
      number(seconds, 1),
      number(measured.cpuSeconds, 1),
      number(measured.peakMemoryMb),
    ]);
  };
  const replayed = await run(["replay", "--raw", raw, "--replay-mode", "max"]);
  const { messages } = JSON.parse(replayed.stdout) as { readonly messages: number };
  const readings = { messages, bytes: messages * READING_BYTES };
  const larges = { messages: LARGE_MESSAGES, bytes: LARGE_MESSAGES * LARGE_BYTES };
  add("raw files to Kafka", replayed, readings);
  const ingested = await run(["ingest", "--once", "--lake", join(folder, "lake")]);
  add("Kafka to bronze", ingested, readings);
  const largeSeconds = await sendLarge(broker);
  const usage = { wallSeconds: largeSeconds, cpuSeconds: Number.NaN, peakMemoryMb: Number.NaN, stdout: "" };
  add("1.2 kB messages to Kafka", usage, larges);
  const large = await run(["ingest", "--once", "--lake", join(folder, "lake")]);
  add("1.2 kB messages to bronze", large, larges);
  return tableText(["what", "messages", "messages/s", "MB/s", "s", "CPU s", "peak MB"], rows);
}

interface Load {
  readonly messages: number;
  readonly bytes: number;
}

/** Sends messages whose attributes fill them up; returns how long it took, s. */
async function sendLarge({ bootstrap }: Kafka): Promise<number> {
  await using log = openKafkaLog({
    connection: { ...PLAIN, bootstrap: [bootstrap] },
    clock: systemClock,
    logger: silentLogger,
    compression: "lz4",
    batchBytesMax: 131_072,
    replication: -1,
    group: undefined,
  });
  const rooms = Array.from({ length: 20 }, (_, i) => `room-${i}`);
  const startMs = performance.now();
  for (let sent = 0; sent < LARGE_MESSAGES; sent += PER_APPEND) {
    const items = Array.from({ length: PER_APPEND }, (_, i) => largeMessage(rooms[i % 20] ?? "", sent + i));
    const byPartition = Map.groupBy(items, ({ key }) => partitionOf(key, PARTITIONS));
    await log.append(
      Array.from(byPartition, ([partition, some]) => ({ topic: CO2, partition, records: recordsOf(some) })),
    );
  }
  return (performance.now() - startMs) / 1000;
}

function largeMessage(room: string, n: number): KeyedValue {
  const reading = { room, sensor: "co2", ts: 1_400_000_000 + n, value: n % 900 };
  const note = Math.imul(n, 2_654_435_761).toString(36).repeat(200);
  const text = JSON.stringify({ ...reading, attributes: { note } });
  const note2 = note.slice(0, note.length - (text.length - LARGE_BYTES));
  return { key: `${room}:co2`, value: JSON.stringify({ ...reading, attributes: { note: note2 } }) };
}

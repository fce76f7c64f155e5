// Both engines make the same tables of the same messages, and either goes on where the other stopped.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import type { KafkaLog } from "../../src/adapters/kafka/event-log.ts";
import { makeGold } from "../../src/lakehouse/gold/gold.ts";
import type { Lake } from "../../src/lakehouse/lake.ts";
import { refineBatch } from "../../src/lakehouse/silver/refine.ts";
import { compactTable } from "../../src/lakehouse/upkeep/compact.ts";
import { recordsOf } from "../../src/log/records.ts";
import { TABLE_NAMES } from "../../src/reading/tables.ts";
import { SENSOR_TYPES } from "../../src/reading/terms.ts";
import { uniqueId } from "../../src/support/chance.ts";
import { ingestFrom, logOn, ownBroker } from "../support/kafka.ts";
import { KETI_DIR, WITHOUT_KETI } from "../support/keti.ts";
import { assertSameRows, generateRaw, openLakes } from "../support/lake-folder.ts";
import { done, temporaryFolder } from "../support/program.ts";
import { withoutServices } from "../support/services.ts";
import { openSparkLake, ownSpark, type SparkLake } from "../support/spark.ts";

const skip = await withoutServices("kafka", "spark");
const DAY_S = Date.UTC(2013, 7, 23) / 1000;
const TIMEOUT = { queryTimeoutMs: 600_000 };

describe("the engine on Spark", { skip }, () => {
  const broker = ownBroker();
  const spark = ownSpark();
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  before(async () => {
    folder = await temporaryFolder();
  });
  after(async () => folder?.[Symbol.asyncDispose]());

  /** Topics of its own, a log on them, and a lake for each engine. */
  async function site(partitions = 2): Promise<Site> {
    const id = uniqueId().slice(0, 8);
    const topics = SENSOR_TYPES.map((type) => `${id}.${type}`);
    const log = logOn(broker().bootstrap);
    await log.createTopics(topics.map((name) => ({ name, partitions })));
    const [duck, sparked] = [join(folder.path, `${id}-duck`), join(folder.path, `${id}-spark`)];
    for (const lake of [duck, sparked]) mkdirSync(lake);
    const here = await openLakes([duck], { create: true });
    const there = await openSparkLake(sparked, { remote: spark().remote, bootstrap: broker().bootstrap });
    return {
      topics,
      log,
      folders: { duck, sparked },
      duck: here.opened[0] as Lake,
      sparked: there,
      [Symbol.asyncDispose]: async () => {
        await there[Symbol.asyncDispose]();
        await here[Symbol.asyncDispose]();
        await log[Symbol.asyncDispose]();
      },
    };
  }

  test("makes every table as DuckDB does, of made readings with all their faults", async () => {
    await using world = await site();
    const raw = join(folder.path, "faulty");
    await generateRaw(raw, ["--rooms", "2", "--days", "1", "--seed", "11", "--faults"]);
    await replay(world, raw);
    await bothMake(world, 1_000_000);
  });

  test("restates what late readings change as DuckDB does", async () => {
    await using world = await site();
    await send(world.log, world.topics, readings(0, 400));
    await send(world.log, world.topics, readings(86_400, 400));
    await bothWays(world);
    await send(world.log, world.topics, readings(7, 50));
    await bothWays(world);
    const restatements = await world.duck.table("gold/restatements").snapshot();
    assert.ok((restatements?.files.size ?? 0) > 0, "nothing was restated");
  });

  test("judges whatever comes as this process does", async () => {
    await using world = await site();
    const messages = fc.sample(anyMessage, { numRuns: 3000, seed: 20131 });
    await send(world.log, world.topics, messages);
    await bothWays(world);
  });

  test("takes over from DuckDB and hands back, in the middle of the log", async () => {
    await using world = await site();
    await send(world.log, world.topics, readings(0, 1200));
    const { log, topics, sparked } = world;
    await ingestFrom(log, world.duck, { topics });
    // The one lake, by turns, a batch each.
    await using inProcess = await openLakes([world.folders.sparked], { create: false });
    const turns = [
      { lake: inProcess.opened[0] as Lake },
      sparked,
      { lake: inProcess.opened[0] as Lake },
      sparked,
    ];
    for (const turn of turns) {
      const stop = new AbortController();
      await ingestFrom(log, turn.lake, {
        topics,
        ...("reader" in turn ? { reader: turn.reader } : {}),
        batchRowsMax: 300,
        signal: stop.signal,
        onCommit: () => stop.abort(),
      });
      await allBehind(turn.lake);
    }
    await ingestFrom(log, sparked.lake, { topics, reader: sparked.reader });
    await allBehind(sparked.lake);
    await allBehind(world.duck);
    // Not gold/room_daily: its revision counts how often gold ran.
    await assertSameRows(world.folders.sparked, world.folders.duck, [
      "bronze/readings",
      "bronze/rejected",
      "silver/readings",
      "gold/sensor_hourly",
      "gold/sensor_daily",
    ]);
  });

  test("and DuckDB cannot both take the same messages: the slower is refused", async () => {
    await using world = await site();
    const { log, topics, sparked } = world;
    await send(log, topics, readings(0, 200));
    await using inProcess = await openLakes([world.folders.sparked], { create: false });
    const slow = ingestFrom(log, sparked.lake, {
      topics,
      reader: {
        take: async (task) => {
          const taken = await sparked.reader.take(task);
          await ingestFrom(log, inProcess.opened[0] as Lake, { topics });
          return taken;
        },
      },
    });
    await assert.rejects(slow, { code: "COMMIT_OVERTAKEN" });
    await ingestFrom(log, world.duck, { topics });
    await assertSameRows(world.folders.sparked, world.folders.duck, ["bronze/readings", "bronze/rejected"]);
  });

  test("is what ENGINE=spark runs, from raw files to gold, and compacts", async () => {
    await using world = await site();
    const raw = join(folder.path, "plain");
    await generateRaw(raw, ["--rooms", "1", "--days", "1", "--seed", "3"]);
    const lake = join(folder.path, "program");
    const env = { ...environment(world), ENGINE: "spark", SPARK_REMOTE: spark().remote };
    await done(["run", "--raw", raw, "--lake", lake, "--json"], { env });
    await done(["table", "compact", "--lake", lake], { env });
    const verified = await done(["verify", "--lake", lake], { env });
    assert.match(verified, /./);
    await ingestFrom(world.log, world.duck, { topics: world.topics });
    await allBehind(world.duck);
    await assertSameRows(lake, world.folders.duck);
  });

  test("makes every table as DuckDB does, of three real rooms", { skip: WITHOUT_KETI }, async () => {
    await using world = await site();
    await replay(world, KETI_DIR ?? "", ["--rooms", "413,656A,723"]);
    await bothMake(world, 1_000_000);
  });

  /** Sends raw files into the site's topics. */
  async function replay(world: Site, raw: string, more: readonly string[] = []): Promise<void> {
    await done(["replay", "--raw", raw, "--replay-mode", "max", ...more], { env: environment(world) });
  }

  function environment({ topics }: Site): Record<string, string> {
    const named = SENSOR_TYPES.map((type, index) => [`TOPIC_${type.toUpperCase()}`, topics[index] ?? ""]);
    return {
      LOG: "kafka",
      KAFKA_BOOTSTRAP: broker().bootstrap,
      LOG_LEVEL: "warn",
      ...(Object.fromEntries(named) as Record<string, string>),
    };
  }
});

interface Site extends AsyncDisposable {
  readonly topics: readonly string[];
  readonly log: KafkaLog;
  readonly folders: { readonly duck: string; readonly sparked: string };
  readonly duck: Lake;
  readonly sparked: SparkLake;
}

/** Brings both lakes to the end of the log, and compares all tables. */
async function bothMake({ log, topics, duck, sparked, folders }: Site, batchRowsMax: number): Promise<void> {
  await ingestFrom(log, duck, { topics, batchRowsMax });
  await allBehind(duck, batchRowsMax);
  await ingestFrom(log, sparked.lake, { topics, batchRowsMax, reader: sparked.reader });
  await allBehind(sparked.lake, batchRowsMax);
  await assertSameRows(folders.sparked, folders.duck);
}

/** The same, and again when the tables of Spark are compacted. */
async function bothWays(world: Site): Promise<void> {
  const { sparked, folders } = world;
  await bothMake(world, 200_000);
  for (const name of TABLE_NAMES) await compactTable({ lake: sparked.lake, targetBytes: 10_000_000 }, name);
  await assertSameRows(folders.sparked, folders.duck);
}

/** Silver, gold and restatements of what bronze has. */
async function allBehind(lake: Lake, batchRowsMax = 200_000): Promise<void> {
  while ((await refineBatch({ lake, batchRowsMax, ...TIMEOUT })) !== undefined);
  await makeGold({ lake, ...TIMEOUT });
}

type Sent = { readonly type: number; readonly key: string; readonly value: Uint8Array };

async function send(log: KafkaLog, topics: readonly string[], messages: readonly Sent[]): Promise<void> {
  const places = Map.groupBy(messages, ({ type, key }) => `${type}:${key.length % 2}`);
  await log.append(
    [...places].map(([place, some]) => {
      const [type, partition] = place.split(":").map(Number);
      return { topic: topics[type ?? 0] ?? "", partition: partition ?? 0, records: recordsOf(some) };
    }),
  );
}

/** Readings of three rooms from a second of the day on, some twice. */
function readings(fromSecond: number, count: number): readonly Sent[] {
  return Array.from({ length: count }, (_, index) => {
    const type = index % SENSOR_TYPES.length;
    const room = ["413", "656A", "a b"][index % 3] ?? "";
    const ts = DAY_S + fromSecond + (index - (index % 11 === 0 ? 5 : 0)) * 61;
    const value = ((index * 37) % 1000) / 8 + 0.01;
    const text = JSON.stringify({ room, sensor: SENSOR_TYPES[type], ts, value });
    return { type, key: `${room}:${SENSOR_TYPES[type]}`, value: Buffer.from(text) };
  });
}

/** Text of a number as people and programs write it, plain or not. */
const numberText = fc.oneof(
  { weight: 6, arbitrary: fc.double({ min: 0, max: 2000, noNaN: true }).map((value) => value.toFixed(2)) },
  fc.double({ noNaN: true }).map(String),
  fc.constantFrom(
    "-0",
    "0",
    "-0.0",
    "1e5",
    "1E-3",
    "00.5",
    "+1",
    ".5",
    "5.",
    "null",
    '"21.5"',
    "NaN",
    "Infinity",
    "1e999",
    "123456789012345678",
    "0.1234567890123456789",
    "-12.5",
  ),
);
const roomText = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("413", "656A", "a b", "x.y-z_") },
  fc.constantFrom(
    "",
    " ",
    "  .",
    "a/b",
    "é",
    "413\\n",
    "\\u0034",
    'a\\"b',
    "r".repeat(61),
    "r".repeat(100),
    "r".repeat(101),
    " ".repeat(60),
  ),
);
const timeText = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: DAY_S, max: DAY_S + 100_000 }).map(String) },
  fc.constantFrom(
    "0",
    "-5",
    "1377216000.5",
    "1377216000000",
    "1377216000000000",
    "0137721600",
    "4102444800",
    "9999999999",
    "null",
    '"1377216000"',
    "1.377216e9",
    "999999999",
  ),
);
const anyMessage: fc.Arbitrary<Sent> = fc
  .record({
    type: fc.integer({ min: 0, max: SENSOR_TYPES.length - 1 }),
    sensor: fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(...SENSOR_TYPES) },
      fc.constantFrom("CO2", "noise", ""),
    ),
    room: roomText,
    ts: timeText,
    value: numberText,
    form: fc.oneof(
      { weight: 12, arbitrary: fc.constant("plain") },
      fc.constantFrom("space", "more", "other order", "cut", "bytes", "line", "array", "twice", "tail"),
    ),
  })
  .map(({ type, sensor, room, ts, value, form }) => {
    const plain = `{"room":"${room}","sensor":"${sensor}","ts":${ts},"value":${value}}`;
    return { type, key: `${room}:${sensor}`, value: written(plain, form, { sensor, room, ts, value }) };
  });

function written(
  plain: string,
  form: string,
  { sensor, room, ts, value }: Readonly<Record<"sensor" | "room" | "ts" | "value", string>>,
): Uint8Array {
  switch (form) {
    case "space":
      return Buffer.from(plain.replace(",", ", "));
    case "more":
      return Buffer.from(plain.replace(/\}$/, ',"id":12345678901234567890,"note":"ü"}'));
    case "other order":
      return Buffer.from(`{"value":${value},"ts":${ts},"sensor":"${sensor}","room":"${room}"}`);
    case "cut":
      return Buffer.from(plain.slice(0, -3));
    case "bytes":
      return Buffer.concat([
        Buffer.from(plain.slice(0, 10)),
        Buffer.of(0xff, 0xfe),
        Buffer.from(plain.slice(10)),
      ]);
    case "line":
      return Buffer.from(`${plain}\n`);
    case "array":
      return Buffer.from(`[${plain}]`);
    case "twice":
      return Buffer.from(plain.replace(/\}$/, `,"value":1}`));
    case "tail":
      return Buffer.from(`${plain} `);
    default:
      return Buffer.from(plain);
  }
}

// A lake in a temporary folder with the real engine, and a log to fill it from.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duckdbCheckpointCodec } from "../../src/adapters/duckdb/checkpoint-codec.ts";
import { duckdbEngine } from "../../src/adapters/duckdb/engine.ts";
import { localObjectStore } from "../../src/adapters/local/object-store.ts";
import { makeMemoryLog } from "../../src/adapters/memory/event-log.ts";
import { ingest, type IngestSummary } from "../../src/lakehouse/bronze/ingest.ts";
import { openLake, tableInput, type Lake } from "../../src/lakehouse/lake.ts";
import { localEngine } from "../../src/lakehouse/local-inputs.ts";
import { refineBatch } from "../../src/lakehouse/silver/refine.ts";
import type { EventLog } from "../../src/log/event-log.ts";
import { recordsOf, type KeyedValue } from "../../src/log/records.ts";
import { sqlNameOf, TABLE_NAMES, tableDefinition } from "../../src/reading/tables.ts";
import { SENSOR_TRAITS, SENSOR_TYPES, type SensorType } from "../../src/reading/terms.ts";
import { systemClock, type Clock } from "../../src/support/clock.ts";
import { silentLogger } from "../../src/support/logger.ts";

/** A lake, its log and a few short cuts. */
export interface TestLake extends AsyncDisposable {
  readonly folder: string;
  readonly lake: Lake;
  readonly log: EventLog;
  /** Another opening of the same lake, as another process would see it. */
  reopen(): Promise<Lake>;
  /** Appends messages to the log; the topic is that of the type in the key. */
  send(messages: readonly KeyedValue[]): Promise<void>;
  /** Ingests to the end of the log. */
  ingest(batchRowsMax?: number, into?: Lake): Promise<IngestSummary>;
  /** Refines all new bronze versions. */
  refine(batchRowsMax?: number): Promise<void>;
  /** The rows of a query over the newest versions of all tables. */
  rows(sql: string): Promise<readonly (readonly unknown[])[]>;
}

/** A clock whose wall time is set by the test and that never waits. */
export function testClock(startMs = Date.UTC(2026, 0, 1)): Clock & { set(ms: number): void } {
  let nowMs = startMs;
  return { ...systemClock, nowMs: () => nowMs, set: (ms) => (nowMs = ms) };
}

/** A reading as a message. */
export function message(room: string, sensorType: SensorType, ts: number, value: number): KeyedValue {
  return {
    key: `${room}:${sensorType}`,
    value: Buffer.from(JSON.stringify({ room, sensor: sensorType, ts, value })),
  };
}

/** Makes an empty lake and an empty log. */
export async function makeTestLake(
  options: { readonly clock?: Clock; readonly bronzePartitionBy?: readonly string[] } = {},
): Promise<TestLake> {
  const clock = options.clock ?? testClock();
  const folder = await mkdtemp(join(tmpdir(), "atrium-test-"));
  const engine = duckdbEngine({
    memoryMb: 256,
    threads: 2,
    scratchFolder: join(folder, "_scratch"),
    readableFolders: [folder],
    clock,
  });
  const store = localObjectStore(folder);
  const parts = {
    store,
    engine: localEngine(engine, store),
    codec: duckdbCheckpointCodec(async () => engine.connect(), join(folder, "_scratch")),
    clock,
    bronzePartitionBy: options.bronzePartitionBy ?? tableDefinition("bronze/readings").partitionColumns,
  };
  const reopen = async (): Promise<Lake> => openLake(parts, { create: true });
  const lake = await reopen();
  const log = makeMemoryLog({ clock });
  const topics = SENSOR_TYPES.map((type) => SENSOR_TRAITS[type].topic);
  await log.createTopics(topics.map((name) => ({ name, partitions: 1 })));
  return {
    folder,
    lake,
    log,
    reopen,
    send: async (messages) => send(log, messages),
    ingest: async (batchRowsMax = 1_000_000, into = lake) =>
      ingest({
        lake: into,
        log,
        topics,
        batchRowsMax,
        batchAgeMsMax: 0,
        logger: silentLogger,
        signal: new AbortController().signal,
        isComplete: () => true,
      }),
    refine: async (batchRowsMax = 1_000_000) => {
      while ((await refineBatch({ lake, batchRowsMax, queryTimeoutMs: 60_000 })) !== undefined);
    },
    rows: async (sql) => rows(lake, sql),
    [Symbol.asyncDispose]: async () => {
      await log[Symbol.asyncDispose]();
      await engine[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The rows of a query over the newest versions of the tables that its text names. */
export async function rows(lake: Lake, sql: string): Promise<readonly (readonly unknown[])[]> {
  const used = TABLE_NAMES.filter((name) => sql.includes(sqlNameOf(name)));
  const inputs = await Promise.all(
    used.map(async (name) => tableInput(lake, name, { snapshot: await lake.table(name).snapshot() })),
  );
  return (await lake.engine.query({ sql, inputs, rowsMax: 1_000_000, timeoutMs: 60_000 })).rows;
}

async function send(log: EventLog, messages: readonly KeyedValue[]): Promise<void> {
  const byTopic = Map.groupBy(messages, ({ key }) => SENSOR_TRAITS[typeOf(key)].topic);
  const batches = [...byTopic].map(([topic, items]) => ({ topic, partition: 0, records: recordsOf(items) }));
  await log.append(batches);
}

function typeOf(key: string): SensorType {
  return SENSOR_TYPES.find((type) => key.endsWith(`:${type}`)) ?? "co2";
}

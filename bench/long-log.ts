// How long it takes to open a table with very many commits, without and with a checkpoint.

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { duckdbCheckpointCodec } from "../src/adapters/duckdb/checkpoint-codec.ts";
import { duckdbEngine } from "../src/adapters/duckdb/engine.ts";
import { localObjectStore } from "../src/adapters/local/object-store.ts";
import { encodeActions } from "../src/lakehouse/delta/actions.ts";
import { logFilePath, writeCheckpoint } from "../src/lakehouse/delta/checkpoint.ts";
import { type DeltaTable, deltaTable } from "../src/lakehouse/delta/table.ts";
import { tableDefinition } from "../src/reading/tables.ts";
import { systemClock } from "../src/support/clock.ts";
import { median } from "./figures.ts";

const TABLE = "bronze/readings";
const ROUNDS = 5;

/** How long opening took, ms. */
export interface LongLog {
  readonly commits: number;
  /** Every commit read. */
  readonly withoutMs: number;
  /** A checkpoint of the newest version read. */
  readonly withMs: number;
  /** The same, once the commits before it are cleaned up. */
  readonly cleanedMs: number;
  /** Writing that checkpoint. */
  readonly writingMs: number;
}

/** Makes a table of `commits` commits, each of which adds a file, in `folder`, and opens it. */
export async function measureLongLog(folder: string, commits: number): Promise<LongLog> {
  const scratch = join(folder, "_scratch");
  await using engine = duckdbEngine({
    memoryMb: 512,
    threads: 2,
    scratchFolder: scratch,
    readableFolders: [folder],
    clock: systemClock,
  });
  const store = localObjectStore(folder);
  const codec = duckdbCheckpointCodec(async () => engine.connect(), scratch);
  const open = (): DeltaTable =>
    deltaTable({ store, path: TABLE, codec, clock: systemClock, writerId: "bench" });
  await open().create(tableDefinition(TABLE, ["event_date"]));
  for (let version = 1; version <= commits; version += 1) {
    writeFileSync(join(folder, logFilePath(TABLE, version, ".json")), commitText(version));
  }
  const withoutMs = await openingMs(open);
  const snapshot = await open().snapshot();
  if (snapshot?.files.size !== commits) throw new Error(`${snapshot?.files.size} files, not ${commits}`);
  const writingMs = await timed(async () => writeCheckpoint({ store, path: TABLE, codec }, snapshot));
  const withMs = await openingMs(open);
  for (let version = 0; version < commits; version += 1) {
    rmSync(join(folder, logFilePath(TABLE, version, ".json")));
  }
  return { commits, withoutMs, withMs, cleanedMs: await openingMs(open), writingMs };
}

async function openingMs(open: () => DeltaTable): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) times.push(await timed(async () => open().snapshot()));
  return median(times);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

function commitText(version: number): Uint8Array {
  const day = new Date(Date.UTC(2013, 7, 23) + (version % 30) * 86_400_000).toISOString().slice(0, 10);
  const bounds = { event_ts: `${day}T00:00:00.000000Z`, ts_unix: 1_377_216_000 + version };
  const stats = JSON.stringify({
    numRecords: 1000,
    minValues: bounds,
    maxValues: bounds,
    nullCount: { event_ts: 0 },
  });
  return encodeActions([
    { commitInfo: { timestamp: 1_700_000_000_000 + version, operation: "INGEST" } },
    { txn: { appId: "ingest:bench:iot.co2:0", version: BigInt(version) } },
    {
      add: {
        path: `event_date=${day}/part-${version}.zstd.parquet`,
        partitionValues: { event_date: day },
        size: 10_000,
        modificationTime: 1_700_000_000_000 + version,
        dataChange: true,
        stats,
      },
    },
  ]);
}

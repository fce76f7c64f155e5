// Looks at a lake and its log from outside while other processes work on them.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { duckdbCheckpointCodec } from "../src/adapters/duckdb/checkpoint-codec.ts";
import { duckdbEngine } from "../src/adapters/duckdb/engine.ts";
import { openEmbeddedLog } from "../src/adapters/embedded/event-log.ts";
import { localObjectStore } from "../src/adapters/local/object-store.ts";
import { identitiesOf, nextPositions } from "../src/lakehouse/bronze/positions.ts";
import type { Snapshot } from "../src/lakehouse/delta/snapshot.ts";
import { openLake, type Lake } from "../src/lakehouse/lake.ts";
import { localEngine } from "../src/lakehouse/local-inputs.ts";
import { TABLE_NAMES, tableDefinition, type TableName } from "../src/reading/tables.ts";
import { systemClock } from "../src/support/clock.ts";
import { silentLogger } from "../src/support/logger.ts";

/** What a table holds. */
export interface TableSize {
  readonly files: number;
  /** Partitions with a live file. */
  readonly partitions: number;
  readonly version: number;
}

/** A look at a lake. */
export interface LakeSize {
  readonly tables: Readonly<Record<TableName, TableSize>>;
  /** Messages that the log has taken in since it was made. */
  readonly messages: number;
  /** Messages in the log that bronze has not committed. */
  readonly lag: number;
  /** Files in the lake's folder, all of them. */
  readonly filesOnDisk: number;
}

/** A lake opened for looking only, with an engine that reads checkpoints. */
export interface LakeProbe extends AsyncDisposable {
  readonly lake: Lake;
  look(): Promise<LakeSize>;
}

/** Opens the lake in `folder`, which is there. */
export async function probeLake(folder: string, scratchFolder: string): Promise<LakeProbe> {
  const engine = duckdbEngine({
    memoryMb: 256,
    threads: 1,
    scratchFolder,
    readableFolders: [folder],
    clock: systemClock,
  });
  const codec = duckdbCheckpointCodec(async () => engine.connect(), scratchFolder);
  const store = localObjectStore(folder);
  const bronzePartitionBy = tableDefinition("bronze/readings").partitionColumns;
  const lake = await openLake(
    { store, engine: localEngine(engine, store), codec, clock: systemClock, bronzePartitionBy },
    { create: false },
  );
  return {
    lake,
    look: async () => look(lake, folder),
    [Symbol.asyncDispose]: async () => engine[Symbol.asyncDispose](),
  };
}

async function look(lake: Lake, folder: string): Promise<LakeSize> {
  const snapshots = await Promise.all(
    TABLE_NAMES.map(async (name) => [name, await lake.table(name).snapshot()] as const),
  );
  const tables = Object.fromEntries(snapshots.map(([name, snapshot]) => [name, sizeOf(snapshot)]));
  const bronze = snapshots.find(([name]) => name === "bronze/readings")?.[1];
  return {
    tables: tables as Record<TableName, TableSize>,
    ...(await logSizeOf(join(folder, "_log/log.db"), bronze)),
    filesOnDisk: filesBelow(folder),
  };
}

function sizeOf(snapshot: Snapshot | undefined): TableSize {
  const files = [...(snapshot?.files.values() ?? [])];
  const partitions = new Set(files.map((file) => JSON.stringify(file.partitionValues)));
  return { files: files.length, partitions: partitions.size, version: snapshot?.version ?? -1 };
}

async function logSizeOf(
  file: string,
  bronze: Snapshot | undefined,
): Promise<Pick<LakeSize, "messages" | "lag">> {
  const retention = { maxBytes: Number.MAX_SAFE_INTEGER };
  await using log = await openEmbeddedLog({
    file,
    clock: systemClock,
    logger: silentLogger,
    retention,
    readOnly: true,
  });
  const ranges = await log.ranges([...(await log.partitions()).keys()]);
  const sum = (values: readonly bigint[]): number =>
    Number(values.reduce((total, value) => total + value, 0n));
  const messages = sum(ranges.map(({ end }) => end));
  if (bronze === undefined) return { messages, lag: messages };
  const topics = [...new Set(ranges.map(({ topic }) => topic))];
  const next = nextPositions(bronze, await identitiesOf(log, topics), ranges);
  return { messages, lag: messages - sum(next.map(({ offset }) => offset)) };
}

function filesBelow(folder: string): number {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
      .length;
  } catch {
    // A folder of scratch space went away while it was read.
    return Number.NaN;
  }
}

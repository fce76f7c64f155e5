// Helpers for tests of Delta tables: a clock that stands still, a codec without an engine, and small requests.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AddFile, TableSchema } from "../../src/lakehouse/delta/actions.ts";
import type { CheckpointCodec } from "../../src/lakehouse/delta/checkpoint.ts";
import type { CommitRequest } from "../../src/lakehouse/delta/commit.ts";
import type { ObjectStore } from "../../src/lakehouse/delta/object-store.ts";
import type { Snapshot } from "../../src/lakehouse/delta/snapshot.ts";
import { type DeltaTable, deltaTable, type DeltaTableOptions } from "../../src/lakehouse/delta/table.ts";
import type { Clock } from "../../src/support/clock.ts";
import { AtriumError } from "../../src/support/errors.ts";

/** 2013-08-23T00:00:00Z, ms. */
export const START_MS = 1_377_216_000_000;

/** A clock that moves only when it is told to. */
export interface HandClock extends Clock {
  advance(ms: number): void;
}

/** A clock that stands at `startMs`. Sleeping moves it. */
export function handClock(startMs: number = START_MS): HandClock {
  let now = startMs;
  const advance = (ms: number): void => {
    now += ms;
  };
  return { nowMs: () => now, monotonicMs: () => now, sleep: async (ms) => advance(ms), advance };
}

/** A codec that keeps the lines as text: for tests that need no Parquet. */
export const textCodec: CheckpointCodec = {
  encode: async (lines) => new TextEncoder().encode(`TEXT\n${lines.join("\n")}`),
  decode: async (bytes) => {
    const [mark, ...lines] = new TextDecoder().decode(bytes).split("\n");
    if (mark !== "TEXT") throw new AtriumError("TABLE_CORRUPT", "This is no checkpoint.");
    return lines;
  },
};

/** Two columns, one of them the partition. */
export const READINGS: TableSchema = {
  columns: [
    { name: "room", type: "string" },
    { name: "value", type: "double" },
  ],
  partitionColumns: ["room"],
};

/** The table `bronze/readings` of a store, with a still clock and tokens that count. */
export function tableIn(store: ObjectStore, options: Partial<DeltaTableOptions> = {}): DeltaTable {
  let tokens = 0;
  const writerId = options.writerId ?? "writer-1";
  const newToken = (): string => `${writerId}-${(tokens += 1)}`;
  return deltaTable({
    store,
    path: TABLE,
    codec: textCodec,
    clock: handClock(),
    newToken,
    ...options,
    writerId,
  });
}

/** A data file of a room, of 10 rows. */
export function fileOf(room: string, name: string): AddFile {
  return {
    path: `room=${room}/${name}.parquet`,
    partitionValues: { room },
    size: 1000,
    modificationTime: START_MS,
    dataChange: true,
    stats: JSON.stringify({ numRecords: 10 }),
  };
}

/** An append of files and positions to a snapshot. */
export function append(
  base: Snapshot,
  adds: readonly AddFile[],
  txns: Readonly<Record<string, bigint>> = {},
): CommitRequest {
  return {
    base,
    adds,
    removes: [],
    txns: new Map(Object.entries(txns)),
    operation: "WRITE",
    isolation: { kind: "append" },
    dataChange: true,
  };
}

/** Runs `work` with a folder that is removed afterwards. */
export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "atrium-test-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The code of the error that a promise rejects with; undefined if it resolves. */
export async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    if (error instanceof AtriumError) return error.code;
    throw error;
  }
}

/** The table of `tableIn`. */
export const TABLE = "bronze/readings";
/** Its log. */
export const LOG = `${TABLE}/_delta_log/`;
/** READINGS with a checkpoint every so many commits. */
export const every = (interval: number): TableSchema => ({
  ...READINGS,
  configuration: { "delta.checkpointInterval": String(interval) },
});
/** An object as text. */
export const textOf = async (store: ObjectStore, path: string): Promise<string> =>
  new TextDecoder().decode(await store.get(path));
/** Puts text as an object. */
export const putText = async (store: ObjectStore, path: string, body: string): Promise<void> =>
  store.put(path, new TextEncoder().encode(body));

/** Commits `count` appends, each of one file and one position. */
export async function appendMany(table: DeltaTable, count: number): Promise<Snapshot> {
  let head = (await table.snapshot())!;
  for (let index = 0; index < count; index += 1) {
    const name = `v${head.version + 1}`;
    head = await table.commit(append(head, [fileOf("413", name)], { app: BigInt(head.version + 1) }));
  }
  return head;
}

/** What a snapshot says, without what a checkpoint does not keep. */
export function contentOf(snapshot: Snapshot | undefined): unknown {
  if (snapshot === undefined) return undefined;
  const { version, timestampMs, files, tombstones, txns, schema, metadata, protocol } = snapshot;
  const still = <T>(map: ReadonlyMap<string, T>): unknown =>
    [...map.values()]
      .map((file) => ({ ...file, dataChange: false }))
      .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return {
    version,
    timestampMs,
    files: still(files),
    tombstones: still(tombstones),
    txns,
    schema,
    metadata,
    protocol,
  };
}

/** Replaces `old` of a room by another file. */
export const replace = (base: Snapshot, room: string, name: string): CommitRequest => ({
  ...append(base, [fileOf(room, name)]),
  removes: [`room=${room}/old.parquet`],
  isolation: { kind: "replace", partitions: [{ room }] },
});
/** Moves the rows of `old` of a room into another file. */
export const compact = (base: Snapshot, room: string, name: string): CommitRequest => ({
  ...replace(base, room, name),
  isolation: { kind: "append" },
  dataChange: false,
});

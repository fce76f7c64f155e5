// Checkpoints: the whole state of a table in one Parquet file, so that a reader need not replay the log from its start.

import { faultPoint } from "../../support/fault-point.ts";
import { type Action, encodeAction, parseActionLines } from "./actions.ts";
import type { ObjectStore } from "./object-store.ts";
import { deletedFileRetentionMs } from "./settings.ts";
import { type Snapshot, withoutTombstones } from "./snapshot.ts";

/**
 * PORT: actions to and from Parquet with Delta's checkpoint schema: a struct column for each kind (txn, add, remove,
 * metaData, protocol), one of them set in a row. The order may change. Errors: TABLE_CORRUPT from `decode` for other
 * bytes; STORE_FULL when scratch space ends; ENGINE_FAILED. Limits: all of it is in memory at once.
 */
export interface CheckpointCodec {
  /** The Parquet bytes of these actions (JSON, one a line). */
  encode(actionLines: readonly string[]): Promise<Uint8Array>;
  /** The actions in the Parquet bytes (JSON, one a line); members without a value may be null. @throws TABLE_CORRUPT */
  decode(parquet: Uint8Array): Promise<readonly string[]>;
}

/** A checkpoint in a log, all of its files there. */
export interface Checkpoint {
  readonly version: number;
  /** Its files in the store: one, or its parts in order. */
  readonly paths: readonly string[];
  /** Last change, ms since the epoch. */
  readonly modifiedMs: number;
}

/** Where a table's log and checkpoints are. */
export interface LogPlace {
  readonly store: ObjectStore;
  /** The table, as `bronze/readings`. */
  readonly path: string;
  readonly codec: CheckpointCodec;
}

/** Path of a file of a version in a table's log: `….json` for a commit. Versions have 20 digits. */
export function logFilePath(table: string, version: number, suffix: string): string {
  return `${table}/_delta_log/${String(version).padStart(20, "0")}${suffix}`;
}

/** Path of the hint that names the newest checkpoint. */
export function hintPath(table: string): string {
  return `${table}/_delta_log/_last_checkpoint`;
}

/** Writes a checkpoint of the snapshot and the hint to it; returns the snapshot without the tombstones that expired. */
export async function writeCheckpoint(
  { store, path, codec }: LogPlace,
  snapshot: Snapshot,
): Promise<Snapshot> {
  const kept = withoutTombstones(snapshot, snapshot.timestampMs - deletedFileRetentionMs(snapshot.schema));
  const lines = checkpointActions(kept).map(encodeAction);
  // If another writer made this checkpoint first, it says the same.
  const parquet = await codec.encode(lines);
  faultPoint("checkpoint/encoded");
  await store.putIfAbsent(logFilePath(path, kept.version, ".checkpoint.parquet"), parquet);
  faultPoint("checkpoint/written");
  // Spark on a local disk keeps a checksum beside the hint and fails on one that is not of the new hint.
  await store.delete([`${path}/_delta_log/._last_checkpoint.crc`]);
  const hint = JSON.stringify({ version: kept.version, size: lines.length });
  await store.put(hintPath(path), new TextEncoder().encode(hint));
  return kept;
}

/** The actions of a checkpoint. @throws TABLE_CORRUPT if a part of it is damaged; NOT_FOUND if one is gone. */
export async function readCheckpoint(
  { store, codec }: LogPlace,
  checkpoint: Checkpoint,
): Promise<readonly Action[]> {
  const actions: Action[] = [];
  for (const path of checkpoint.paths) {
    const lines = await codec.decode(await store.get(path));
    for (const action of parseActionLines(lines, path)) actions.push(action);
  }
  return actions;
}

/** The version that the hint names; undefined if there is no hint, or none that can be read. */
export function hintedVersion(hint: Uint8Array): number | undefined {
  try {
    const stored: unknown = JSON.parse(new TextDecoder().decode(hint));
    const isHint = typeof stored === "object" && stored !== null && "version" in stored;
    return isHint && Number.isSafeInteger(stored.version) ? Number(stored.version) : undefined;
  } catch {
    // A hint is only a hint: the listing of the log has the truth.
    return undefined;
  }
}

function checkpointActions(snapshot: Snapshot): readonly Action[] {
  const { metadata, protocol, txns, files, tombstones } = snapshot;
  return [
    { protocol },
    { metaData: metadata },
    ...[...txns].map(([appId, version]) => ({ txn: { appId, version } })),
    ...[...tombstones.values()].map(({ tags: _tags, ...remove }) => ({
      remove: { ...remove, dataChange: false },
    })),
    ...[...files.values()].map((add) => ({ add: { ...add, dataChange: false } })),
  ];
}

// The state of a table at one version: the actions of its log, replayed. Pure.

import { AtriumError } from "../../support/errors.ts";
import type {
  Action,
  AddFile,
  MetadataAction,
  ProtocolAction,
  RemoveAction,
  TableSchema,
} from "./actions.ts";
import { refuseUnsupported } from "./protocol.ts";
import { schemaOf } from "./schema.ts";

/** A table at one version. Nothing in it changes: a newer version is another snapshot. */
export interface Snapshot {
  readonly version: number;
  /** Commit time, ms since the epoch. */
  readonly timestampMs: number;
  /** The live data files, by their path in the log. */
  readonly files: ReadonlyMap<string, AddFile>;
  /** Files removed lately, by their path in the log: older versions and slow readers still need them. */
  readonly tombstones: ReadonlyMap<string, RemoveAction>;
  /** appId -> last position committed. */
  readonly txns: ReadonlyMap<string, bigint>;
  readonly schema: TableSchema;
  readonly metadata: MetadataAction;
  readonly protocol: ProtocolAction;
}

/** The actions of one commit, or of a checkpoint, which stands for all commits up to its version. */
export interface Commit {
  readonly version: number;
  readonly actions: readonly Action[];
  /** Commit time where the actions do not tell it, ms since the epoch. */
  readonly timestampMs?: number;
}

/**
 * The snapshot after `commits`, which follow `base` (or begin the table, or are a checkpoint) without a gap.
 * @throws TABLE_UNSUPPORTED for a table beyond reader 1 and writer 2; TABLE_CORRUPT without protocol or metadata.
 */
export function replay(table: string, base: Snapshot | undefined, commits: readonly Commit[]): Snapshot {
  const state: State = {
    files: new Map(base?.files),
    tombstones: new Map(base?.tombstones),
    txns: new Map(base?.txns),
    metadata: base?.metadata,
    protocol: base?.protocol,
  };
  let { version, timestampMs } = base ?? { version: -1, timestampMs: 0 };
  for (const commit of commits) {
    for (const action of commit.actions) applyAction(state, action);
    forgetTombstones(state, commit);
    version = commit.version;
    timestampMs = timestampOf(commit) ?? timestampMs;
  }
  const { metadata, protocol } = state;
  if (metadata === undefined || protocol === undefined) throw headless(table, version);
  const isKnown = metadata === base?.metadata && protocol === base.protocol;
  if (!isKnown) refuseUnsupported(table, protocol, metadata);
  const schema = isKnown ? base.schema : schemaOf(metadata, table);
  return { ...state, version, timestampMs, metadata, protocol, schema };
}

/** The time of a commit, ms since the epoch, from its writer's notes; undefined if it left none. */
export function timestampOf(commit: Commit): number | undefined {
  const noted = commit.actions.find((action) => action.commitInfo !== undefined)?.commitInfo?.["timestamp"];
  return typeof noted === "number" ? noted : commit.timestampMs;
}

/** The snapshot without the tombstones of files that were removed before `beforeMs` (ms since the epoch). */
export function withoutTombstones(snapshot: Snapshot, beforeMs: number): Snapshot {
  const kept = [...snapshot.tombstones].filter(([, remove]) => (remove.deletionTimestamp ?? 0) >= beforeMs);
  return { ...snapshot, tombstones: new Map(kept) };
}

interface State {
  readonly files: Map<string, AddFile>;
  readonly tombstones: Map<string, RemoveAction>;
  readonly txns: Map<string, bigint>;
  metadata: MetadataAction | undefined;
  protocol: ProtocolAction | undefined;
}

function applyAction(state: State, { add, remove, txn, metaData, protocol }: Action): void {
  if (add !== undefined) {
    state.files.set(add.path, add);
    state.tombstones.delete(add.path);
  } else if (remove !== undefined) {
    state.files.delete(remove.path);
    state.tombstones.set(remove.path, remove);
  } else if (txn !== undefined) {
    state.txns.set(txn.appId, txn.version);
  } else if (metaData !== undefined) {
    state.metadata = metaData;
  } else if (protocol !== undefined) {
    state.protocol = protocol;
  }
}

/** The commitInfo member by which an erasure says that what was removed up to then (ms since the epoch) is deleted for good. */
export const FORGETS_UNTIL = "atriumForgetsUntil";

/** Tombstones name the partition of their files, which may be a room that is to be forgotten. */
function forgetTombstones({ tombstones }: State, { actions }: Commit): void {
  for (const { commitInfo } of actions) {
    const untilMs = commitInfo?.[FORGETS_UNTIL];
    if (typeof untilMs !== "number") continue;
    for (const [path, { deletionTimestamp = 0 }] of tombstones) {
      if (deletionTimestamp <= untilMs) tombstones.delete(path);
    }
  }
}

function headless(table: string, version: number): AtriumError {
  const message = `Table ${table} has no protocol or metaData action up to version ${version}. Restore its _delta_log.`;
  return new AtriumError("TABLE_CORRUPT", message);
}

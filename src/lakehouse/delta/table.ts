// A Delta table: snapshots, commits and changes. Many processes may write one table; no server is between them.
//
//   commit(base 7)   put-if-absent 8.json --- true ----------------------> snapshot 8
//                          |
//                        false: read the winner's 8.json
//                          |--- it is our own (a put whose answer was lost) -> snapshot 8
//                          |--- it moved our positions -----------------------> COMMIT_OVERTAKEN
//                          |--- it changed what we read ----------------------> COMMIT_CONFLICT
//                          '--- else put-if-absent 9.json, and so on

import { invariant, present } from "../../support/assert.ts";
import { uniqueId } from "../../support/chance.ts";
import type { Clock } from "../../support/clock.ts";
import { AtriumError, isAtriumError, messageOf } from "../../support/errors.ts";
import { type Logger, silentLogger } from "../../support/logger.ts";
import { type Action, type AddFile, encodeActions, type RemoveAction, type TableSchema } from "./actions.ts";
import { type CheckpointCodec, logFilePath, writeCheckpoint } from "./checkpoint.ts";
import {
  checkRequest,
  checkWinner,
  commitActions,
  type CommitRequest,
  ENGINE_INFO,
  isOwnCommit,
} from "./commit.ts";
import { loadSnapshot, readCommit, readCommits, readNewerCommits } from "./log-reader.ts";
import type { ObjectStore } from "./object-store.ts";
import { OWN_PROTOCOL } from "./protocol.ts";
import { encodeSchema } from "./schema.ts";
import { checkpointInterval } from "./settings.ts";
import { type Commit, replay, type Snapshot, timestampOf } from "./snapshot.ts";
import { statsOf } from "./stats.ts";
import { versionAt } from "./version-at.ts";

/** A commit is refused after losing to others this often. */
const ATTEMPTS_MAX = 100;
/** A cached snapshot older than this is not followed but loaded anew: the commits after it may have been cleaned up. */
const CACHE_AGE_MS_MAX = 3_600_000;

/** Versions of which it is known when they were the newest. */
const SEEN_MAX = 64;

/** What a table needs. */
export interface DeltaTableOptions {
  readonly store: ObjectStore;
  /** Below the store's root, as `bronze/readings`. */
  readonly path: string;
  readonly codec: CheckpointCodec;
  readonly clock: Clock;
  /** Who writes: noted in every commit. */
  readonly writerId: string;
  /** Hears of commits, and of checkpoints that failed. Default: silent. */
  readonly logger?: Logger;
  /** Makes the unique tokens of commits and tables. Default: random UUIDs. */
  readonly newToken?: () => string;
}

/** What one version changed, seen as rows: files that were only moved are left out. */
export interface VersionChange {
  readonly version: number;
  readonly timestampMs: number;
  readonly operation: string;
  readonly adds: readonly AddFile[];
  readonly removes: readonly RemoveAction[];
  readonly txns: ReadonlyMap<string, bigint>;
}

/** A commit, for people. */
export interface CommitSummary {
  readonly version: number;
  readonly timestampMs: number;
  readonly operation: string;
  /** All that the writer noted. */
  readonly info: Readonly<Record<string, unknown>>;
  readonly filesAdded: number;
  readonly filesRemoved: number;
  /** Rows of the files added, by their statistics; a file without any counts 0. */
  readonly rowsAdded: number;
}

/** A table of a lake. Its calls may run side by side. All throw STORE_*, TABLE_CORRUPT and TABLE_UNSUPPORTED. */
export interface DeltaTable {
  readonly path: string;

  /**
   * The newest committed version (cached: only commits after the cached one are read), or that version; undefined if
   * the table does not exist. @throws NOT_FOUND for a version that is not there
   */
  snapshot(version?: number): Promise<Snapshot | undefined>;

  /** Makes the table if it is missing, else leaves it as it is; returns its snapshot. */
  create(schema: TableSchema): Promise<Snapshot>;

  /**
   * Commits, and returns the snapshot of the new version. After STORE_FAILED it is not known whether the commit is
   * there: call again with the same request object, which commits it at most once, or begin again from `snapshot`.
   * @throws COMMIT_OVERTAKEN, COMMIT_CONFLICT
   */
  commit(request: CommitRequest): Promise<Snapshot>;

  /**
   * What the versions after `from` up to `to` changed, in order. All of it is in memory: ask for some at a time.
   * @throws NOT_FOUND if the log no longer holds one of them, or does not hold it yet
   */
  changes(from: number, to: number): Promise<readonly VersionChange[]>;

  /**
   * The newest version whose commit time is not after `timeMs` (ms since the epoch).
   * @throws NOT_FOUND if the table did not exist yet, or that version is no longer kept
   */
  versionAt(timeMs: number): Promise<number>;

  /** True if this version was the newest when it was last looked at, and that is at most `withinMs` ago. Reads nothing. */
  wasNewest(version: number, withinMs: number): boolean;

  /** The newest commits, at most `limit`, the newest first; empty if the table does not exist. */
  history(limit: number): Promise<readonly CommitSummary[]>;
}

/** Opens a table; nothing is read or made until it is used. */
export function deltaTable(options: DeltaTableOptions): DeltaTable {
  const defaults = { logger: silentLogger, newToken: uniqueId };
  const state: TableState = {
    ...defaults,
    ...options,
    tokens: new WeakMap(),
    head: undefined,
    headReadAtMs: 0,
    seenAtMs: new Map(),
  };
  return {
    path: options.path,
    snapshot: async (version) => (version === undefined ? newest(state) : snapshotAt(state, version)),
    create: async (schema) => create(state, schema),
    commit: async (request) => commit(state, request),
    changes: async (from, to) => changes(state, from, to),
    versionAt: async (timeMs) => versionAt(state, timeMs),
    wasNewest: (version, withinMs) =>
      (state.seenAtMs.get(version) ?? Number.NEGATIVE_INFINITY) >= options.clock.monotonicMs() - withinMs,
    history: async (limit) => history(state, limit),
  };
}

interface TableState extends Required<DeltaTableOptions> {
  readonly tokens: WeakMap<CommitRequest, string>;
  /** The newest snapshot that is known, and when that was found out. */
  head: Snapshot | undefined;
  headReadAtMs: number;
  /** Version -> when it was last seen to be the newest, by the monotonic clock; the latest few. */
  readonly seenAtMs: Map<number, number>;
}

async function newest(state: TableState): Promise<Snapshot | undefined> {
  const nowMs = state.clock.nowMs();
  const { head } = state;
  if (head !== undefined && !isStale(state)) {
    const commits = await readNewerCommits(state, head.version);
    keep(state, commits.length === 0 ? head : replay(state.path, head, commits));
    if (await isCleanedUp(state, head.version + commits.length)) state.head = await loadSnapshot(state);
  } else {
    state.head = await loadSnapshot(state);
  }
  state.headReadAtMs = nowMs;
  if (state.head !== undefined) seen(state, state.head.version);
  return state.head;
}

/**
 * True if the log no longer holds the version's commit. Commits are cleaned up in their order and never the newest, so what
 * follows a version was all there as long as its own commit is.
 */
async function isCleanedUp({ store, path }: TableState, version: number): Promise<boolean> {
  try {
    // Not by `localFile`, which may be a copy of what is gone.
    await store.get(logFilePath(path, version, ".json"));
    return false;
  } catch (error) {
    if (isAtriumError(error, "NOT_FOUND")) return true;
    throw error;
  }
}

function seen({ seenAtMs, clock }: TableState, version: number): void {
  // Deleted first, so that the map's order is that of time.
  seenAtMs.delete(version);
  seenAtMs.set(version, clock.monotonicMs());
  for (const oldest of seenAtMs.keys()) {
    if (seenAtMs.size <= SEEN_MAX) break;
    seenAtMs.delete(oldest);
  }
}

function isStale(state: TableState): boolean {
  return Math.abs(state.clock.nowMs() - state.headReadAtMs) >= CACHE_AGE_MS_MAX;
}

/** Makes a snapshot the known newest one, unless a newer one is known by now. */
function keep(state: TableState, snapshot: Snapshot): void {
  if (state.head === undefined || snapshot.version >= state.head.version) state.head = snapshot;
}

async function snapshotAt(state: TableState, version: number): Promise<Snapshot | undefined> {
  if (state.head?.version === version) return state.head;
  if (Number.isSafeInteger(version) && version >= 0) return loadSnapshot(state, version);
  throw new AtriumError("NOT_FOUND", `Table ${state.path} has no version ${version}: versions are 0, 1, 2 …`);
}

async function create(state: TableState, schema: TableSchema): Promise<Snapshot> {
  const existing = await newest(state);
  if (existing !== undefined) return existing;
  const bytes = encodeActions(creation(schema, state));
  // If another creator was faster, its table is as good.
  await state.store.putIfAbsent(logFilePath(state.path, 0, ".json"), bytes);
  return present(await newest(state), `table ${state.path}, just made`);
}

function creation(schema: TableSchema, { clock, newToken, writerId }: TableState): readonly Action[] {
  const { columns, partitionColumns, configuration = {} } = schema;
  for (const name of partitionColumns) {
    invariant(
      columns.some((column) => column.name === name),
      `the partition column ${name} is a column`,
    );
  }
  const timestamp = clock.nowMs();
  const notes = {
    operationParameters: {},
    isBlindAppend: true,
    engineInfo: ENGINE_INFO,
    writerId,
    txnId: newToken(),
  };
  const format = { provider: "parquet", options: {} };
  const schemaString = encodeSchema(columns);
  return [
    { commitInfo: { timestamp, operation: "CREATE TABLE", ...notes } },
    { protocol: OWN_PROTOCOL },
    {
      metaData: {
        id: newToken(),
        format,
        schemaString,
        partitionColumns,
        configuration,
        createdTime: timestamp,
      },
    },
  ];
}

async function commit(state: TableState, request: CommitRequest): Promise<Snapshot> {
  checkRequest(state.path, request);
  const token = state.tokens.get(request) ?? state.newToken();
  state.tokens.set(request, token);
  // A base that slept for long may lie before what was cleaned up: find out before writing after it.
  if (isStale(state)) await newest(state);
  let head = request.base;
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const timestampMs = Math.max(
      state.clock.nowMs(),
      head.timestampMs + 1,
      Math.trunc(request.notBeforeMs ?? 0),
    );
    const actions = commitActions(request, head, { timestampMs, writerId: state.writerId, token });
    const own: Commit = { version: head.version + 1, actions };
    if (await isPut(state, own)) {
      await withdrawIfLost(state, own.version);
      return committed(state, replay(state.path, head, [own]), request);
    }
    const winners = await readNewerCommits(state, head.version);
    if (winners.length === 0) {
      throw unsettled(state.path, own.version, "its file is taken, and cannot be read");
    }
    for (const winner of winners) {
      const isOwn = isOwnCommit(winner, token);
      if (!isOwn) checkWinner(request, { table: state.path, head, winner });
      head = replay(state.path, head, [winner]);
      if (isOwn) {
        await withdrawIfLost(state, head.version);
        return committed(state, head, request);
      }
    }
  }
  throw unsettled(state.path, head.version + 1, `${ATTEMPTS_MAX} attempts lost to other writers`);
}

/**
 * A commit after versions that were cleaned up meanwhile lies behind a checkpoint, where nobody will ever read it: takes it
 * back. @throws COMMIT_CONFLICT
 */
async function withdrawIfLost(state: TableState, version: number): Promise<void> {
  if (version === 0 || !(await isCleanedUp(state, version - 1))) return;
  await state.store.delete([logFilePath(state.path, version, ".json")]);
  state.head = undefined;
  throw unsettled(state.path, version, "the commits that it was based on were cleaned up");
}

/** True if the commit is in the log now; false if another one, or our own from an earlier attempt, has its version. */
async function isPut(state: TableState, { version, actions }: Commit): Promise<boolean> {
  if (state.head !== undefined && state.head.version >= version) return false;
  try {
    return await state.store.putIfAbsent(logFilePath(state.path, version, ".json"), encodeActions(actions));
  } catch (error) {
    // The put may have been done and only its answer lost: what is there now decides.
    if (!isAtriumError(error, "STORE_FAILED")) throw error;
    const found = await readCommit(state.store, state.path, version).catch(() => undefined);
    if (found === undefined) throw error;
    return false;
  }
}

/** Takes note of the new version, and writes a checkpoint if it is time for one. */
async function committed(state: TableState, snapshot: Snapshot, request: CommitRequest): Promise<Snapshot> {
  noteCommit(state, snapshot, request);
  keep(state, snapshot);
  state.headReadAtMs = state.clock.nowMs();
  seen(state, snapshot.version);
  try {
    if (snapshot.version % checkpointInterval(snapshot.schema) === 0) {
      keep(state, await writeCheckpoint(state, snapshot));
    }
  } catch (error) {
    // The commit stands without it: reading takes longer until the next one.
    const { path: table } = state;
    state.logger.warn("checkpoint failed", { table, version: snapshot.version, error: messageOf(error) });
  }
  return snapshot;
}

/** Says in the log which batch became which version. */
function noteCommit(state: TableState, { version }: Snapshot, request: CommitRequest): void {
  const { path, tokens, logger } = state;
  const commitId = tokens.get(request);
  const { batchId = commitId, operation, adds } = request;
  logger.debug("committed", { table: path, version, operation, batchId, commitId, files: adds.length });
}

async function changes(state: TableState, from: number, to: number): Promise<readonly VersionChange[]> {
  const commits = await readCommits(state, from + 1, to);
  if (commits.length === Math.max(0, to - from)) return commits.map(changeOf);
  const message =
    `The log of table ${state.path} does not hold version ${from + 1 + commits.length}: it was cleaned up, or is not ` +
    `written yet, so what changed up to version ${to} is not known. Read the whole snapshot instead.`;
  throw new AtriumError("NOT_FOUND", message, { details: { table: state.path } });
}

function changeOf(commit: Commit): VersionChange {
  const adds: AddFile[] = [];
  const removes: RemoveAction[] = [];
  const txns = new Map<string, bigint>();
  for (const { add, remove, txn } of commit.actions) {
    if (add?.dataChange === true) adds.push(add);
    if (remove?.dataChange === true) removes.push(remove);
    if (txn !== undefined) txns.set(txn.appId, txn.version);
  }
  const { version, timestampMs, operation } = headingOf(commit);
  return { version, timestampMs, operation, adds, removes, txns };
}

async function history(state: TableState, limit: number): Promise<readonly CommitSummary[]> {
  const head = await newest(state);
  const summaries: CommitSummary[] = [];
  for (let version = head?.version ?? -1; version >= 0 && summaries.length < limit; version -= 1) {
    const found = await readCommit(state.store, state.path, version);
    if (found === undefined) break;
    summaries.push(summaryOf(found));
  }
  return summaries;
}

/** What is told of a commit without a look at its files. */
function headingOf(commit: Commit): Pick<CommitSummary, "version" | "timestampMs" | "operation" | "info"> {
  const info = commit.actions.find((action) => action.commitInfo !== undefined)?.commitInfo ?? {};
  const { operation } = info;
  return {
    version: commit.version,
    timestampMs: timestampOf(commit) ?? 0,
    operation: typeof operation === "string" ? operation : "UNKNOWN",
    info,
  };
}

function summaryOf(commit: Commit): CommitSummary {
  const adds = commit.actions.flatMap(({ add }) => add ?? []);
  return {
    ...headingOf(commit),
    filesAdded: adds.length,
    filesRemoved: commit.actions.filter((action) => action.remove !== undefined).length,
    rowsAdded: adds.reduce((sum, add) => sum + (statsOf(add)?.numRecords ?? 0), 0),
  };
}

function unsettled(table: string, version: number, why: string): AtriumError {
  const message =
    `Version ${version} of table ${table} could not be committed: ${why}. ` +
    "Read the table again and repeat it.";
  return new AtriumError("COMMIT_CONFLICT", message, { details: { table, version } });
}

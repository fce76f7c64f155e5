// Reading a table's log: which commits and checkpoints there are, and the snapshot that they add up to.

import { AtriumError, isAtriumError } from "../../support/errors.ts";
import { type Action, parseActions } from "./actions.ts";
import {
  type Checkpoint,
  hintedVersion,
  hintPath,
  logFilePath,
  type LogPlace,
  readCheckpoint,
} from "./checkpoint.ts";
import { ACTION_COUNT } from "./commit.ts";
import type { ObjectInfo, ObjectStore } from "./object-store.ts";
import { type Commit, replay, type Snapshot, timestampOf } from "./snapshot.ts";

/** Commits that are read at once. */
const READS_AT_ONCE_MAX = 16;

/**
 * The newest snapshot, or that of `version`; undefined if the table does not exist.
 * @throws NOT_FOUND for a version that is not there; TABLE_CORRUPT naming a missing or damaged file; TABLE_UNSUPPORTED.
 */
export async function loadSnapshot(place: LogPlace, version?: number): Promise<Snapshot | undefined> {
  const hint = await readHint(place);
  if (hint !== undefined && hint <= (version ?? hint)) {
    // The hint saves listing the log's older part. It may be stale, or its checkpoint damaged: then all is listed.
    const listing = await listLog(place, hint);
    const start = (await startOf(place, listing, version)).snapshot;
    if (start !== undefined) return finish(place, start, { listing, version });
  }
  const listing = await listLog(place, 0);
  if (listing.commits.length === 0 && listing.checkpoints.length === 0) {
    if (hint === undefined) return undefined;
    throw missing(place.path, logFilePath(place.path, hint, ".json"));
  }
  const { snapshot, failure } = await startOf(place, listing, version);
  if (snapshot === undefined) needWholeLog(place.path, listing, { version, failure });
  return finish(place, snapshot, { listing, version });
}

/** A commit; undefined if the version does not exist. @throws TABLE_CORRUPT */
export async function readCommit(
  store: ObjectStore,
  table: string,
  version: number,
): Promise<Commit | undefined> {
  const path = logFilePath(table, version, ".json");
  const bytes = await getIfThere(store, path);
  if (bytes === undefined) return undefined;
  const actions = parseActions(bytes, path);
  checkComplete(table, path, actions);
  return { version, actions };
}

/** A file that was cut at the end of a line would else read as a smaller commit. @throws TABLE_CORRUPT */
function checkComplete(table: string, file: string, actions: readonly Action[]): void {
  const noted = actions.find((action) => action.commitInfo !== undefined)?.commitInfo?.[ACTION_COUNT];
  if (actions.length > 0 && (typeof noted !== "number" || noted === actions.length - 1)) return;
  const found =
    actions.length === 0
      ? "it is empty"
      : `it should hold ${String(noted)} actions, and has ${actions.length - 1}`;
  const message =
    `Cannot read ${file}: ${found}. Restore the file from a backup; only if it is the newest commit and was cut ` +
    "short, delete it.";
  throw new AtriumError("TABLE_CORRUPT", message, { details: { table, file } });
}

/** The commits of the versions `from` to `to`, both included, or those before the first that is missing. */
export async function readCommits(place: LogPlace, from: number, to: number): Promise<readonly Commit[]> {
  const commits: Commit[] = [];
  while (from + commits.length <= to) {
    const next = from + commits.length;
    for (const commit of await readSome(place, next, Math.min(READS_AT_ONCE_MAX, to - next + 1))) {
      if (commit === undefined) return commits;
      commits.push(commit);
    }
  }
  return commits;
}

/** The commits after `version` up to the newest. A read of a version that does not exist is cheaper than a listing. */
export async function readNewerCommits(place: LogPlace, version: number): Promise<readonly Commit[]> {
  const commits: Commit[] = [];
  for (let width = 1; ; width = Math.min(width * 2, READS_AT_ONCE_MAX)) {
    for (const commit of await readSome(place, version + 1 + commits.length, width)) {
      if (commit === undefined) return commits;
      commits.push(commit);
    }
  }
}

function readSome({ store, path }: LogPlace, from: number, count: number): Promise<(Commit | undefined)[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => readCommit(store, path, from + index)));
}

/** What a listing of a log shows: versions that rise, and complete checkpoints, the newest first. */
export interface Listing {
  readonly commits: readonly number[];
  /** When the file of each commit was written, ms since the epoch by the store's clock. */
  readonly writtenMs: ReadonlyMap<number, number>;
  readonly checkpoints: readonly Checkpoint[];
}

/** Lists a log from a version on. @throws TABLE_UNSUPPORTED for checkpoints of a kind that is not known */
export async function listLog(
  { store, path }: Pick<LogPlace, "store" | "path">,
  from: number,
): Promise<Listing> {
  const startAfter = logFilePath(path, from, "");
  const objects = await store.list(`${path}/_delta_log/0`, startAfter);
  const commits: number[] = [];
  const writtenMs = new Map<number, number>();
  const parts = new Map<string, ObjectInfo[]>();
  for (const object of objects) {
    const name = object.path.slice(object.path.lastIndexOf("/") + 1);
    if (/^\d{20}\.json$/.test(name)) {
      commits.push(Number.parseInt(name, 10));
      writtenMs.set(Number.parseInt(name, 10), object.modifiedMs);
    }
    const checkpoint = /^(\d{20}\.checkpoint)(?:\.\d{10}(\.\d{10}))?\.parquet$/.exec(name);
    if (checkpoint !== null) {
      const key = `${checkpoint[1]}${checkpoint[2] ?? ""}`;
      parts.set(key, [...(parts.get(key) ?? []), object]);
    } else if (/^\d{20}\.checkpoint\.[0-9a-f-]{36}\.(json|parquet)$/.test(name)) {
      throw unsupportedCheckpoint(object.path);
    }
  }
  return { commits, writtenMs, checkpoints: completeCheckpoints(parts) };
}

/** Checkpoints by `version.checkpoint` or `version.checkpoint.numberOfParts`: those whose parts are all there. */
function completeCheckpoints(partsByKey: ReadonlyMap<string, readonly ObjectInfo[]>): readonly Checkpoint[] {
  const complete: Checkpoint[] = [];
  for (const [key, objects] of partsByKey) {
    const partCount = Number(key.split(".")[2] ?? "1");
    const [last] = objects.slice(-1);
    if (last === undefined || objects.length !== partCount) continue;
    const paths = objects.map((object) => object.path);
    complete.push({ version: Number.parseInt(key, 10), paths, modifiedMs: last.modifiedMs });
  }
  return complete.toSorted((a, b) => b.version - a.version);
}

/** Where replaying starts: a snapshot, or nothing but the log's own beginning. */
interface Start {
  readonly snapshot: Snapshot | undefined;
  /** Why the newest checkpoint could not be used. */
  readonly failure?: unknown;
}

/** The newest checkpoint that can be read, at or below `version`. */
async function startOf(place: LogPlace, listing: Listing, version = Number.MAX_SAFE_INTEGER): Promise<Start> {
  let failure: unknown;
  for (const checkpoint of listing.checkpoints) {
    if (checkpoint.version > version) continue;
    try {
      const actions = await readCheckpoint(place, checkpoint);
      const { modifiedMs: timestampMs } = checkpoint;
      const snapshot = replay(place.path, undefined, [{ version: checkpoint.version, actions, timestampMs }]);
      return { snapshot };
    } catch (error) {
      // A damaged checkpoint loses nothing as long as an older one, or the whole log, is there.
      if (!isAtriumError(error, "TABLE_CORRUPT") && !isAtriumError(error, "NOT_FOUND")) throw error;
      failure ??= error;
    }
  }
  return { snapshot: undefined, failure };
}

/** Replays the commits after the start. */
async function finish(
  place: LogPlace,
  start: Snapshot | undefined,
  { listing, version }: { readonly listing: Listing; readonly version: number | undefined },
): Promise<Snapshot> {
  const from = start === undefined ? 0 : start.version + 1;
  const newest = Math.max(from - 1, listing.commits.at(-1) ?? -1);
  const to = version ?? newest;
  if (to > newest) throw absent(place.path, to, `the newest is ${newest}`);
  const commits = await readCommits(place, from, to);
  const gap = from + commits.length;
  if (gap <= to) throw missing(place.path, logFilePath(place.path, gap, ".json"));
  if (start === undefined || commits.length > 0) return replay(place.path, start, commits);
  // A checkpoint does not hold the time of its commit.
  const own = await readCommit(place.store, place.path, start.version);
  return { ...start, timestampMs: (own && timestampOf(own)) ?? start.timestampMs };
}

/** Without a checkpoint the log must begin at its beginning. @throws TABLE_CORRUPT, NOT_FOUND */
function needWholeLog(
  table: string,
  listing: Listing,
  { version, failure }: { readonly version: number | undefined; readonly failure: unknown },
): void {
  if (listing.commits[0] === 0) return;
  const oldest = listing.checkpoints.at(-1)?.version;
  if (failure === undefined && version !== undefined && oldest !== undefined && version < oldest) {
    throw absent(table, version, `the oldest that is kept is ${oldest}`);
  }
  throw missing(table, logFilePath(table, 0, ".json"), failure);
}

async function readHint({ store, path }: LogPlace): Promise<number | undefined> {
  const hint = await getIfThere(store, hintPath(path));
  return hint && hintedVersion(hint);
}

async function getIfThere(store: ObjectStore, path: string): Promise<Uint8Array | undefined> {
  try {
    return await store.get(path);
  } catch (error) {
    if (isAtriumError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

function absent(table: string, version: number, found: string): AtriumError {
  const message = `Table ${table} has no version ${version}: ${found}. Ask for another version.`;
  return new AtriumError("NOT_FOUND", message, { details: { table, version } });
}

function missing(table: string, file: string, cause?: unknown): AtriumError {
  const why = cause === undefined ? "" : ", and no checkpoint that can be read stands in for it";
  const message =
    `The log of table ${table} has a gap: ${file} is missing${why}. ` +
    "Restore it from a backup, or restore the whole table folder; writing to the table is not safe until then.";
  return new AtriumError("TABLE_CORRUPT", message, { cause, details: { table, file } });
}

function unsupportedCheckpoint(file: string): AtriumError {
  const message =
    `${file} is a V2 checkpoint, which Atrium does not read. ` +
    "Drop the v2Checkpoint feature with the tool that added it.";
  return new AtriumError("TABLE_UNSUPPORTED", message, { details: { file } });
}

// Copies a lake into another store, file by file, so that every version stays what it was.
//
//   a copy notes its source -> per table: data files, checkpoints, commits in their order -> the lake's marker, last
//
// A copy that ended early goes on; its target is no lake until it is whole.

import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { TABLE_NAMES, type TableName } from "../reading/tables.ts";
import { uniqueId } from "../support/chance.ts";
import { AtriumError, isAtriumError } from "../support/errors.ts";
import { inParallel } from "../support/parallel.ts";
import { logFilePath } from "./delta/checkpoint.ts";
import { listLog, loadSnapshot } from "./delta/log-reader.ts";
import type { ObjectStore } from "./delta/object-store.ts";
import { storePath } from "./delta/paths.ts";
import type { Snapshot } from "./delta/snapshot.ts";
import { MARKER, type Lake } from "./lake.ts";
import { rowsOf } from "./summary.ts";

/** What to copy, and where to. */
export interface CopyOptions {
  readonly lake: Lake;
  readonly to: ObjectStore;
  /** Only this table; then the target becomes a lake too, with one table. Default: all. */
  readonly table?: TableName | undefined;
  /** A folder for files on their way, removed by the caller. */
  readonly scratchFolder: string;
  /** Ends between two files; the next copy goes on from there. */
  readonly signal: AbortSignal;
}

/** What was copied of a table. */
export interface Copied {
  readonly table: TableName;
  readonly version: number;
  readonly rows: number;
  readonly files: number;
  /** Files that this copy moved; the others were there. */
  readonly filesCopied: number;
  readonly commits: number;
}

/** Says whose copy the target is. */
const RECORD = "_atrium/copy.json";
const FILES_AT_ONCE = 16;
/**
 * From the end of the flow to its beginning, for others may write meanwhile: so no table's position lies beyond what is copied
 * of the table that it follows. Of a batch the rejected messages are committed before the readings, whose commit has the
 * position: so they are copied after them.
 */
const ORDER: readonly TableName[] = [
  ...TABLE_NAMES.filter((name) => !name.startsWith("bronze/")).toReversed(),
  "bronze/readings",
  "bronze/rejected",
];

/**
 * Copies all versions that the log still holds, with the files that are still there, and checks the newest.
 * @throws LAKE_INVALID if the target holds something else; TABLE_CORRUPT if a live file is missing in the source
 */
export async function copyLake(options: CopyOptions): Promise<readonly Copied[]> {
  const { lake, to, table, signal } = options;
  await claim(lake, to);
  const copied: Copied[] = [];
  for (const name of table === undefined ? ORDER : [table]) {
    const snapshot = await lake.table(name).snapshot();
    if (signal.aborted) throw stopped();
    if (snapshot === undefined) continue;
    const held = { table: name, version: snapshot.version };
    copied.push(await lake.holds.during([held], async () => copyTable(options, name, snapshot)));
  }
  await to.put(MARKER, await lake.store.get(MARKER));
  return copied;
}

/** Makes the target this lake's copy, or finds that it is. @throws LAKE_INVALID */
async function claim(lake: Lake, to: ObjectStore): Promise<void> {
  const record = `${JSON.stringify({ copyOf: lake.store.url })}\n`;
  const noted = await textOf(to, RECORD);
  if (noted === record) return;
  const [first] = (await to.list("")).filter(({ path }) => !path.startsWith("_scratch/"));
  if (first === undefined && noted === undefined) {
    if (await to.putIfAbsent(RECORD, new TextEncoder().encode(record))) return;
  }
  const what =
    noted === undefined ? `it holds ${first?.path ?? "files"}` : `it is another copy: ${noted.trim()}`;
  const message = `${to.url} is no place for a copy of ${lake.store.url}: ${what}. Name an empty one.`;
  throw new AtriumError("LAKE_INVALID", message);
}

async function copyTable(options: CopyOptions, name: TableName, snapshot: Snapshot): Promise<Copied> {
  const { lake, to } = options;
  const log = await listLog({ store: lake.store, path: name }, 0);
  const isCopied = ({ version }: { readonly version: number }): boolean => version <= snapshot.version;
  const checkpoints = log.checkpoints.filter(isCopied).flatMap(({ paths }) => paths);
  const commits = log.commits.filter((version) => version <= snapshot.version);
  const filesCopied = await copyFiles(options, name, snapshot);
  for (const path of checkpoints) await putSame(to, path, await lake.store.get(path));
  for (const version of commits) {
    if (options.signal.aborted) throw stopped();
    const path = logFilePath(name, version, ".json");
    await putSame(to, path, await lake.store.get(path));
  }
  await check(options, name, snapshot);
  const { version, files } = snapshot;
  return {
    table: name,
    version,
    rows: rowsOf(snapshot),
    files: files.size,
    filesCopied,
    commits: commits.length,
  };
}

/** Live files, and those of older versions that are still there. Files never change, so one of that size is it. */
async function copyFiles(options: CopyOptions, name: TableName, snapshot: Snapshot): Promise<number> {
  const { lake, to, scratchFolder, signal } = options;
  const sizes = async (store: ObjectStore): Promise<ReadonlyMap<string, number>> =>
    new Map((await store.list(`${name}/`)).map(({ path, sizeBytes }) => [path, sizeBytes]));
  const [here, there] = [await sizes(lake.store), await sizes(to)];
  const named = [...snapshot.files.keys(), ...snapshot.tombstones.keys()].map((path) =>
    storePath(name, path),
  );
  const missing = named.filter((path) => here.has(path) && there.get(path) !== here.get(path));
  await mkdir(scratchFolder, { recursive: true });
  await inParallel(missing, FILES_AT_ONCE, async (path) => {
    if (signal.aborted) throw stopped();
    const onItsWay = join(scratchFolder, uniqueId());
    await copyFile(await lake.store.localFile(path), onItsWay);
    await to.putFile(path, onItsWay);
  });
  return missing.length;
}

/** Another object under the name is no copy of ours. @throws LAKE_INVALID */
async function putSame(to: ObjectStore, path: string, bytes: Uint8Array): Promise<void> {
  if (await to.putIfAbsent(path, bytes)) return;
  if (Buffer.compare(await to.get(path), bytes) === 0) return;
  const message = `${to.url}/${path} is not that of the source: the copy was written to. Copy to an empty place.`;
  throw new AtriumError("LAKE_INVALID", message);
}

/** The copy has the version, its rows and all of its files, whole. @throws TABLE_CORRUPT */
async function check({ lake, to }: CopyOptions, name: TableName, wanted: Snapshot): Promise<void> {
  const found = await loadSnapshot({ store: to, path: name, codec: lake.codec }, wanted.version);
  const sizes = new Map((await to.list(`${name}/`)).map(({ path, sizeBytes }) => [path, sizeBytes]));
  const lost = [...wanted.files.values()].find(({ path, size }) => sizes.get(storePath(name, path)) !== size);
  if (found !== undefined && rowsOf(found) === rowsOf(wanted) && lost === undefined) return;
  const what = lost === undefined ? "it has other rows" : `${lost.path} is missing or cut`;
  const message = `The copy of ${name} in ${to.url} is not whole: ${what}. atrium verify says whether the source is.`;
  throw new AtriumError("TABLE_CORRUPT", message, { details: { table: name } });
}

function stopped(): AtriumError {
  return new AtriumError("STORE_FAILED", "The copy was stopped before its end: start it again to go on.");
}

async function textOf(store: ObjectStore, path: string): Promise<string | undefined> {
  try {
    return new TextDecoder().decode(await store.get(path));
  } catch (error) {
    if (isAtriumError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

// Vacuum: removes data files that nobody needs any more, and what writers that died left behind.
//
// A file stays while it is live, was removed less than the grace ago, belongs to a version that is held, was removed by a
// commit that some consumer has not taken, or is younger than the grace: a writer moves its files in before it commits them.
// What is deleted is decided anew before every few files, so it may be killed at any point and run beside everything else.
//
// A writer may sleep between its files and their commit for longer than the grace. Before vacuum removes a file that no
// commit names, it commits a fence (txn `vacuum` -> a time between the grace and now). A commit with older files that comes
// before the fence makes them live, and vacuum sees that; one that comes after it is refused (COMMIT_CONFLICT).

import type { TableName } from "../../reading/tables.ts";
import { present } from "../../support/assert.ts";
import { isAtriumError } from "../../support/errors.ts";
import { FENCE_APP_ID } from "../delta/commit.ts";
import { loadSnapshot } from "../delta/log-reader.ts";
import type { ObjectInfo } from "../delta/object-store.ts";
import { storePath } from "../delta/paths.ts";
import { deletedFileRetentionMs } from "../delta/settings.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { type HeldVersions, publishedHolds } from "../holds.ts";
import type { Lake } from "../lake.ts";
import { consumedVersion, untakenFiles } from "./consumers.ts";

/** What vacuum works on and its bounds. */
export interface VacuumOptions {
  readonly lake: Lake;
  /** Files that were removed, or came and were never committed, stay for so long, ms; several times HOLD_MS at least. A table's own delta.deletedFileRetentionDuration may be less. */
  readonly graceMs: number;
  /** Removes nothing, and counts what it would remove. */
  readonly dryRun?: boolean;
  /** Ends between two deletions. */
  readonly signal?: AbortSignal;
}

/** What was removed. */
export interface VacuumSummary {
  readonly filesRemoved: number;
  readonly bytesRemoved: number;
}

/** Files that are deleted without looking again whether somebody needs them. */
const DELETES_AT_ONCE = 100;
/** The store's clock is read from the file that says when vacuum ran. */
const RECORD = "_atrium/vacuum.json";

/**
 * Removes the data files of a table that nobody needs. A table whose log cannot be read keeps all of its files.
 * @throws TABLE_CORRUPT, STORE_FAILED …
 */
export async function vacuumTable(options: VacuumOptions, name: TableName): Promise<VacuumSummary> {
  const { lake, graceMs, signal } = options;
  const sum = { filesRemoved: 0, bytesRemoved: 0 };
  // Read anew, not from what this process remembers: a damaged log must not cost the files that could mend it.
  const loaded = await loadSnapshot({ ...lake, path: name });
  if (loaded === undefined) return sum;
  const nowMs = options.dryRun === true ? lake.clock.nowMs() : await cautiousNowMs(lake);
  // A table may keep less: see its delta.deletedFileRetentionDuration.
  const beforeMs = nowMs - Math.min(graceMs, deletedFileRetentionMs(loaded.schema));
  const found = (await lake.store.list(`${name}/`)).filter(
    ({ path }) => isDataFile(name, path) || isUnfinished(name, path),
  );
  const old = found.filter((file) => file.modifiedMs < beforeMs);
  const fenceMs = Math.floor((nowMs + beforeMs) / 2);
  const unneededOf = async (some: readonly ObjectInfo[]): Promise<readonly ObjectInfo[]> => {
    const needed = await neededFiles(lake, name, beforeMs);
    return some.filter((file) => !needed.has(file.path));
  };
  for (let start = 0; start < old.length; start += DELETES_AT_ONCE) {
    if (signal?.aborted === true) break;
    const some = old.slice(start, start + DELETES_AT_ONCE);
    let unneeded = await unneededOf(some);
    if (options.dryRun !== true) {
      if (await isFenceNew(lake, { name, fenceMs, files: unneeded })) unneeded = await unneededOf(some);
      await lake.store.delete(unneeded.map((file) => file.path));
    }
    sum.filesRemoved += unneeded.length;
    sum.bytesRemoved += unneeded.reduce((bytes, file) => bytes + file.sizeBytes, 0);
  }
  return sum;
}

interface Fence {
  readonly name: TableName;
  readonly fenceMs: number;
  readonly files: readonly ObjectInfo[];
}

/** Commits a fence if one of the files was never named by a commit, as far as is known; true if it did. */
async function isFenceNew(lake: Lake, { name, fenceMs, files }: Fence): Promise<boolean> {
  const table = lake.table(name);
  const base = present(await table.snapshot(), `table ${name}, there before`);
  const removed = new Set([...base.tombstones.keys()].map((path) => storePath(name, path)));
  const isFenced = (base.txns.get(FENCE_APP_ID) ?? 0n) >= BigInt(fenceMs);
  if (isFenced || files.every((file) => removed.has(file.path))) return false;
  try {
    await table.commit({
      base,
      adds: [],
      removes: [],
      txns: new Map([[FENCE_APP_ID, BigInt(fenceMs)]]),
      operation: "VACUUM START",
      isolation: { kind: "append" },
      dataChange: false,
    });
    return true;
  } catch (error) {
    // Another vacuum was faster: whether its fence will do is seen when these files are looked at again.
    if (!isAtriumError(error, "COMMIT_OVERTAKEN")) throw error;
    return isFenceNew(lake, { name, fenceMs, files });
  }
}

/** Removes what puts that never ended left in the store, and holds that expired; returns how many files. */
export async function vacuumLeftovers({ lake, graceMs, dryRun }: VacuumOptions): Promise<number> {
  if (dryRun === true) return 0;
  const nowMs = await cautiousNowMs(lake);
  await publishedHolds(lake.store, { nowMs });
  return lake.store.removeAbandoned(nowMs - graceMs);
}

/**
 * The earlier of this machine's time and that of the store, which stamps the files, ms since the epoch: where the two
 * differ, files only live longer.
 */
async function cautiousNowMs({ store, clock }: Lake): Promise<number> {
  const ranAtMs = clock.nowMs();
  await store.put(RECORD, new TextEncoder().encode(`${JSON.stringify({ ranAtMs })}\n`));
  const [record] = await store.list(RECORD);
  return Math.min(ranAtMs, record?.modifiedMs ?? ranAtMs);
}

/** The data files in a table's folder. */
export async function dataFiles({ store }: Lake, name: TableName): Promise<readonly ObjectInfo[]> {
  return (await store.list(`${name}/`)).filter(({ path }) => isDataFile(name, path));
}

/** What other programs keep in a table's folder, under `_` or `.`, is not ours. */
function isDataFile(name: TableName, path: string): boolean {
  const parts = path.slice(name.length + 1).split("/");
  return path.endsWith(".parquet") && !parts.some((part) => /^[_.]/.test(part) && !part.includes("="));
}

/** What a job of Spark writes before it finishes, `<id>/_temporary/…`: no commit ever names it there. */
function isUnfinished(name: TableName, path: string): boolean {
  return /^[^/_.][^/]*\/_temporary\//.test(path.slice(name.length + 1));
}

/** Paths in the store of the files that must stay, whatever their age. @throws TABLE_CORRUPT, NOT_FOUND */
async function neededFiles(lake: Lake, name: TableName, beforeMs: number): Promise<ReadonlySet<string>> {
  const table = lake.table(name);
  const held = await publishedHolds(lake.store, { nowMs: lake.clock.nowMs(), keep: true });
  const consumed = await consumedVersion(lake, name);
  const snapshot = present(await table.snapshot(), `table ${name}, there before`);
  const paths = new Set<string>(snapshot.files.keys());
  for (const { path, deletionTimestamp = 0 } of snapshot.tombstones.values()) {
    if (deletionTimestamp >= beforeMs) paths.add(path);
  }
  for (const path of (await untakenFiles(lake, name, { consumed, snapshot })).removed) paths.add(path);
  for (const path of await filesOfVersions(lake, { name, held, snapshot })) paths.add(path);
  return new Set([...paths].map((path) => storePath(name, path)));
}

/** Paths in the log of the files of held versions. @throws NOT_FOUND if one of them can no longer be read: its files are not known */
async function filesOfVersions(
  lake: Lake,
  {
    name,
    held,
    snapshot,
  }: { readonly name: TableName; readonly held: HeldVersions; readonly snapshot: Snapshot },
): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const version of held.get(name) ?? []) {
    // A newer one has files that came since: too young to be removed.
    if (version >= snapshot.version) continue;
    const old = await lake.table(name).snapshot(version);
    for (const path of old?.files.keys() ?? []) paths.push(path);
  }
  return paths;
}

// Vacuum: removes data files that nobody needs any more, and what writers that died left behind.
//
// A file stays while it is live, was removed less than the grace ago, belongs to a version that is held, was removed by a
// commit that some consumer has not taken, or is younger than the grace: a writer moves its files in before it commits them.
// What is deleted is decided anew before every few files, so it may be killed at any point and run beside everything else.

import type { TableName } from "../../reading/tables.ts";
import { present } from "../../support/assert.ts";
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
  const old = (await dataFiles(lake, name)).filter((file) => file.modifiedMs < beforeMs);
  for (let start = 0; start < old.length; start += DELETES_AT_ONCE) {
    if (signal?.aborted === true) break;
    const some = old.slice(start, start + DELETES_AT_ONCE);
    const needed = await neededFiles(lake, name, beforeMs);
    const unneeded = some.filter((file) => !needed.has(file.path));
    if (options.dryRun !== true) await lake.store.delete(unneeded.map((file) => file.path));
    sum.filesRemoved += unneeded.length;
    sum.bytesRemoved += unneeded.reduce((bytes, file) => bytes + file.sizeBytes, 0);
  }
  return sum;
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

/** The data files in a table's folder; what other programs keep there, under `_` or `.`, is not ours. */
export async function dataFiles({ store }: Lake, name: TableName): Promise<readonly ObjectInfo[]> {
  const objects = await store.list(`${name}/`);
  return objects.filter(({ path }) => {
    const parts = path.slice(name.length + 1).split("/");
    return path.endsWith(".parquet") && !parts.some((part) => /^[_.]/.test(part) && !part.includes("="));
  });
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

// Older versions of a table: which one a number or a time means, and whether all of its files are still there.

import type { TableName } from "../reading/tables.ts";
import { AtriumError } from "../support/errors.ts";
import { readCommits } from "./delta/log-reader.ts";
import { storePath } from "./delta/paths.ts";
import type { Snapshot } from "./delta/snapshot.ts";
import type { Lake } from "./lake.ts";

/** A version, or the newest one at a time (ms since the epoch). */
export type AsOf = { readonly version: number } | { readonly timeMs: number };

/** Versions whose commits are in memory at a time. */
const VERSIONS_AT_ONCE = 100;

/**
 * A table as it was; undefined if it does not exist and a version is asked for.
 * @throws NOT_FOUND if there is no such version, it is no longer kept, or some of its files were removed by vacuum
 */
export async function snapshotAsOf(lake: Lake, name: TableName, asOf: AsOf): Promise<Snapshot | undefined> {
  const snapshot = await lake.table(name).snapshot(await versionOf(lake, name, asOf));
  if (snapshot !== undefined) await requireWhole(lake, name, snapshot);
  return snapshot;
}

/** The version that is meant. @throws NOT_FOUND if the table did not exist at the time, or is no longer kept as it was */
export async function versionOf(lake: Lake, name: TableName, asOf: AsOf): Promise<number> {
  return "version" in asOf ? asOf.version : lake.table(name).versionAt(asOf.timeMs);
}

/** @throws NOT_FOUND naming the version, the first file of it that is gone, and the oldest version that is whole */
async function requireWhole(lake: Lake, name: TableName, snapshot: Snapshot): Promise<void> {
  const isThere = await dataFiles(lake, name);
  const gone = [...snapshot.files.keys()].find((path) => !isThere(path));
  if (gone === undefined) return;
  const { version } = snapshot;
  const oldest = await oldestWhole(lake, name, { version, isThere });
  const advice =
    oldest === undefined
      ? "Its newest version is damaged too: restore the file from a backup."
      : `The oldest version that is whole is ${oldest}.`;
  throw new AtriumError(
    "NOT_FOUND",
    `Version ${version} of table ${name} is no longer whole: its file ${storePath(name, gone)} was removed by vacuum. ${advice}`,
    { details: { table: name, version } },
  );
}

/** Tells of a path of the log whether its file is in the store: one listing is cheaper than a look at each. */
async function dataFiles(lake: Lake, name: TableName): Promise<(path: string) => boolean> {
  const objects = await lake.store.list(`${name}/`);
  const paths = new Set(objects.map((object) => object.path));
  return (path) => paths.has(storePath(name, path));
}

interface Broken {
  readonly version: number;
  readonly isThere: (path: string) => boolean;
}

/** The version after which no commit removed a file that is gone; undefined if the newest one misses a file. */
async function oldestWhole(
  lake: Lake,
  name: TableName,
  { version, isThere }: Broken,
): Promise<number | undefined> {
  const head = await lake.table(name).snapshot();
  if (head === undefined || ![...head.files.keys()].every(isThere)) return undefined;
  const place = { store: lake.store, codec: lake.codec, path: name };
  for (let to = head.version; to > version; to -= VERSIONS_AT_ONCE) {
    const commits = await readCommits(place, Math.max(version, to - VERSIONS_AT_ONCE) + 1, to);
    const last = commits.findLast(({ actions }) =>
      actions.some(({ remove }) => remove !== undefined && !isThere(remove.path)),
    );
    if (last !== undefined) return last.version;
  }
  return head.version;
}

// Keeps a table's log short: checkpoints, and the removal of commits that a checkpoint stands in for.
//
// Old checkpoints go first, then commits in the order of their versions: wherever it is killed, what is left is a log with a
// newer checkpoint, and a version that lost its beginning is refused by name. Other processes notice by the same order that
// the version they know is gone (see table.ts).

import type { TableName } from "../../reading/tables.ts";
import { present } from "../../support/assert.ts";
import { isAtriumError } from "../../support/errors.ts";
import { logFilePath, readCheckpoint, writeCheckpoint } from "../delta/checkpoint.ts";
import { type Listing, listLog } from "../delta/log-reader.ts";
import { logRetentionMs } from "../delta/settings.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { publishedHolds } from "../holds.ts";
import type { Lake } from "../lake.ts";
import { consumedVersion } from "./consumers.ts";

/** What was done to a table's log. */
export interface CleanSummary {
  readonly commitsRemoved: number;
  readonly checkpointsRemoved: number;
  /** True if a checkpoint of the newest version was written. */
  readonly isCheckpointed: boolean;
}

/** Upkeep writes a checkpoint if there are so many commits since the last, so that opening the table reads fewer. */
const COMMITS_WITHOUT_CHECKPOINT_MAX = 20;
/** Files that are removed in one call. */
const DELETES_AT_ONCE = 1000;

/**
 * Writes a checkpoint if many commits have none, and removes commits that are older than `delta.logRetentionDuration`, that
 * a checkpoint stands in for, that no consumer waits for and no reader holds; versions that are younger stay readable.
 */
export async function cleanLog(lake: Lake, name: TableName): Promise<CleanSummary> {
  const consumed = await consumedVersion(lake, name);
  const snapshot = await lake.table(name).snapshot();
  if (snapshot === undefined) return { commitsRemoved: 0, checkpointsRemoved: 0, isCheckpointed: false };
  const listing = await listLog({ ...lake, path: name }, 0);
  const newest = listing.checkpoints[0]?.version ?? 0;
  const isCheckpointed = snapshot.version - newest >= COMMITS_WITHOUT_CHECKPOINT_MAX;
  if (isCheckpointed) await writeCheckpoint({ ...lake, path: name }, snapshot);
  const keepFrom = await oldestToKeep(lake, name, { listing, snapshot, consumed });
  const standIn = await readableUpTo(lake, name, { listing, keepFrom });
  const removed = await removeBefore(lake, name, { listing, checkpoints: standIn, commits: standIn });
  return { ...removed, isCheckpointed };
}

/**
 * Makes all versions but the newest unreadable, whatever their age and who reads them: for rows that must not come back.
 * Vacuum removes their files. Only commits that a consumer has not taken yet stay, and with nothing before them they add up to no version.
 * @throws TABLE_CORRUPT if the checkpoint cannot be read back: then nothing is removed
 */
export async function dropOlderVersions(lake: Lake, name: TableName): Promise<CleanSummary> {
  const consumed = await consumedVersion(lake, name);
  const snapshot = await lake.table(name).snapshot();
  if (snapshot === undefined) return { commitsRemoved: 0, checkpointsRemoved: 0, isCheckpointed: false };
  await writeCheckpoint({ ...lake, path: name }, snapshot);
  const listing = await listLog({ ...lake, path: name }, 0);
  const { version } = snapshot;
  const own = listing.checkpoints.find((checkpoint) => checkpoint.version === version);
  // Nothing else will hold the table after this: it must be whole.
  await readCheckpoint({ ...lake, path: name }, present(own, `the checkpoint of version ${version}`));
  const commits = Math.min(version, (consumed ?? version) + 1);
  return {
    ...(await removeBefore(lake, name, { listing, checkpoints: version, commits })),
    isCheckpointed: true,
  };
}

interface Log {
  readonly listing: Listing;
  readonly snapshot: Snapshot;
  readonly consumed: number | undefined;
}

/** The newest checkpoint up to a version that can be read: it stands in for all before it. 0 if there is none, or no need. */
async function readableUpTo(
  lake: Lake,
  name: TableName,
  { listing, keepFrom }: { readonly listing: Listing; readonly keepFrom: number },
): Promise<number> {
  for (const checkpoint of listing.checkpoints) {
    const { version } = checkpoint;
    if (version > keepFrom || (listing.commits[0] ?? version) >= version) continue;
    try {
      await readCheckpoint({ ...lake, path: name }, checkpoint);
      return version;
    } catch (error) {
      // A damaged one stands in for nothing; an older one may.
      if (!isAtriumError(error, "TABLE_CORRUPT")) throw error;
    }
  }
  return 0;
}

/** The first version that must stay readable. */
async function oldestToKeep(
  lake: Lake,
  name: TableName,
  { listing, snapshot, consumed }: Log,
): Promise<number> {
  const nowMs = lake.clock.nowMs();
  const beforeMs = nowMs - logRetentionMs(snapshot.schema);
  const young = listing.commits.find(
    (version) => present(listing.writtenMs.get(version), "a time") >= beforeMs,
  );
  const held = await publishedHolds(lake.store, { nowMs, keep: true });
  return Math.min(
    snapshot.version,
    young ?? snapshot.version,
    consumed ?? snapshot.version,
    ...(held.get(name) ?? []),
  );
}

interface Removal {
  readonly listing: Listing;
  /** Checkpoints of versions before this one go. */
  readonly checkpoints: number;
  /** Commits of versions before this one go. */
  readonly commits: number;
}

async function removeBefore(
  { store }: Lake,
  name: TableName,
  { listing, checkpoints, commits }: Removal,
): Promise<Omit<CleanSummary, "isCheckpointed">> {
  const old = listing.checkpoints.filter(({ version }) => version < checkpoints);
  await store.delete(old.flatMap(({ paths }) => paths));
  const versions = listing.commits.filter((version) => version < commits);
  for (let start = 0; start < versions.length; start += DELETES_AT_ONCE) {
    const some = versions.slice(start, start + DELETES_AT_ONCE);
    await store.delete(some.map((version) => logFilePath(name, version, ".json")));
  }
  return { commitsRemoved: versions.length, checkpointsRemoved: old.length };
}

// Which version of a table was the newest at a time: a search over the commits that its log still holds.

import { AtriumError } from "../../support/errors.ts";
import type { LogPlace } from "./checkpoint.ts";
import { type Listing, listLog, readCommit } from "./log-reader.ts";
import { timestampOf } from "./snapshot.ts";

/**
 * The newest version whose commit time is not after `timeMs` (ms since the epoch). Our commit times rise; where another
 * writer's go back it is one of the versions that were committed by then and followed by a later one.
 * @throws NOT_FOUND if the table did not exist yet, or that version is no longer kept
 */
export async function versionAt(place: LogPlace, timeMs: number): Promise<number> {
  const listing = await listLog(place, 0);
  const oldest = oldestVersion(listing);
  const newest = Math.max(listing.commits.at(-1) ?? -1, listing.checkpoints[0]?.version ?? -1);
  if (oldest === undefined || newest < 0) throw notYet(place.path, timeMs, "it does not exist");
  const oldestMs = await timeOf(place, listing, oldest);
  if (oldestMs > timeMs) {
    const since = `version ${oldest} of ${textOf(oldestMs)}`;
    if (oldest === 0) throw notYet(place.path, timeMs, `its first is ${since}`);
    throw notKept(place.path, timeMs, since);
  }
  // `low` was committed by then, `high` was not.
  let [low, high] = [oldest, newest + 1];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if ((await timeOf(place, listing, middle)) <= timeMs) low = middle;
    else high = middle;
  }
  return low;
}

/** The oldest version that can be read: the log's first, or that of its oldest checkpoint. */
function oldestVersion({ commits, checkpoints }: Listing): number | undefined {
  return commits[0] === 0 ? 0 : checkpoints.at(-1)?.version;
}

/** A commit that says no time, or is gone from below its checkpoint, has the time of its file. */
async function timeOf(place: LogPlace, listing: Listing, version: number): Promise<number> {
  const commit = await readCommit(place.store, place.path, version);
  const noted = commit && timestampOf(commit);
  if (noted !== undefined) return noted;
  const fileMs = commit && listing.writtenMs.get(version);
  return fileMs ?? listing.checkpoints.find((checkpoint) => checkpoint.version === version)?.modifiedMs ?? 0;
}

function notYet(table: string, timeMs: number, why: string): AtriumError {
  const message = `Table ${table} did not exist at ${textOf(timeMs)}: ${why}. Ask for a later time.`;
  return new AtriumError("NOT_FOUND", message, { details: { table } });
}

function notKept(table: string, timeMs: number, since: string): AtriumError {
  const message =
    `Table ${table} is no longer kept as it was at ${textOf(timeMs)}: the oldest that is kept is ${since}. ` +
    "Ask for that one or a later time.";
  return new AtriumError("NOT_FOUND", message, { details: { table } });
}

function textOf(ms: number): string {
  return new Date(ms).toISOString();
}

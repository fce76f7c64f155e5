// How far those who follow a table's commits have come: upkeep leaves alone what they have not taken yet.

import type { TableName } from "../../reading/tables.ts";
import { readCommits } from "../delta/log-reader.ts";
import type { Commit, Snapshot } from "../delta/snapshot.ts";
import { FOLLOWERS } from "../followers.ts";
import type { Lake } from "../lake.ts";

/** Tables whose consumer compares what a commit added with what it removed; the others read live files only. */
const REMOVED_FILES_ARE_READ: ReadonlySet<TableName> = new Set(["gold/room_daily"]);

/** Commits that are in memory at a time. */
const COMMITS_AT_ONCE = 64;

/**
 * The version up to which all consumers of a table have its commits, -1 for none of them; undefined if nobody waits for any.
 * Gold takes only the days from silver's commits, and reads the newest files: with `files` it does not count.
 */
export async function consumedVersion(
  lake: Lake,
  name: TableName,
  takes: "commits" | "files" = "commits",
): Promise<number | undefined> {
  let smallest: number | undefined;
  for (const { table, appId, follows, startsFromSnapshot } of FOLLOWERS) {
    if (follows !== name || (takes === "files" && startsFromSnapshot)) continue;
    const position = (await lake.table(table).snapshot())?.txns.get(appId);
    if (position === undefined && startsFromSnapshot) continue;
    smallest = Math.min(smallest ?? Number.MAX_SAFE_INTEGER, Number(position ?? -1n));
  }
  return smallest;
}

/** Paths of files of commits that some consumer has not taken yet. */
export interface UntakenFiles {
  /** Added by them, not by compaction. */
  readonly added: ReadonlySet<string>;
  /** Removed by them, also by compaction, and still to be read. */
  readonly removed: ReadonlySet<string>;
}

/**
 * What consumers have not taken. Read their position before the snapshot: then it may only be too small.
 * @throws NOT_FOUND if such a commit is gone
 */
export async function untakenFiles(
  lake: Lake,
  name: TableName,
  { consumed, snapshot }: { readonly consumed: number | undefined; readonly snapshot: Snapshot },
): Promise<UntakenFiles> {
  const added = new Set<string>();
  const removed = new Set<string>();
  for (let from = consumed ?? snapshot.version; from < snapshot.version; from += COMMITS_AT_ONCE) {
    const to = Math.min(from + COMMITS_AT_ONCE, snapshot.version);
    // Fails with a message that says what is missing.
    await lake.table(name).changes(to - 1, to);
    for (const commit of await readCommits({ ...lake, path: name }, from + 1, to)) {
      collect(commit, { added, removed });
    }
  }
  return { added, removed: REMOVED_FILES_ARE_READ.has(name) ? removed : new Set() };
}

function collect(
  { actions }: Commit,
  { added, removed }: { readonly added: Set<string>; readonly removed: Set<string> },
): void {
  for (const { add, remove } of actions) {
    if (add?.dataChange === true) added.add(add.path);
    if (remove !== undefined) removed.add(remove.path);
  }
}

// Makes tables forget what their newest version no longer holds: older versions, and the files that only these have.
//
//   wait until nobody reads a version from before -> a journal that names the files -> a commit that drops the tombstones
//   -> the stages behind take note of it -> a checkpoint, and the log before it goes -> the files go -> the journal goes
//
// Killed before the journal is there, it is begun again: the room's rows are found in the files. After that the next erasure
// carries the journal out, which may be done twice.

import type { TableName } from "../../reading/tables.ts";
import { present } from "../../support/assert.ts";
import type { PartitionValues } from "../delta/actions.ts";
import type { ObjectInfo } from "../delta/object-store.ts";
import { storePath } from "../delta/paths.ts";
import { FORGETS_UNTIL, type Snapshot } from "../delta/snapshot.ts";
import type { FilesInput } from "../engine.ts";
import { HOLD_MS, publishedHolds } from "../holds.ts";
import type { Lake } from "../lake.ts";
import { OPERATIONS } from "../operations.ts";
import { dropOlderVersions } from "./clean.ts";
import { type Journal, type JournalTable, readJournals, writeJournal } from "./forget-journal.ts";
import { findRows, isByRoom, type RoomQuery, valuesInPath } from "./room-rows.ts";
import { dataFiles } from "./vacuum.ts";

/** A table whose older versions are to go. */
export interface Forgetting {
  readonly name: TableName;
  /** The newest version; it holds nothing of the room. */
  readonly snapshot: Snapshot;
}

/** Where a room still is. */
export interface Trace {
  /** In the store, as `silver/readings/event_date=…/x.parquet`. */
  readonly path: string;
  /** Why it was left. */
  readonly why: string;
}

/** How often holds are looked at while they are waited for, ms. */
const LOOK_EVERY_MS = 1000;
/** A call that began on a version just before it was replaced is published after this time, if it still runs then. */
const UNSEEN_MS = 2 * HOLD_MS;
/** A rejected message is found by its content alone, so its files are looked into one by one; others, so many at a time. */
const FILES_AT_ONCE = 500;

/** Files in a table's folder that are not in its newest version, and hold rows of the room. */
export async function tracesIn(query: RoomQuery, name: TableName): Promise<readonly ObjectInfo[]> {
  const { lake, room } = query;
  const snapshot = await lake.table(name).snapshot();
  if (snapshot === undefined) return [];
  const files = await deadFiles(lake, { name, snapshot });
  if (isByRoom(snapshot.schema)) return files.filter(({ path }) => valuesInPath(path)["room"] === room);
  const found: ObjectInfo[] = [];
  for (let start = 0; start < files.length; start += FILES_AT_ONCE) {
    const some = files.slice(start, start + FILES_AT_ONCE);
    const { counts } = await findRows(query, name, inputOf(snapshot, some));
    found.push(...some.filter((_, index) => counts[index] !== 0));
  }
  return found;
}

/** How long to wait. */
export interface Patience {
  readonly waitMsMax: number;
  readonly signal?: AbortSignal;
}

/** Waits until no reader holds a version before these; returns the tables of which one may be held when the patience ends. */
export async function waitForReaders(
  lake: Lake,
  tables: readonly Forgetting[],
  { waitMsMax, signal }: Patience,
): Promise<ReadonlySet<TableName>> {
  const { clock, store } = lake;
  const startMs = clock.monotonicMs();
  lake.logger?.info("erased; waiting for readers of older versions", { secondsMin: UNSEEN_MS / 1000 });
  await clock.sleep(UNSEEN_MS, signal);
  for (;;) {
    if (signal?.aborted === true) return new Set(tables.map(({ name }) => name));
    const holds = await publishedHolds(store, { nowMs: clock.nowMs(), keep: true });
    const held = tables.filter(({ name, snapshot }) =>
      [...(holds.get(name) ?? [])].some((version) => version < snapshot.version),
    );
    const isOver = clock.monotonicMs() - startMs >= waitMsMax;
    if (held.length === 0 || isOver) return new Set(held.map(({ name }) => name));
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}

/**
 * Removes the older versions of the tables, the files that only these had, and of the files that no version names those
 * of `orphans` (paths in the store). `catchUp` brings the stages behind to the newest versions: until then they need the log.
 */
export async function forgetOlder(
  lake: Lake,
  tables: readonly (Forgetting & { readonly orphans: readonly string[] })[],
  catchUp: () => Promise<void>,
): Promise<void> {
  const paths = tables.map(({ name, snapshot, orphans }) => ({
    name,
    untilMs: snapshot.timestampMs,
    paths: [...[...snapshot.tombstones.keys()].map((path) => storePath(name, path)), ...orphans],
  }));
  const journal = await writeJournal(lake, paths);
  await carryOut(lake, { path: journal, tables: paths }, catchUp);
}

/** Goes on where others were killed in forgetOlder. */
export async function finishForgetting(lake: Lake, catchUp: () => Promise<void>): Promise<void> {
  for (const journal of await readJournals(lake)) await carryOut(lake, journal, catchUp);
}

async function carryOut(lake: Lake, { path, tables }: Journal, catchUp: () => Promise<void>): Promise<void> {
  for (const table of tables) await forgetTombstones(lake, table);
  await catchUp();
  for (const { name, paths } of tables) {
    await dropOlderVersions(lake, name);
    const { files, tombstones } = await newest(lake, name);
    const needed = [...files.keys(), ...tombstones.keys()].map((file) => storePath(name, file));
    const isNeeded = new Set(needed);
    await lake.store.delete(paths.filter((file) => !isNeeded.has(file)));
  }
  await lake.store.delete([path]);
}

async function forgetTombstones(lake: Lake, { name, untilMs }: JournalTable): Promise<void> {
  await lake.table(name).commit({
    base: await newest(lake, name),
    adds: [],
    removes: [],
    txns: new Map(),
    operation: OPERATIONS.erase,
    isolation: { kind: "append" },
    dataChange: true,
    commitInfo: { [FORGETS_UNTIL]: untilMs },
  });
}

async function newest(lake: Lake, name: TableName): Promise<Snapshot> {
  return present(await lake.table(name).snapshot(), `table ${name}, there before`);
}

async function deadFiles(lake: Lake, { name, snapshot }: Forgetting): Promise<readonly ObjectInfo[]> {
  const live = new Set([...snapshot.files.keys()].map((path) => storePath(name, path)));
  return (await dataFiles(lake, name)).filter(({ path }) => !live.has(path));
}

function inputOf(snapshot: Snapshot, files: readonly ObjectInfo[]): FilesInput {
  const { columns, partitionColumns } = snapshot.schema;
  const dead = files.map(({ path }) => ({ path, partitionValues: valuesOf(path, partitionColumns) }));
  return { kind: "files", name: "dead", columns, partitionColumns, files: dead };
}

/** A file of another writer may lie anywhere: then its partition is not known, and does not matter here. */
function valuesOf(path: string, partitionColumns: readonly string[]): PartitionValues {
  const values = valuesInPath(path);
  return Object.fromEntries(partitionColumns.map((column) => [column, values[column] ?? null]));
}

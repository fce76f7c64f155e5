// Compaction: many files to few, the same rows. What reads beside it sees the files before or those after.
//
// The commits change no data (dataChange false) and depend on nothing but the files they replace, so that appends beside
// them go on. A file that somebody else removed meanwhile takes its group out of the commit; it is planned anew next time.

import { sqlNameOf, type TableName } from "../../reading/tables.ts";
import { isAtriumError } from "../../support/errors.ts";
import { faultPoint } from "../../support/fault-point.ts";
import { inParallel } from "../../support/parallel.ts";
import type { AddFile, PartitionValues } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { publish, tableInput, type Lake } from "../lake.ts";
import { OPERATIONS } from "../operations.ts";
import { consumedVersion, untakenFiles } from "./consumers.ts";
import { dayOf, newestDayIn } from "./days.ts";
import { markSorted, planCompaction } from "./plan.ts";

/** What to compact and its bounds. */
export interface CompactOptions {
  readonly lake: Lake;
  /** Size of a merged file, at most about this many bytes. */
  readonly targetBytes: number;
  /** Ends after the piece at hand. */
  readonly signal?: AbortSignal;
}

/** What was compacted. */
export interface CompactSummary {
  readonly filesBefore: number;
  readonly filesAfter: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Groups of files that were left because somebody else changed them meanwhile. */
  readonly skipped: number;
}

/** Groups below this, in bytes, are written side by side: such a one leaves the engine's threads idle. */
const SMALL_GROUP_BYTES = 1_048_576;
const SMALL_GROUPS_AT_ONCE = 2;
/** A commit moves at most so many groups … */
const PIECE_GROUPS_MAX = 128;
/** … and is full with so many bytes. */
const PIECE_BYTES = 128 * 1_048_576;
/** A commit that lost so often to others is left. */
const ATTEMPTS_MAX = 5;

/** The order of rows in a merged file: what is asked for together lies together. */
const ORDER: Readonly<Record<TableName, readonly string[]>> = {
  "bronze/readings": ["sensor_type", "room", "event_ts", "topic", "partition", "offset"],
  "bronze/rejected": ["topic", "partition", "offset"],
  "silver/readings": ["sensor_type", "room", "ts_utc"],
  "gold/sensor_hourly": ["sensor_type", "room", "hour_utc"],
  "gold/sensor_daily": ["sensor_type", "room"],
  "gold/room_daily": ["room"],
  "gold/restatements": ["room", "column_name", "restated_at"],
};

/** Merges the files of a table that are worth it. @throws STORE_FULL, ENGINE_FAILED … with the pieces before it committed */
export async function compactTable(options: CompactOptions, name: TableName): Promise<CompactSummary> {
  const { lake, signal } = options;
  const consumed = await consumedVersion(lake, name, "files");
  let snapshot = await lake.table(name).snapshot();
  const sum = { filesBefore: 0, filesAfter: 0, bytesBefore: 0, bytesAfter: 0, skipped: 0 };
  if (snapshot === undefined) return sum;
  const { added: untaken } = await untakenFiles(lake, name, { consumed, snapshot });
  for (const piece of piecesOf(planOf(options, { name, snapshot, untaken }))) {
    if (signal?.aborted) break;
    snapshot = await compactPiece(options, { name, snapshot, piece, sum });
  }
  return sum;
}

interface Planned {
  readonly name: TableName;
  readonly snapshot: Snapshot;
  readonly untaken: ReadonlySet<string>;
}

function planOf(
  { lake, targetBytes }: CompactOptions,
  { name, snapshot, untaken }: Planned,
): readonly (readonly AddFile[])[] {
  const files = [...snapshot.files.values()].filter((file) => mayMove(name, file) && !untaken.has(file.path));
  const { partitionColumns } = snapshot.schema;
  const nowMs = lake.clock.nowMs();
  const newestDay = newestDayIn(name, snapshot, nowMs) ?? "";
  const isClosed = (partitionValues: PartitionValues): boolean =>
    (dayOf(name, { partitionValues }) ?? newestDay) < newestDay;
  // A partition of one sensor has its readings in the order in which they came, which is good enough.
  const isSorted = !name.startsWith("gold/") && !partitionColumns.includes("sensor_type");
  return planCompaction(files, { targetBytes, isClosed, isSorted, nowMs });
}

/** Marks that others read from a file would be lost in a merged one; that its keys are distinct is of use to silver alone, once. */
function mayMove(name: TableName, { tags = {} }: AddFile): boolean {
  const prefix = name.startsWith("gold/") ? "atrium." : "atrium.redrive";
  return !Object.keys(tags).some((tag) => tag.startsWith(prefix));
}

/** Groups in pieces: each is one commit, and bounds what an interruption can waste. */
function piecesOf(groups: readonly (readonly AddFile[])[]): readonly (readonly (readonly AddFile[])[])[] {
  const pieces: (readonly AddFile[])[][] = [];
  let bytes = PIECE_BYTES;
  for (const group of groups) {
    if (bytes >= PIECE_BYTES || (pieces.at(-1)?.length ?? 0) >= PIECE_GROUPS_MAX) {
      pieces.push([]);
      bytes = 0;
    }
    pieces.at(-1)?.push(group);
    bytes += bytesIn(group);
  }
  return pieces;
}

interface Piece {
  readonly name: TableName;
  readonly snapshot: Snapshot;
  readonly piece: readonly (readonly AddFile[])[];
  readonly sum: { -readonly [Count in keyof CompactSummary]: number };
}

/** A group and the file that takes its place. */
interface Merged {
  readonly group: readonly AddFile[];
  readonly file: AddFile;
}

async function compactPiece(
  options: CompactOptions,
  { name, snapshot, piece, sum }: Piece,
): Promise<Snapshot> {
  const isSmall = piece.every((group) => bytesIn(group) < SMALL_GROUP_BYTES);
  const written = await inParallel(piece, isSmall ? SMALL_GROUPS_AT_ONCE : 1, async (group) =>
    merge(options, { name, snapshot, group }),
  );
  const merged = written.filter((one) => one !== undefined);
  const { head, done } = await commitMerged(options.lake, name, { base: snapshot, merged });
  sum.skipped += merged.length - done.length;
  sum.filesAfter += done.length;
  for (const { group, file } of done) {
    sum.filesBefore += group.length;
    sum.bytesBefore += bytesIn(group);
    sum.bytesAfter += file.size;
  }
  return head;
}

/** Writes the rows of a group as one file; undefined if it is to end. */
async function merge(
  { lake, signal }: CompactOptions,
  { name, snapshot, group }: Pick<Piece, "name" | "snapshot"> & { readonly group: readonly AddFile[] },
): Promise<Merged | undefined> {
  if (signal?.aborted) return undefined;
  const { schema } = snapshot;
  const columns = schema.columns.filter((column) => !schema.partitionColumns.includes(column.name));
  const stored = new Set(columns.map((column) => column.name));
  const input = tableInput(lake, name, { snapshot, files: group });
  const transform = {
    sql: `select * from ${sqlNameOf(name)}`,
    inputs: [input],
    columns,
    partitionColumns: [],
    into: name,
    orderBy: ORDER[name].filter((column) => stored.has(column)),
  };
  try {
    await using written = await lake.engine.write(transform, signal);
    const partitionValues = group[0]?.partitionValues ?? {};
    const files = written.files.map((file) => ({ ...file, partitionValues }));
    const [file] = await publish(lake, name, { schema, files });
    if (file === undefined) return undefined;
    return { group, file: name.startsWith("gold/") ? file : markSorted(file) };
  } catch (error) {
    if (signal?.aborted === true && isAtriumError(error, "ENGINE_FAILED")) return undefined;
    throw error;
  }
}

interface Committed {
  readonly head: Snapshot;
  readonly done: readonly Merged[];
}

/** Commits the groups whose files are all still there. */
async function commitMerged(
  lake: Lake,
  name: TableName,
  { base, merged }: { readonly base: Snapshot; readonly merged: readonly Merged[] },
): Promise<Committed> {
  let head = base;
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const { files } = head;
    const done = merged.filter(({ group }) => group.every((file) => files.has(file.path)));
    if (done.length === 0) return { head, done };
    faultPoint("compact/written");
    try {
      head = await lake.table(name).commit({
        base: head,
        adds: done.map(({ file }) => file),
        removes: done.flatMap(({ group }) => group.map((file) => file.path)),
        txns: new Map(),
        operation: OPERATIONS.compact,
        isolation: { kind: "append" },
        dataChange: false,
      });
      faultPoint("compact/committed");
      return { head, done };
    } catch (error) {
      if (!isAtriumError(error, "COMMIT_CONFLICT")) throw error;
      head = (await lake.table(name).snapshot()) ?? head;
    }
  }
  return { head, done: [] };
}

function bytesIn(files: readonly AddFile[]): number {
  return files.reduce((sum, file) => sum + file.size, 0);
}

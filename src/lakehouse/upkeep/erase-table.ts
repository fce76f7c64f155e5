// Takes a room's rows out of the newest version of one table: files that hold nothing else are removed, others are written
// again without them. The other rows stay as they are, cell by cell.
//
// Appends beside it do no harm: what they bring of the room is found the next time. A file that somebody else moved
// meanwhile refuses the commit, and the table is read again.

import type { TableName } from "../../reading/tables.ts";
import { isAtriumError } from "../../support/errors.ts";
import { unmarkDistinct } from "../bronze/distinct-keys.ts";
import type { AddFile } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import type { RowsInput } from "../engine.ts";
import { tagsNameRoom, tagsWithoutRoom } from "../gold/day-tags.ts";
import { tableInput, writeFiles } from "../lake.ts";
import { OPERATIONS } from "../operations.ts";
import { unmarkSorted } from "./plan.ts";
import { candidatesOf, findRows, isByRoom, isErasedSql, type RoomQuery, rowCountOf } from "./room-rows.ts";

/** What was taken out of a table. */
export interface ErasedRows {
  readonly rows: number;
  readonly filesRemoved: number;
  readonly filesRewritten: number;
}

/** A table is given up after losing so often to other writers. */
const ATTEMPTS_MAX = 10;
/** A commit rewrites at most so many files … */
const PIECE_FILES_MAX = 500;
/** … and is full with so many rows. */
const PIECE_ROWS = 5_000_000;

/** How a table is erased. */
export interface EraseTableOptions extends RoomQuery {
  /** Called with the version whose files are about to be rewritten. */
  readonly prepare?: (snapshot: Snapshot) => Promise<void>;
}

/**
 * Erases the room's rows from a table's newest version.
 * @throws COMMIT_CONFLICT if other writers were faster a few times in a row; TABLE_UNSUPPORTED if rows may only be added
 */
export async function eraseTable(options: EraseTableOptions, name: TableName): Promise<ErasedRows> {
  const sum = { rows: 0, filesRemoved: 0, filesRewritten: 0 };
  for (let attempt = 1; ; attempt += 1) {
    try {
      await forEachPiece(options, name, async (found) => {
        await commitWithout(options, found);
        addTo(sum, found);
      });
      return sum;
    } catch (error) {
      if (!isAtriumError(error, "COMMIT_CONFLICT") || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

/** Counts the room's rows in a table's newest version, and the files that erasing them would remove and rewrite. */
export async function countTable(query: RoomQuery, name: TableName): Promise<ErasedRows> {
  const sum = { rows: 0, filesRemoved: 0, filesRewritten: 0 };
  await forEachPiece(query, name, async (found) => addTo(sum, found));
  return sum;
}

function addTo(sum: { -readonly [Count in keyof ErasedRows]: number }, { rows, whole, mixed }: Found): void {
  sum.rows += rows;
  sum.filesRemoved += whole.length;
  sum.filesRewritten += mixed.length;
}

/** What some files of a version hold of the room. */
interface Found {
  readonly name: TableName;
  readonly snapshot: Snapshot;
  readonly rows: number;
  /** Files whose rows are all the room's. */
  readonly whole: readonly AddFile[];
  /** Files with others' rows too, or whose tags name the room. */
  readonly mixed: readonly AddFile[];
  /** See findRows; without it there is nothing to rewrite. */
  readonly erased?: RowsInput;
}

async function forEachPiece(
  options: EraseTableOptions,
  name: TableName,
  visit: (found: Found) => Promise<void>,
): Promise<void> {
  const snapshot = await options.lake.table(name).snapshot();
  const candidates = snapshot === undefined ? [] : candidatesOf(name, snapshot, options.room);
  if (snapshot === undefined || candidates.length === 0) return;
  await options.prepare?.(snapshot);
  for (const piece of piecesOf(candidates, options.room)) {
    const found = await lookInto(options, { name, snapshot, piece });
    if (found.whole.length + found.mixed.length > 0) await visit(found);
  }
}

interface Piece {
  readonly name: TableName;
  readonly snapshot: Snapshot;
  readonly piece: readonly AddFile[];
}

async function lookInto(query: RoomQuery, { name, snapshot, piece }: Piece): Promise<Found> {
  if (isByRoom(snapshot.schema)) {
    const rows = piece.reduce((sum, file) => sum + (rowCountOf(file) ?? 0), 0);
    return { name, snapshot, rows, whole: piece, mixed: [] };
  }
  const input = tableInput(query.lake, name, { snapshot, files: piece });
  const { counts, erased } = await findRows(query, name, input);
  const holding = piece.map((file, index) => ({ file, rows: counts[index] ?? 0 }));
  const whole = holding.filter(({ file, rows }) => rows > 0 && rows === rowCountOf(file));
  const mixed = holding.filter(
    (one) => !whole.includes(one) && (one.rows > 0 || tagsNameRoom(one.file, query.room)),
  );
  const rows = counts.reduce((sum, count) => sum + count, 0);
  return {
    name,
    snapshot,
    rows,
    erased,
    whole: whole.map(({ file }) => file),
    mixed: mixed.map(({ file }) => file),
  };
}

async function commitWithout(query: RoomQuery, found: Found): Promise<void> {
  const { name, snapshot, whole, mixed, rows } = found;
  const adds = await rewrite(query, found);
  await query.lake.table(name).commit({
    base: snapshot,
    adds,
    removes: [...whole, ...mixed].map((file) => file.path),
    txns: new Map(),
    // The parameters do not name the room: that would keep what is to be forgotten.
    operation: OPERATIONS.erase,
    isolation: { kind: "append" },
    dataChange: true,
    commitInfo: { operationMetrics: { numDeletedRows: String(rows) } },
  });
}

/** The mixed files anew, without the room's rows. */
async function rewrite(
  { lake, room }: RoomQuery,
  { name, snapshot, mixed, erased }: Found,
): Promise<readonly AddFile[]> {
  if (mixed.length === 0 || erased === undefined) return [];
  const input = { ...tableInput(lake, name, { snapshot, files: mixed }), name: "held" };
  const sql = `select * from held where not ${isErasedSql(erased)}`;
  const adds = await writeFiles(lake, name, { sql, inputs: [input, erased] });
  const tags = new Map(mixed.map((file) => [partitionOf(file), keptTags(file, room)]));
  return adds.map((file) => withTags(file, tags.get(partitionOf(file))));
}

function withTags(file: AddFile, tags: AddFile["tags"]): AddFile {
  return tags === undefined || Object.keys(tags).length === 0 ? file : { ...file, tags };
}

/** The tags that still hold once rows are gone and those of several files are in one, in no order. */
function keptTags(file: AddFile, room: string): AddFile["tags"] {
  const { tags } = unmarkSorted(unmarkDistinct(file));
  return tags && tagsWithoutRoom(tags, room);
}

/** Files in pieces of bounded size; within a piece all files of a partition have the same tags to keep. */
function piecesOf(files: readonly AddFile[], room: string): readonly (readonly AddFile[])[] {
  const pieces: AddFile[][] = [];
  let tags = new Map<string, string>();
  let rows = 0;
  for (const file of files) {
    const [partition, kept] = [partitionOf(file), JSON.stringify(keptTags(file, room) ?? {})];
    const last = pieces.at(-1);
    const fits = last !== undefined && last.length < PIECE_FILES_MAX && rows < PIECE_ROWS;
    if (fits && (tags.get(partition) ?? kept) === kept) last.push(file);
    else {
      pieces.push([file]);
      tags = new Map();
      rows = 0;
    }
    tags.set(partition, kept);
    rows += rowCountOf(file) ?? 0;
  }
  return pieces;
}

function partitionOf({ partitionValues }: AddFile): string {
  return JSON.stringify(Object.entries(partitionValues).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

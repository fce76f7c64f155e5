// Which files of a table hold rows of a room, and how many.

import type { TableName } from "../../reading/tables.ts";
import type { AddFile, PartitionValues, TableSchema } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { filesMatching, statsOf } from "../delta/stats.ts";
import type { FilesInput, InputFile, RowsInput } from "../engine.ts";
import { tagsNameRoom } from "../gold/day-tags.ts";
import type { Lake } from "../lake.ts";

/** Whose rows, in which lake. */
export interface RoomQuery {
  readonly lake: Lake;
  readonly room: string;
  readonly queryTimeoutMs: number;
}

/** The rows of some files that are the room's: those that agree with a row of this input, named `erased`. */
export interface RoomRows {
  readonly erased: RowsInput;
  /** For each file, in order. */
  readonly counts: readonly number[];
}

/** Files whose rows are counted in one statement. */
const FILES_AT_ONCE = 50;
/** A file of rejected messages has at most so many: ingestion commits before there are more. */
const REJECTED_ROWS_MAX = 1_000_000;

/** True where every file belongs to one room, and says so. */
export function isByRoom({ partitionColumns }: TableSchema): boolean {
  return partitionColumns.includes("room");
}

/** The live files that may hold the room's rows, by partition and statistics, or that name the room in their tags. */
export function candidatesOf(name: TableName, snapshot: Snapshot, room: string): readonly AddFile[] {
  if (name === "bronze/rejected") return [...snapshot.files.values()];
  const matching = new Set(filesMatching(snapshot, { equals: { room: [room] } }));
  return [...snapshot.files.values()].filter((file) => matching.has(file) || tagsNameRoom(file, room));
}

/** Looks into files, all of one table, for the room's rows. */
export async function findRows(query: RoomQuery, name: TableName, input: FilesInput): Promise<RoomRows> {
  const erased =
    name === "bronze/rejected"
      ? await rejectedOf(query, input)
      : rowsInput([{ name: "room", type: "string", values: [query.room] }]);
  const counts: number[] = [];
  for (let start = 0; start < input.files.length && erased.rowCount > 0; start += FILES_AT_ONCE) {
    counts.push(...(await countRows(query, input, { erased, start })));
  }
  return { erased, counts: input.files.map((_, index) => counts[index] ?? 0) };
}

/** SQL text: true for a row `held` that agrees with one of `erased` in all of its columns. */
export function isErasedSql(erased: RowsInput): string {
  const same = erased.columns.map(({ name }) => `erased."${name}" is not distinct from held."${name}"`);
  return `exists (select 1 from erased where ${same.join(" and ")})`;
}

/** The number of rows of a file; undefined if it has no statistics. */
export function rowCountOf(file: AddFile): number | undefined {
  return statsOf(file)?.numRecords;
}

/**
 * True if a rejected message is the room's: by its key, `room:type`, or by a field `room` anywhere in what may be no JSON at
 * all. Who asks for erasure would rather lose a message too many.
 */
export function isMessageOf(room: string, key: string | null, value: Uint8Array): boolean {
  if (key !== null && (key === room || roomOfKey(key) === room)) return true;
  const text = new TextDecoder().decode(value);
  return [...text.matchAll(ROOM_FIELD)].some(([, quoted = "", bare]) => (bare ?? unquoted(quoted)) === room);
}

/** A field `room` and its value: a JSON string, or a number. */
const ROOM_FIELD = /"room"\s*:\s*(?:("(?:[^"\\]|\\.)*")|(-?[\w.+-]+))/g;

function roomOfKey(key: string): string | undefined {
  const colon = key.lastIndexOf(":");
  return colon < 1 ? undefined : key.slice(0, colon);
}

function unquoted(quoted: string): string | undefined {
  try {
    return String(JSON.parse(quoted));
  } catch {
    // A string with a damaged escape: as it is written.
    return quoted.slice(1, -1);
  }
}

async function countRows(
  { lake, queryTimeoutMs }: RoomQuery,
  input: FilesInput,
  { erased, start }: { readonly erased: RowsInput; readonly start: number },
): Promise<readonly number[]> {
  const some = input.files.slice(start, start + FILES_AT_ONCE);
  const inputs = some.map((file, index) => one(input, file, `file_${index}`));
  const counts = inputs.map(
    ({ name }, index) =>
      `select ${index} as place, count(*) as nb_rows from ${name} held where ${isErasedSql(erased)}`,
  );
  const { rows } = await lake.engine.query({
    sql: `${counts.join(" union all ")} order by place`,
    inputs: [...inputs, erased],
    rowsMax: some.length,
    timeoutMs: queryTimeoutMs,
  });
  return rows.map(([, count]) => Number(count));
}

/** The room's rejected messages in the files, as keys and values: what is judged of one holds for all that are the same. */
async function rejectedOf({ lake, room, queryTimeoutMs }: RoomQuery, input: FilesInput): Promise<RowsInput> {
  const keys: (string | null)[] = [];
  const values: Uint8Array[] = [];
  for (const file of input.files) {
    const { rows } = await lake.engine.query({
      sql: "select distinct key, value from rejected",
      inputs: [one(input, file, "rejected")],
      rowsMax: REJECTED_ROWS_MAX,
      timeoutMs: queryTimeoutMs,
    });
    for (const [key, value] of rows) {
      const keyText = typeof key === "string" ? key : null;
      const bytes = Buffer.from(typeof value === "string" ? value : "", "base64");
      if (!isMessageOf(room, keyText, bytes)) continue;
      keys.push(keyText);
      values.push(bytes);
    }
  }
  return rowsInput([
    { name: "key", type: "string", values: keys },
    { name: "value", type: "binary", values },
  ]);
}

function one(input: FilesInput, file: InputFile, name: string): FilesInput {
  return { ...input, name, files: [file] };
}

function rowsInput(columns: RowsInput["columns"]): RowsInput {
  return { kind: "rows", name: "erased", rowCount: columns[0]?.values.length ?? 0, columns };
}

/** The partition values that a path in the store tells, as `bronze/readings/event_date=2013-08-23/x.parquet`. */
export function valuesInPath(path: string): PartitionValues {
  const folders = path.split("/").slice(0, -1);
  return Object.fromEntries(
    folders.flatMap((folder) => {
      const at = folder.indexOf("=");
      return at < 1 ? [] : [[folder.slice(0, at), valueOf(folder.slice(at + 1))]];
    }),
  );
}

function valueOf(text: string): string | null {
  return text === "__HIVE_DEFAULT_PARTITION__" ? null : decodeURIComponent(text);
}

// PORT of the API: what it asks of the lake's tables; and its one adapter, over an open lake.

import type { AddFile } from "../lakehouse/delta/actions.ts";
import type { Snapshot } from "../lakehouse/delta/snapshot.ts";
import { filesMatching, statsOf } from "../lakehouse/delta/stats.ts";
import type { Answer } from "../lakehouse/engine.ts";
import { openLake, tableInput, type Lake } from "../lakehouse/lake.ts";
import { bytesOf, rowsIn, rowsOf } from "../lakehouse/summary.ts";
import { TABLE_NAMES, type TableName } from "../reading/tables.ts";
import { AtriumError, isAtriumError } from "../support/errors.ts";
import { instantOfMs, parseInstant, startOfDay, type Instant } from "./instants.ts";
import type { TableQuery } from "./queries.ts";

/** One version of a table: all that is asked of it belongs together. A table that does not exist is empty. */
export interface TableView {
  readonly table: TableName;
  /** undefined if the table does not exist yet. */
  readonly version: number | undefined;
  /** Tells versions apart, those of tables of the same name too. */
  readonly tag: string;
  /** appId -> last position committed: see Snapshot. */
  readonly txns: ReadonlyMap<string, bigint>;
  /** No row of the newest day is later than this, by the files' statistics; undefined if the table is empty. */
  newest(column: string): Instant | undefined;
  /** The rows of a query. @throws QUERY_TIMEOUT, ENGINE_FAILED, TABLE_CORRUPT */
  query(query: TableQuery, bounds: QueryBounds): Promise<Answer>;
}

/** Bounds of a query. */
export interface QueryBounds {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Size and age of a table. */
export interface TableFacts {
  readonly table: TableName;
  /** undefined, and all counts 0, if the table does not exist yet. */
  readonly version: number | undefined;
  readonly tag: string;
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
  readonly partitionColumns: readonly string[];
  /** Time of the last commit, ms since 1970. */
  readonly committedMs: number | undefined;
}

/** The tables as the API sees them. */
export interface TableReader {
  /** The newest committed version of a table. @throws STORE_FAILED, TABLE_CORRUPT … */
  open(table: TableName): Promise<TableView>;
  /** What there is of every table. */
  facts(): Promise<readonly TableFacts[]>;
  /** Looks whether the lake is there and its tables can be read. @throws what is wrong, with its code */
  check(): Promise<void>;
}

/** The tables of an open lake. */
export function tableReader(lake: Lake): TableReader {
  const sizes = new WeakMap<Snapshot, Sizes>();
  return {
    open: async (table) => viewOf(lake, table, await lake.table(table).snapshot()),
    facts: async () =>
      Promise.all(
        TABLE_NAMES.map(async (table) =>
          factsOf(lake, table, { snapshot: await lake.table(table).snapshot(), sizes }),
        ),
      ),
    check: async () => {
      await openLake(lake, { create: false });
      await Promise.all(TABLE_NAMES.map(async (table) => lake.table(table).snapshot()));
    },
  };
}

function viewOf(lake: Lake, table: TableName, snapshot: Snapshot | undefined): TableView {
  return {
    table,
    version: snapshot?.version,
    tag: tagOf(table, snapshot),
    txns: snapshot?.txns ?? new Map(),
    newest: (column) => (snapshot === undefined ? undefined : newestOf([...snapshot.files.values()], column)),
    query: async (query, bounds) => {
      if (snapshot === undefined) return { columns: [], rows: [], truncated: false };
      try {
        return await queryFiles(lake, { table, snapshot, query }, bounds);
      } catch (error) {
        throw asOwnFault(error, table);
      }
    },
  };
}

interface Asked {
  readonly table: TableName;
  readonly snapshot: Snapshot;
  readonly query: TableQuery;
}

/** Asks the files that match: all at once, or day by day until there are enough rows. */
async function queryFiles(lake: Lake, asked: Asked, { timeoutMs, signal }: QueryBounds): Promise<Answer> {
  const { query, snapshot, table } = asked;
  const endMs = lake.clock.monotonicMs() + timeoutMs;
  const files = filesMatching(snapshot, query.filter);
  const groups = query.isByDay ? groupsByDay(files, query.rowsMax) : [files];
  const rows: Answer["rows"][number][] = [];
  let columns: Answer["columns"] = [];
  for (const group of groups.length === 0 ? [[]] : groups) {
    const input = tableInput(lake, table, { snapshot, files: group });
    if (signal?.aborted) throw clientGone(table);
    const leftMs = Math.max(1, endMs - lake.clock.monotonicMs());
    const { sql, parameters } = query;
    const answer = await lake.engine.query(
      { sql, parameters, inputs: [input], rowsMax: query.rowsMax + 1, timeoutMs: leftMs },
      signal,
    );
    columns = answer.columns;
    for (const row of answer.rows) rows.push(row);
    if (rows.length > query.rowsMax) break;
  }
  return { columns, rows: rows.slice(0, query.rowsMax), truncated: rows.length > query.rowsMax };
}

/** Files in groups of whole days, in order: the first with enough rows to fill a page unfiltered, each next four times as many. */
function groupsByDay(files: readonly AddFile[], rowsMax: number): readonly (readonly AddFile[])[] {
  const days = Map.groupBy(files, (file) => file.partitionValues["event_date"] ?? undefined);
  if (days.has(undefined)) return [files];
  const groups: AddFile[][] = [];
  let group: AddFile[] = [];
  let rowsWanted = rowsMax + 1;
  for (const [, filesOfDay] of [...days].toSorted(([a = ""], [b = ""]) => (a < b ? -1 : 1))) {
    group.push(...filesOfDay);
    if (rowsIn(group) < rowsWanted) continue;
    groups.push(group);
    group = [];
    rowsWanted *= 4;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

function newestOf(files: readonly AddFile[], column: string): Instant | undefined {
  const days = files.map((file) => file.partitionValues["event_date"] ?? "");
  const newestDay = days.reduce((latest, day) => (day > latest ? day : latest), "");
  if (newestDay === "") return undefined;
  const bounds = files
    .filter((file) => file.partitionValues["event_date"] === newestDay)
    .map((file) => boundOf(file, column) ?? `${newestDay}T23:59:59.999999Z`);
  return bounds.toSorted().at(-1) ?? startOfDay(newestDay);
}

function boundOf(file: AddFile, column: string): Instant | undefined {
  const max = statsOf(file)?.maxValues?.[column];
  if (typeof max === "number") return instantOfMs(max);
  return typeof max === "string" ? parseInstant(max) : undefined;
}

function clientGone(table: TableName): AtriumError {
  return new AtriumError("QUERY_TIMEOUT", `A query on ${table} was given up: the client is gone.`);
}

interface Sizes {
  readonly rows: number;
  readonly bytes: number;
}

interface Source {
  readonly snapshot: Snapshot | undefined;
  /** Sizes are kept with their snapshot, because they need all of its statistics. */
  readonly sizes: WeakMap<Snapshot, Sizes>;
}

function factsOf(lake: Lake, table: TableName, { snapshot, sizes }: Source): TableFacts {
  const known = snapshot && sizes.get(snapshot);
  const { rows, bytes } = known ?? { rows: rowsOf(snapshot), bytes: bytesOf(snapshot) };
  if (snapshot !== undefined) sizes.set(snapshot, { rows, bytes });
  return {
    table,
    version: snapshot?.version,
    tag: tagOf(table, snapshot),
    rows,
    bytes,
    files: snapshot?.files.size ?? 0,
    partitionColumns: (snapshot?.schema ?? lake.definition(table)).partitionColumns,
    committedMs: snapshot?.timestampMs,
  };
}

function tagOf(table: TableName, snapshot: Snapshot | undefined): string {
  return snapshot === undefined ? `${table}@none` : `${table}@${snapshot.metadata.id}.${snapshot.version}`;
}

/** The texts of queries are ours, and so are the files: what is wrong with them is no fault of the client. */
function asOwnFault(error: unknown, table: TableName): unknown {
  if (isAtriumError(error, "QUERY_INVALID")) {
    return new AtriumError("ENGINE_FAILED", `A query on ${table} failed: ${error.message}`, { cause: error });
  }
  if (isAtriumError(error, "NOT_FOUND")) {
    return new AtriumError("TABLE_CORRUPT", `A data file of ${table} is missing: ${error.message}`, {
      cause: error,
    });
  }
  return error;
}

// PORT: what turns tables into tables and answers queries. One suite, test/contract/engine.ts, holds for every adapter.

import type { Column } from "../reading/tables.ts";

/** Columns of rows that are in memory, all of one length. Timestamps are µs since 1970, dates days since 1970. */
export type ColumnValues =
  | Int32Array
  | Float64Array
  | BigInt64Array
  | readonly (string | null)[]
  | readonly (Uint8Array | null)[];

/** Rows in memory, under a name that SQL can use. */
export interface RowsInput {
  readonly kind: "rows";
  readonly name: string;
  readonly rowCount: number;
  readonly columns: readonly (Pick<Column, "name" | "type"> & { readonly values: ColumnValues })[];
}

/** A data file, with the partition values that it does not hold itself. */
export interface InputFile {
  /** Of an object of the lake, as the store has it (`silver/readings/x.parquet`); or absolute, of a file on this machine. */
  readonly path: string;
  readonly partitionValues: Readonly<Record<string, string | null>>;
}

/** Data files of one table version, under a name that SQL can use. No file is an empty table. */
export interface FilesInput {
  readonly kind: "files";
  readonly name: string;
  readonly columns: readonly Pick<Column, "name" | "type">[];
  readonly partitionColumns: readonly string[];
  readonly files: readonly InputFile[];
  /** The version of a table that the files belong to: a lake keeps them from being removed while they are read. */
  readonly source?: TableVersion;
}

/** A version of a table of the lake. */
export interface TableVersion {
  /** Path of the table: `bronze/readings`. */
  readonly table: string;
  readonly version: number;
}

/** What a statement reads. */
export type Input = RowsInput | FilesInput;

/** A transform as data: SQL over inputs, whose rows become Parquet files. */
export interface Transform {
  readonly sql: string;
  readonly inputs: readonly Input[];
  /** Columns of the result, in this order and of these types. */
  readonly columns: readonly Pick<Column, "name" | "type">[];
  /** With none the result is one file. */
  readonly partitionColumns: readonly string[];
  /** Columns by which the rows of the one file are sorted, nulls last; with partition columns no order is kept. */
  readonly orderBy?: readonly string[];
  /** Path of the table that the rows are for: an engine that writes straight into the lake puts its files into this folder. */
  readonly into: string;
}

/** Smallest and largest value of a column in a file, and its nulls; timestamps as ISO text with µs. */
export interface ColumnStatistics {
  readonly min?: string;
  readonly max?: string;
  readonly nullCount: number;
  readonly hasNan: boolean;
}

/** A file that a transform wrote: absolute in scratch space, from where it is to be moved, or of the lake and where it stays. */
export interface WrittenFile extends InputFile {
  readonly rowCount: number;
  readonly sizeBytes: number;
  readonly columns: Readonly<Record<string, ColumnStatistics>>;
}

/** The result of a transform. Files in scratch space live until this is disposed; those in the lake until vacuum finds that no commit names them. */
export interface Written extends AsyncDisposable {
  readonly files: readonly WrittenFile[];
}

/** A value of a query's answer, ready for JSON: timestamps as ISO text, whole numbers beyond 2^53 as text, bytes as base64. */
export type AnswerValue =
  | string
  | number
  | boolean
  | null
  | readonly AnswerValue[]
  | { readonly [key: string]: AnswerValue };

/** A query and its bounds. */
export interface Query {
  readonly sql: string;
  readonly inputs: readonly Input[];
  /** Values for `$name` in the text. */
  readonly parameters?: Readonly<Record<string, string | number | boolean | null>>;
  /** At most this many rows are returned. */
  readonly rowsMax: number;
  readonly timeoutMs: number;
  /** True: it reads as much as a transform does, and runs where those run. Its text is one that every engine understands. */
  readonly isBulk?: boolean;
}

/** The answer to a query. */
export interface Answer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly AnswerValue[])[];
  /** True if there were more than `rowsMax` rows. */
  readonly truncated: boolean;
}

/**
 * Runs SQL over table versions. All times are UTC.
 *
 * Atomicity: `write` returns all files of the result, or fails and leaves none. It changes no table: the caller moves
 * the files into the store and commits. Isolation: calls run side by side and see only their own inputs.
 * Errors: QUERY_INVALID for text that a user got wrong, QUERY_TIMEOUT, STORE_FULL when scratch space ends, TABLE_CORRUPT
 * naming an input file that is missing or cannot be read, ENGINE_FAILED otherwise. Limits: memory as configured; `query` returns at most `rowsMax` rows.
 */
export interface Engine extends AsyncDisposable {
  /**
   * Runs a transform into Parquet files (zstd), one or more a partition, on disk but not synced. When the signal aborts
   * it may fail with ENGINE_FAILED before its time.
   */
  write(transform: Transform, signal?: AbortSignal): Promise<Written>;

  /** Answers a read-only query: one SELECT that can reach its inputs and nothing else. */
  query(query: Query, signal?: AbortSignal): Promise<Answer>;
}

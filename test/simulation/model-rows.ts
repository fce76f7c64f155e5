// Rows of the model engine: plain objects, stored as JSON in place of Parquet.

import type { ColumnStatistics, FilesInput, RowsInput, Transform } from "../../src/lakehouse/engine.ts";

/** A value: timestamps as µs since 1970, dates as text, bytes as base64. */
export type Cell = string | number | boolean | null;

/** One row. */
export type Row = Readonly<Record<string, Cell>>;

/** The rows of an input in memory. */
export function rowsOfInput(input: RowsInput): readonly Row[] {
  return Array.from({ length: input.rowCount }, (_, index) =>
    Object.fromEntries(input.columns.map(({ name, values }) => [name, cellOf(values[index])])),
  );
}

/** The rows in the bytes of a data file, its partition's values included. @throws for a torn file */
export function rowsOfFile(
  bytes: Uint8Array,
  partitionValues: FilesInput["files"][number]["partitionValues"],
): readonly Row[] {
  const { rows } = JSON.parse(new TextDecoder().decode(bytes)) as { rows: Row[] };
  return rows.map((row) => ({ ...row, ...partitionValues }));
}

/** The bytes of a data file; values of partition columns are left out. */
export function fileOfRows(rows: readonly Row[], partitionColumns: readonly string[]): Uint8Array {
  const stored = rows.map((row) =>
    Object.fromEntries(Object.entries(row).filter(([name]) => !partitionColumns.includes(name))),
  );
  return new TextEncoder().encode(JSON.stringify({ rows: stored }));
}

/** Rows by their partition, in the order in which these come up. */
export function byPartition(
  rows: readonly Row[],
  columns: readonly string[],
): readonly { readonly values: Readonly<Record<string, string | null>>; readonly rows: readonly Row[] }[] {
  const groups = Map.groupBy(rows, (row) => JSON.stringify(columns.map((column) => row[column])));
  return [...groups.values()].map((group) => ({
    values: Object.fromEntries(columns.map((column) => [column, textOf(group[0]![column])])),
    rows: group,
  }));
}

/** Statistics as the engine port gives them, for the columns that the rows have. */
export function statisticsOf(
  rows: readonly Row[],
  { columns, partitionColumns }: Pick<Transform, "columns" | "partitionColumns">,
): Readonly<Record<string, ColumnStatistics>> {
  const known = columns.filter(({ name }) => !partitionColumns.includes(name) && name in rows[0]!);
  return Object.fromEntries(
    known.map(({ name, type }) => {
      const values = rows.map((row) => row[name]).filter((value) => value !== null && value !== undefined);
      const nullCount = rows.length - values.length;
      if (values.length === 0 || type === "binary" || type === "boolean") {
        return [name, { nullCount, hasNan: false }];
      }
      const sorted = values.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
      const text = (value: Cell): string => (type === "timestamp" ? isoOf(Number(value)) : String(value));
      return [name, { min: text(sorted[0]!), max: text(sorted.at(-1)!), nullCount, hasNan: false }];
    }),
  );
}

/** µs since 1970 as ISO text with µs. */
export function isoOf(us: number): string {
  const ms = Math.floor(us / 1000);
  return `${new Date(ms).toISOString().slice(0, 23)}${String(us - ms * 1000).padStart(3, "0")}Z`;
}

function cellOf(value: unknown): Cell {
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  return (value ?? null) as Cell;
}

function textOf(value: Cell | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}

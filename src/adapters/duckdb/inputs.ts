// Makes a transform's inputs visible to SQL on one DuckDB connection: files as views, rows as temporary tables.

import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DATE,
  DOUBLE,
  DuckDBDataChunk,
  INTEGER,
  TIMESTAMPTZ,
  VARCHAR,
  blobValue,
  type DuckDBConnection,
  type DuckDBType,
} from "@duckdb/node-api";
import bindings from "@duckdb/node-bindings";
import type { FilesInput, Input, RowsInput } from "../../lakehouse/engine.ts";
import type { Column, ColumnType } from "../../reading/tables.ts";
import { invariant, present } from "../../support/assert.ts";

const TYPES: Readonly<Record<ColumnType, { readonly sql: string; readonly type: DuckDBType }>> = {
  string: { sql: "VARCHAR", type: VARCHAR },
  long: { sql: "BIGINT", type: BIGINT },
  integer: { sql: "INTEGER", type: INTEGER },
  double: { sql: "DOUBLE", type: DOUBLE },
  date: { sql: "DATE", type: DATE },
  timestamp: { sql: "TIMESTAMPTZ", type: TIMESTAMPTZ },
  boolean: { sql: "BOOLEAN", type: BOOLEAN },
  binary: { sql: "BLOB", type: BLOB },
};

/** The most rows that a DuckDB data chunk holds. */
const CHUNK_ROWS_MAX = bindings.vector_size();

/** DuckDB's name of a column type. */
export function sqlType(type: ColumnType): string {
  return TYPES[type].sql;
}

/** A name as SQL text. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as an SQL literal. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Makes the inputs visible under their names, until the connection is closed. */
export async function attachInputs(connection: DuckDBConnection, inputs: readonly Input[]): Promise<void> {
  for (const input of inputs) {
    if (input.kind === "files") await connection.run(viewOf(input));
    else await appendRows(connection, input);
  }
}

/** The statement that makes a view of a table's data files. */
export function viewOf(input: FilesInput): string {
  const columns = input.columns.map((column) => quoteName(column.name)).join(", ");
  const source = input.files.length === 0 ? emptySource(input) : fileSource(input);
  return `create or replace temp view ${quoteName(input.name)} as select ${columns} from ${source}`;
}

function emptySource(input: FilesInput): string {
  const nulls = input.columns.map(
    (column) => `cast(null as ${sqlType(column.type)}) as ${quoteName(column.name)}`,
  );
  return `(select ${nulls.join(", ")} where false)`;
}

/**
 * Partition values come from the folder names where those say the same as the log (then DuckDB prunes files by
 * them), else from a list joined by file name (other writers name folders as they like).
 */
function fileSource(input: FilesInput): string {
  const paths = `[${input.files.map((file) => quoteText(file.path)).join(", ")}]`;
  const partitions = input.columns.filter((column) => input.partitionColumns.includes(column.name));
  if (partitions.length === 0) return `read_parquet(${paths}, hive_partitioning = false)`;
  if (input.files.every((file) => folderNamesAgree(file.path, file.partitionValues))) {
    const types = partitions.map((column) => `${quoteName(column.name)}: ${sqlType(column.type)}`).join(", ");
    return `read_parquet(${paths}, hive_partitioning = true, hive_types = {${types}})`;
  }
  return `(select data.* exclude (filename), ${partitions.map((column) => `parts.${quoteName(column.name)}`).join(", ")}
    from read_parquet(${paths}, hive_partitioning = false, filename = true) data join ${partitionList(input, partitions)} using (filename))`;
}

function folderNamesAgree(path: string, values: Readonly<Record<string, string | null>>): boolean {
  const folders = new Map(path.split("/").flatMap((part) => (part.includes("=") ? [splitFolder(part)] : [])));
  const wanted = Object.entries(values);
  return (
    folders.size === wanted.length &&
    wanted.every(([name, value]) => value !== null && folders.get(name) === value)
  );
}

function splitFolder(part: string): [string, string] {
  const at = part.indexOf("=");
  try {
    return [part.slice(0, at), decodeURIComponent(part.slice(at + 1))];
  } catch {
    return [part.slice(0, at), ""];
  }
}

function partitionList(input: FilesInput, partitions: readonly Pick<Column, "name" | "type">[]): string {
  const literal = (value: string | null | undefined, type: ColumnType): string =>
    value === null || value === undefined
      ? `cast(null as ${sqlType(type)})`
      : `cast(${quoteText(value)} as ${sqlType(type)})`;
  const rows = input.files.map((file) => {
    const values = partitions.map((column) => literal(file.partitionValues[column.name], column.type));
    return `(${[quoteText(file.path), ...values].join(", ")})`;
  });
  const names = ["filename", ...partitions.map((column) => quoteName(column.name))].join(", ");
  return `(values ${rows.join(", ")}) parts(${names})`;
}

async function appendRows(connection: DuckDBConnection, input: RowsInput): Promise<void> {
  const columns = input.columns.map((column) => `${quoteName(column.name)} ${sqlType(column.type)}`);
  await connection.run(`create or replace temp table ${quoteName(input.name)} (${columns.join(", ")})`);
  const appender = await connection.createAppender(input.name, "main", "temp");
  const chunk = DuckDBDataChunk.create(input.columns.map((column) => TYPES[column.type].type));
  for (let start = 0; start < input.rowCount; start += CHUNK_ROWS_MAX) {
    chunk.reset();
    chunk.rowCount = Math.min(CHUNK_ROWS_MAX, input.rowCount - start);
    for (const index of input.columns.keys()) fillVector(chunk, index, { input, start });
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
}

/** Numbers are copied as they lie in memory; texts and bytes go one by one. */
function fillVector(
  chunk: DuckDBDataChunk,
  index: number,
  { input, start }: { readonly input: RowsInput; readonly start: number },
): void {
  const { values } = present(input.columns[index], "column");
  if (ArrayBuffer.isView(values)) {
    const from = values.byteOffset + start * values.BYTES_PER_ELEMENT;
    const vector = bindings.data_chunk_get_vector(chunk.chunk, index);
    bindings.copy_data_to_vector(
      vector,
      0,
      arrayBufferOf(values),
      from,
      chunk.rowCount * values.BYTES_PER_ELEMENT,
    );
  } else {
    const slice = values.slice(start, start + chunk.rowCount);
    chunk.setColumnValues(
      index,
      slice.map((value) => (value instanceof Uint8Array ? blobValue(value) : value)),
    );
  }
}

function arrayBufferOf(values: Int32Array | Float64Array | BigInt64Array): ArrayBuffer {
  invariant(values.buffer instanceof ArrayBuffer, "columns lie in memory of their own");
  return values.buffer;
}

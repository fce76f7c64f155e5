// Relations of Spark Connect that the engine is made of: files by their paths, rows in memory, SQL over both.

import {
  Binary,
  type Data,
  type DataType,
  DateDay,
  Field,
  Float64,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableToIPC,
  TimestampMicrosecond,
  Utf8,
  vectorFromArray,
} from "apache-arrow";
import type { FilesInput, Input, InputFile, RowsInput } from "../../lakehouse/engine.ts";
import type { Column, ColumnType } from "../../reading/tables.ts";
import { invariant, present } from "../../support/assert.ts";
import { uniqueId } from "../../support/chance.ts";
import type { Relation } from "./connect/session.ts";

/** What a column of a table is called in a statement, and of which type it is. */
type NamedType = Pick<Column, "name" | "type">;

/** Where Spark finds a file of an input, by its path: `file:/…` or `s3a://…`, not encoded. */
export type AddressOf = (path: string) => string;

const TYPES: Readonly<Record<ColumnType, string>> = {
  string: "string",
  long: "bigint",
  integer: "int",
  double: "double",
  date: "date",
  timestamp: "timestamp",
  boolean: "boolean",
  binary: "binary",
};

/** The column in which a file's rows say from which file they are. */
const FILE = "__file";
const ROWS_AT_ONCE = 65_536;

/** Spark's name of a column type. */
export function sqlType(type: ColumnType): string {
  return TYPES[type];
}

/** A name as SQL text. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as an SQL literal: of plain characters as it is, else by its bytes, so that no setting of escapes matters. */
export function quoteText(text: string): string {
  if (/^[\w .,:=/%+-]*$/.test(text)) return `'${text}'`;
  return `cast(X'${Buffer.from(text, "utf8").toString("hex")}' as string)`;
}

/** SQL over inputs under their names. The names that the server sees are new ones, so that calls side by side do not meet. */
export function sqlOver(sql: string, inputs: readonly Input[], addressOf: AddressOf): Relation {
  const call = uniqueId().replaceAll("-", "");
  const references = new Map<string, Relation>();
  const named = inputs.flatMap((input, index) => {
    const alias = `in_${call}_${index}`;
    if (input.kind === "rows") {
      references.set(alias, rowsRelation(input));
      return [`${quoteName(input.name)} as (select * from ${alias})`];
    }
    return [filesText(input, { alias, references, addressOf })];
  });
  const text = named.length === 0 ? sql : `with ${named.join(",\n")} select * from (${sql})`;
  return withReferences(text, references);
}

/** A SELECT over relations by names of its own: see sqlOver. */
export function selectOver(select: string, relations: Readonly<Record<string, Relation>>): Relation {
  const call = uniqueId().replaceAll("-", "");
  const named = Object.keys(relations).map((name) => `${name} as (select * from ${name}_${call})`);
  const references = Object.entries(relations).map(([name, input]) => [`${name}_${call}`, input] as const);
  return withReferences(`with ${named.join(", ")} ${select}`, new Map(references));
}

/** The server makes the aliases views of the session while it looks at the statement: they must be new ones. */
function withReferences(text: string, references: ReadonlyMap<string, Relation>): Relation {
  const root: Relation = { relType: { case: "sql", value: { query: text } } };
  if (references.size === 0) return root;
  const aliased = [...references].map(([alias, input]): Relation => ({
    relType: { case: "subqueryAlias", value: { alias, input } },
  }));
  return { relType: { case: "withRelations", value: { root, references: aliased } } };
}

/** Expressions over a relation. */
export function projected(input: Relation, expressions: readonly string[]): Relation {
  return { relType: { case: "project", value: { input, expressions: expressions.map(expressionOf) } } };
}

/** A relation whose rows are counted on their way: each metric is an SQL aggregate with a name (`count(*) as n`). */
export function observed(input: Relation, metrics: readonly string[]): Relation {
  const value = { input, name: uniqueId(), metrics: metrics.map(expressionOf) };
  return { relType: { case: "collectMetrics", value } };
}

/** What a source that is not a stream gives. */
export function sourceOf(
  format: string,
  source: {
    readonly options?: Readonly<Record<string, string>>;
    readonly paths?: readonly string[];
    readonly schema?: string;
  },
): Relation {
  const { options = {}, paths = [], schema } = source;
  const dataSource = {
    format,
    options: { ...options },
    paths: [...paths],
    ...(schema === undefined ? {} : { schema }),
  };
  return { relType: { case: "read", value: { readType: { case: "dataSource", value: dataSource } } } };
}

/** Columns as DDL, for a source. */
export function ddlOf(columns: readonly NamedType[]): string {
  return columns.map(({ name, type }) => `\`${name.replaceAll("`", "``")}\` ${sqlType(type)}`).join(", ");
}

/** Rows of files, and in the last column `__file` where each is from. */
export function filesWithNames(columns: readonly NamedType[], addresses: readonly string[]): Relation {
  return projected(parquetOf(columns, addresses), ["*", `_metadata.file_path as ${FILE}`]);
}

/** As Spark writes the address of a file in `_metadata.file_path`: a URI with the signs that Java's Path leaves. */
export function metadataPath(address: string): string {
  const at = /^[a-z0-9]+:/.exec(address)?.[0].length ?? 0;
  const path = address
    .slice(at)
    .replaceAll(/[^\w\-!.~'()*,;:$&+=@/\u0080-\u{10FFFF}]|[\p{C}\p{Z}]/gu, encodeURIComponent);
  return address.slice(0, at) + path;
}

/** Names are what they are: no file's name is read as a pattern. */
function parquetOf(columns: readonly NamedType[], addresses: readonly string[]): Relation {
  const options = { __globPaths__: "false" };
  return sourceOf("parquet", { options, paths: addresses, schema: ddlOf(columns) });
}

interface Naming {
  readonly alias: string;
  readonly references: Map<string, Relation>;
  readonly addressOf: AddressOf;
}

/**
 * A table's files as a named part of a statement. Partition values are literals where all files have the same, else they
 * come from a small list beside the rows, by the file's name: the log says them, and not the folders.
 */
function filesText(input: FilesInput, { alias, references, addressOf }: Naming): string {
  const { columns, files } = input;
  const partitions = columns.filter(({ name }) => input.partitionColumns.includes(name));
  const stored = columns.filter(({ name }) => !input.partitionColumns.includes(name));
  const [first] = files;
  const valuesOf = (file: InputFile): string =>
    JSON.stringify(partitions.map(({ name }) => file.partitionValues[name] ?? null));
  if (first === undefined) {
    const nulls = columns.map((column) => `${typed("null", column)} as ${quoteName(column.name)}`);
    return `${quoteName(input.name)} as (select ${nulls.join(", ")} where false)`;
  }
  const addresses = files.map(({ path }) => addressOf(path));
  if (files.every((file) => valuesOf(file) === valuesOf(first))) {
    references.set(alias, parquetOf(stored, addresses));
    const selected = columns.map((column) =>
      partitions.includes(column)
        ? `${literal(first.partitionValues[column.name], column)} as ${quoteName(column.name)}`
        : quoteName(column.name),
    );
    return `${quoteName(input.name)} as (select ${selected.join(", ")} from ${alias})`;
  }
  references.set(alias, filesWithNames(stored, addresses));
  references.set(`${alias}_parts`, rowsRelation(partitionRows(files, { partitions, addresses })));
  const selected = columns.map((column) =>
    partitions.includes(column)
      ? `${typed(`parts.${quoteName(column.name)}`, column)} as ${quoteName(column.name)}`
      : `held.${quoteName(column.name)}`,
  );
  // A file that is not in the list would be a silent loss: it is an error.
  return `${quoteName(input.name)} as (select /*+ broadcast(parts) */ ${selected.join(", ")}
    from ${alias} held left join ${alias}_parts parts on parts.${FILE} = held.${FILE}
    where parts.${FILE} is not null or raise_error(concat('a file that was not asked for: ', held.${FILE})) is null)`;
}

function partitionRows(
  files: readonly InputFile[],
  {
    partitions,
    addresses,
  }: { readonly partitions: readonly NamedType[]; readonly addresses: readonly string[] },
): RowsInput {
  const values = partitions.map(({ name }) => ({
    name,
    type: "string" as const,
    values: files.map((file) => file.partitionValues[name] ?? null),
  }));
  const names = { name: FILE, type: "string" as const, values: addresses.map(metadataPath) };
  return { kind: "rows", name: "parts", rowCount: files.length, columns: [names, ...values] };
}

/** An empty value is null to Delta, whatever the type. */
function literal(value: string | null | undefined, column: NamedType): string {
  return typed(value === null || value === undefined || value === "" ? "null" : quoteText(value), column);
}

function typed(text: string, { type }: NamedType): string {
  return `cast(${text} as ${sqlType(type)})`;
}

function expressionOf(expression: string) {
  return { exprType: { case: "expressionString", value: { expression } } } as const;
}

/** Rows in memory as a relation. */
export function rowsRelation({ columns, rowCount }: RowsInput): Relation {
  const schema = ddlOf(columns);
  if (rowCount === 0) return { relType: { case: "localRelation", value: { schema } } };
  const fields = columns.map(({ name, type }) => new Field(name, arrowType(type), true));
  const batches: RecordBatch[] = [];
  for (let start = 0; start < rowCount; start += ROWS_AT_ONCE) {
    const length = Math.min(ROWS_AT_ONCE, rowCount - start);
    const children = columns.map((column) => arrowData(column, start, length));
    batches.push(
      new RecordBatch(new Schema(fields), makeData({ type: new Struct(fields), length, children })),
    );
  }
  const data = tableToIPC(new Table(batches), "stream");
  return { relType: { case: "localRelation", value: { data, schema } } };
}

function arrowData({ type, values }: RowsInput["columns"][number], start: number, length: number): Data {
  const some = values.slice(start, start + length);
  const shared = { length, nullCount: 0 };
  if (some instanceof Float64Array) return makeData({ ...shared, type: new Float64(), data: some });
  if (some instanceof Int32Array) {
    if (type === "date") return makeData({ ...shared, type: new DateDay(), data: some });
    return makeData({ ...shared, type: new Int32(), data: some });
  }
  if (some instanceof BigInt64Array) {
    const isTime = type === "timestamp";
    return isTime
      ? makeData({ ...shared, type: new TimestampMicrosecond("UTC"), data: some })
      : makeData({ ...shared, type: new Int64(), data: some });
  }
  const vector = vectorFromArray<DataType>(some, arrowType(type));
  invariant(vector.data.length === 1, "a column of a batch is in one piece");
  return present(vector.data[0], "the column");
}

function arrowType(type: ColumnType): DataType {
  switch (type) {
    case "string":
      return new Utf8();
    case "binary":
      return new Binary();
    case "long":
      return new Int64();
    case "integer":
      return new Int32();
    case "double":
      return new Float64();
    case "date":
      return new DateDay();
    case "timestamp":
      return new TimestampMicrosecond("UTC");
    default:
      throw new TypeError(`rows in memory have no columns of the type ${type}`);
  }
}

// The schema of a table: Delta's schemaString (Spark's JSON) and our TableSchema, both ways.

import type { ColumnType } from "../../reading/tables.ts";
import { invariant } from "../../support/assert.ts";
import { AtriumError, messageOf } from "../../support/errors.ts";
import type { ColumnSchema, MetadataAction, TableSchema } from "./actions.ts";

const TYPES: readonly ColumnType[] = [
  "string",
  "long",
  "integer",
  "double",
  "date",
  "timestamp",
  "boolean",
  "binary",
];

/** Marks on a column that oblige a writer to more than writer version 2 of ours can do. */
const MARKS_REFUSED = [
  "delta.invariants",
  "delta.generationExpression",
  "delta.identity.start",
  "delta.columnMapping.id",
];

/** Delta's schemaString for these columns. */
export function encodeSchema(columns: readonly ColumnSchema[]): string {
  const fields = columns.map(({ name, type, nullable }) => {
    invariant(!/[ ,;{}()\n\t=]/.test(name), `column name "${name}" is free of blanks and ,;{}()=`);
    return { name, type, nullable: nullable ?? true, metadata: {} };
  });
  return JSON.stringify({ type: "struct", fields });
}

/**
 * The schema in a table's metaData action. `table` names it in messages.
 * @throws TABLE_UNSUPPORTED naming a column whose type or mark is not supported; TABLE_CORRUPT.
 */
export function schemaOf(metadata: MetadataAction, table: string): TableSchema {
  const { partitionColumns, configuration } = metadata;
  const columns = fieldsOf(metadata.schemaString, table).map((field) => columnOf(field, table));
  return { columns, partitionColumns, configuration };
}

interface Field {
  readonly name: string;
  readonly type?: unknown;
  readonly nullable?: unknown;
  readonly metadata?: unknown;
}

function fieldsOf(schemaString: string, table: string): readonly Field[] {
  let schema: unknown;
  try {
    schema = JSON.parse(schemaString);
  } catch (cause) {
    throw unreadable(table, messageOf(cause), cause);
  }
  const fields =
    typeof schema === "object" && schema !== null && "fields" in schema ? schema.fields : undefined;
  if (!Array.isArray(fields) || !fields.every(isField)) {
    throw unreadable(table, "it is no struct of named fields");
  }
  return fields;
}

function isField(value: unknown): value is Field {
  return typeof value === "object" && value !== null && "name" in value && typeof value.name === "string";
}

function columnOf({ name, type, nullable, metadata }: Field, table: string): ColumnSchema {
  const known = TYPES.find((candidate) => candidate === type);
  const marks = typeof metadata === "object" && metadata !== null ? Object.keys(metadata) : [];
  const mark = marks.find((candidate) => MARKS_REFUSED.includes(candidate));
  if (known !== undefined && mark === undefined) return { name, type: known, nullable: nullable !== false };
  const what = known === undefined ? `the type ${JSON.stringify(type)}` : mark;
  throw new AtriumError(
    "TABLE_UNSUPPORTED",
    `Column ${name} of table ${table} has ${what}, which Atrium does not support. ` +
      `Types that it supports: ${TYPES.join(", ")}. Drop the column or use another table.`,
    { details: { table, column: name } },
  );
}

function unreadable(table: string, reason: string, cause?: unknown): AtriumError {
  const message = `The schema of table ${table} cannot be read: ${reason}. Restore its _delta_log from a backup.`;
  return new AtriumError("TABLE_CORRUPT", message, { cause });
}

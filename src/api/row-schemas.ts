// The rows of the answers as schemas, made from the columns of the tables.

import { Type, type TObject, type TSchema } from "typebox";
import { tableDefinition, type Column, type ColumnType, type TableName } from "../reading/tables.ts";
import { SENSOR_TYPES } from "../reading/terms.ts";

const JSON_TYPES: Readonly<Record<ColumnType, { readonly type: string; readonly format?: string }>> = {
  string: { type: "string" },
  long: { type: "integer" },
  integer: { type: "integer" },
  double: { type: "number" },
  date: { type: "string", format: "date" },
  timestamp: { type: "string", format: "date-time" },
  boolean: { type: "boolean" },
  binary: { type: "string", format: "byte" },
};

/** Columns that never hold null: those that name a row, and counts. */
const NEVER_NULL: ReadonlySet<string> = new Set([
  "room",
  "sensor_type",
  "sensor_id",
  "ts_unix",
  "ts_utc",
  "event_date",
  "hour_utc",
  "unit",
  "is_valid",
  "quality_flag",
  "nb_readings",
  "nb_valid",
  "nb_invalid",
  "revision",
  "column_name",
  "late_readings",
  "restated_at",
]);

/** Names of a table's columns, without those that are left out. */
export function columnNames(table: TableName, leftOut: readonly string[] = []): readonly string[] {
  return columnsOf(table, leftOut).map((column) => column.name);
}

/** A row of a table as a schema of its own in the documents. */
export function rowSchema(
  name: string,
  source: {
    readonly table: TableName;
    readonly columns: readonly string[];
    readonly extra?: Readonly<Record<string, TSchema>>;
  },
): TObject {
  const columns = columnsOf(source.table, []).filter((column) => source.columns.includes(column.name));
  const properties = columns.map((column) => [column.name, columnSchema(column)] as const);
  return Type.Object({ ...Object.fromEntries(properties), ...source.extra }, { $id: name, title: name });
}

/** Schema of one of some texts. */
export function oneOfTexts(
  values: readonly string[],
  options: Readonly<Record<string, unknown>> = {},
): TSchema {
  return Type.Unsafe({ type: "string", enum: values, ...options });
}

/** Schema of a list of sensor types. */
export function sensorTypesSchema(description: string): TSchema {
  return Type.Array(oneOfTexts(SENSOR_TYPES), { description });
}

function columnsOf(table: TableName, leftOut: readonly string[]): readonly Column[] {
  return tableDefinition(table).columns.filter((column) => !leftOut.includes(column.name));
}

function columnSchema({ name, type, doc }: Column): TSchema {
  const { type: jsonType, format } = JSON_TYPES[type];
  const types = NEVER_NULL.has(name) ? jsonType : [jsonType, "null"];
  return Type.Unsafe({ type: types, ...(format === undefined ? {} : { format }), description: doc });
}

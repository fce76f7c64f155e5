// Spark's types as SQL writes them.

import type { DataType } from "./proto/spark/connect/types_pb.ts";
import type { SparkColumn } from "./values.ts";

const SHORT: Readonly<Record<string, string>> = {
  null: "void",
  byte: "tinyint",
  short: "smallint",
  integer: "int",
  long: "bigint",
  timestampNtz: "timestamp_ntz",
  calendarInterval: "interval",
  yearMonthInterval: "interval year to month",
  dayTimeInterval: "interval day to second",
};

/** The columns of a result. Not a struct: none. */
export function columnsOf(schema: DataType | undefined): readonly SparkColumn[] {
  if (schema?.kind.case !== "struct") return [];
  return schema.kind.value.fields.map(({ name, dataType }) => ({ name, type: typeName(dataType) }));
}

/** The name of a type: `decimal(18,6)`, `map<string,array<int>>`. */
export function typeName(type: DataType | undefined): string {
  if (type?.kind.case === undefined) return "unknown";
  const { kind } = type;
  switch (kind.case) {
    case "decimal":
      return `decimal(${kind.value.precision ?? 10},${kind.value.scale ?? 0})`;
    case "char":
      return `char(${kind.value.length})`;
    case "varChar":
      return `varchar(${kind.value.length})`;
    case "array":
      return `array<${typeName(kind.value.elementType)}>`;
    case "map":
      return `map<${typeName(kind.value.keyType)},${typeName(kind.value.valueType)}>`;
    case "struct":
      return `struct<${kind.value.fields.map(({ name, dataType }) => `${name}:${typeName(dataType)}`).join(",")}>`;
    case "udt":
      return typeName(kind.value.sqlType);
    default:
      return SHORT[kind.case] ?? kind.case;
  }
}

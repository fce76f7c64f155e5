// Turns DuckDB's values into the values of an answer.

import {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBValue,
} from "@duckdb/node-api";
import type { AnswerValue } from "../../lakehouse/engine.ts";
import { isoTime } from "../../support/iso-time.ts";

/** One value, ready for JSON: see AnswerValue for the forms. */
export function answerValue(value: DuckDBValue): AnswerValue {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "bigint") return wholeNumber(value);
  if (value instanceof DuckDBTimestampTZValue || value instanceof DuckDBTimestampValue) {
    return isoTime(value.micros);
  }
  if (value instanceof DuckDBDateValue) return value.toString();
  if (value instanceof DuckDBDecimalValue) return value.toDouble();
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString("base64");
  if (value instanceof DuckDBListValue) return value.items.map(answerValue);
  if (value instanceof DuckDBStructValue) return objectOf(Object.entries(value.entries));
  if (value instanceof DuckDBMapValue) {
    return objectOf(value.entries.map((entry) => [String(entry.key), entry.value]));
  }
  return String(value);
}

function wholeNumber(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

function objectOf(entries: readonly (readonly [string, DuckDBValue])[]): AnswerValue {
  return Object.fromEntries(entries.map(([name, value]) => [name, answerValue(value)]));
}

// Rows as CSV text. Source: RFC 4180. Pure.

import type { AnswerValue } from "../lakehouse/engine.ts";

/** Media type of the text. */
export const CSV_TYPE = "text/csv; charset=utf-8; header=present";

/** A header line and a line a row, each ended by CR LF; null is an empty field, a list its items with blanks between. */
export function csvOf(
  columns: readonly string[],
  rows: readonly Readonly<Record<string, AnswerValue>>[],
): string {
  let text = lineOf(columns);
  for (const row of rows) text += lineOf(columns.map((column) => row[column] ?? null));
  return text;
}

function lineOf(values: readonly AnswerValue[]): string {
  return `${values.map(fieldOf).join(",")}\r\n`;
}

function fieldOf(value: AnswerValue): string {
  if (value === null) return "";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const text = textOf(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function textOf(value: Exclude<AnswerValue, number | boolean | null>): string {
  if (typeof value === "string") return value;
  return Array.isArray(value) ? value.map(String).join(" ") : JSON.stringify(value);
}

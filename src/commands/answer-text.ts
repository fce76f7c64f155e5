// Answers as text: a table for people, CSV, JSON. Pure; in pieces, so that a long answer needs no long string.

import type { Answer, AnswerValue } from "../lakehouse/engine.ts";

/** Widest column of a table for people; what is longer is cut. */
const WIDTH_MAX = 60;

/** An array of objects, a row a line. */
export function* answerAsJson({ columns, rows }: Answer): Generator<string> {
  yield "[";
  for (const [index, row] of rows.entries()) {
    const fields = columns.map((column, place) => [column.name, row[place] ?? null]);
    yield `${index === 0 ? "\n" : ",\n"}${JSON.stringify(Object.fromEntries(fields))}`;
  }
  yield rows.length === 0 ? "]\n" : "\n]\n";
}

/** CSV as RFC 4180 has it, with LF line ends and a header; null is empty. */
export function* answerAsCsv({ columns, rows }: Answer): Generator<string> {
  yield `${columns.map((column) => csvField(column.name)).join(",")}\n`;
  for (const row of rows) yield `${row.map(csvField).join(",")}\n`;
}

/** A table with aligned columns: numbers to the right. */
export function* answerAsText({ columns, rows }: Answer): Generator<string> {
  if (rows.length === 0) {
    yield "No rows.\n";
    return;
  }
  const cells = rows.map((row) => row.map(cellText));
  const widths = columns.map((column, place) =>
    cells.reduce((widest, row) => Math.max(widest, row[place]?.length ?? 0), column.name.length),
  );
  const isNumber = columns.map((_, place) =>
    rows.every((row) => row[place] === null || typeof row[place] === "number"),
  );
  const line = (texts: readonly string[]): string =>
    `${texts
      .map((text, place) =>
        isNumber[place] ? text.padStart(widths[place] ?? 0) : text.padEnd(widths[place] ?? 0),
      )
      .join("  ")
      .trimEnd()}\n`;
  yield line(columns.map((column) => column.name));
  yield line(widths.map((width) => "-".repeat(width)));
  for (const row of cells) yield line(row);
}

function cellText(value: AnswerValue): string {
  if (value === null) return "";
  const text =
    typeof value === "number" && !Number.isInteger(value)
      ? String(Number(value.toPrecision(6)))
      : plain(value);
  return text.length > WIDTH_MAX ? `${text.slice(0, WIDTH_MAX - 1)}…` : text;
}

function csvField(value: AnswerValue): string {
  if (value === null) return "";
  const text = plain(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function plain(value: AnswerValue): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

// Columns of SQLite rows as values of a known type.

import type { SQLOutputValue } from "node:sqlite";
import { AtriumError } from "../../support/errors.ts";

/** A row as node:sqlite gives it, or none. */
export type Row = Readonly<Record<string, SQLOutputValue>> | undefined;

/** The number in a column. @throws LOG_CORRUPT */
export function numberOf(row: Row, column: string): number {
  const value = row?.[column];
  if (typeof value !== "number") throw wrongColumn(column);
  return value;
}

/** The text in a column. @throws LOG_CORRUPT */
export function textOf(row: Row, column: string): string {
  const value = row?.[column];
  if (typeof value !== "string") throw wrongColumn(column);
  return value;
}

/** The bytes in a column. @throws LOG_CORRUPT */
export function bytesOf(row: Row, column: string): Uint8Array {
  const value = row?.[column];
  if (!(value instanceof Uint8Array)) throw wrongColumn(column);
  return value;
}

function wrongColumn(column: string): AtriumError {
  const advice = "What bronze has committed is safe. How to go on: docs/operate/errors.md, LOG_CORRUPT.";
  return new AtriumError(
    "LOG_CORRUPT",
    `The log's database lacks a row or has a wrong value in column ${column}. ${advice}`,
  );
}

// Cursors: where a page ended, as opaque text that only fits the filters it was made with. Pure.
//
//   base64url( JSON [ format, hash of the filters, [key of the last row], pinned start or null ] )

import { createHash } from "node:crypto";
import type { KeyColumn, KeyValue } from "./conditions.ts";
import { isDate, parseInstant, type Instant } from "./instants.ts";

/** Where a page ended. */
export interface Cursor {
  /** Values of the key columns in the last row, in their order. */
  readonly key: readonly KeyValue[];
  /** Start of the time range that the first page settled on, where the client gave none. */
  readonly pinnedFrom?: Instant;
}

/** What a cursor text was found to be: for these filters, for others, or none at all. */
export type CursorReading = Cursor | "other filters" | "no cursor";

const FORMAT = 1;
const HASH_LENGTH = 16;

/** Digest of filters: the same for the same values, whatever the order in which they were given. */
export function filtersHash(path: string, filters: Readonly<Record<string, unknown>>): string {
  const sorted = Object.entries(filters)
    .map(([name, value]) => [name, Array.isArray(value) ? value.map(String).toSorted() : value])
    .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify([path, sorted]))
    .digest("base64url")
    .slice(0, HASH_LENGTH);
}

/** The text of a cursor. */
export function encodeCursor(hash: string, cursor: Cursor): string {
  return Buffer.from(JSON.stringify([FORMAT, hash, cursor.key, cursor.pinnedFrom ?? null])).toString(
    "base64url",
  );
}

/** Reads a cursor; its key has a value of the right type for each column, so that it can go into a query. */
export function decodeCursor(text: string, hash: string, columns: readonly KeyColumn[]): CursorReading {
  const value = parseJson(Buffer.from(text, "base64url").toString());
  if (!Array.isArray(value) || value.length !== 4) return "no cursor";
  const [format, foundHash, key, from] = value as readonly unknown[];
  if (format !== FORMAT || typeof foundHash !== "string") return "no cursor";
  if (foundHash !== hash) return "other filters";
  if (!isKey(key, columns)) return "no cursor";
  if (from === null) return { key };
  const pinnedFrom = typeof from === "string" ? parseInstant(from) : undefined;
  return pinnedFrom === undefined ? "no cursor" : { key, pinnedFrom };
}

function isKey(key: unknown, columns: readonly KeyColumn[]): key is readonly KeyValue[] {
  return (
    Array.isArray(key) &&
    key.length === columns.length &&
    columns.every((column, index) => fits(key[index], column))
  );
}

function fits(value: unknown, { type }: KeyColumn): boolean {
  if (type === "integer" || type === "long") return typeof value === "number" && Number.isSafeInteger(value);
  if (typeof value !== "string") return false;
  if (type === "timestamp") return parseInstant(value) !== undefined;
  return type === "date" ? isDate(value) : true;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

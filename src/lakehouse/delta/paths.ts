// Paths: of partition folders, as the log encodes them, and of the objects that they mean.
//
//   partition value      room "4 13"
//   folder, store path   room=4%2013/part-x.parquet        the value percent-encoded, as Hive, DuckDB and Spark do
//   path in the log      room=4%252013/part-x.parquet      the store path percent-encoded once more, as a URI

import { AtriumError } from "../../support/errors.ts";
import type { PartitionValues } from "./actions.ts";

const NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__";

/** Folder of a partition below its table, `event_date=2013-08-23/room=413`; "" without partition columns. */
export function partitionFolder(columns: readonly string[], values: PartitionValues): string {
  return columns.map((column) => `${escape(column)}=${escapeValue(values[column] ?? null)}`).join("/");
}

/** The path for the log of a file at `relativePath` below its table. */
export function encodePath(relativePath: string): string {
  return relativePath
    .split("/")
    .map((part) => escape(part).replaceAll("%3D", "="))
    .join("/");
}

/**
 * The path below its table that a path of the log means.
 * @throws TABLE_UNSUPPORTED for a file outside of the table; TABLE_CORRUPT for a path that is not percent-encoded.
 */
export function decodePath(path: string, table: string): string {
  if (path.startsWith("/") || /^[a-z][a-z0-9+.-]*:/i.test(path)) {
    const message =
      `Table ${table} refers to ${path}, outside of its folder (a shallow clone). ` +
      "Copy it to a full table.";
    throw new AtriumError("TABLE_UNSUPPORTED", message);
  }
  try {
    return decodeURIComponent(path);
  } catch (cause) {
    const message =
      `The path ${path} in the log of ${table} is not percent-encoded. ` +
      "Restore its _delta_log from a backup.";
    throw new AtriumError("TABLE_CORRUPT", message, { cause });
  }
}

/** Where a file of the log is in the store, as `bronze/readings/event_date=…/x.parquet`. @throws as decodePath */
export function storePath(table: string, path: string): string {
  return `${table}/${decodePath(path, table)}`;
}

/** Returns an object's path if it can only mean an object below the root of a store. @throws STORE_DENIED */
export function objectPath(path: string): string {
  const isBelow = path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
  if (isBelow && !path.includes("\0")) return path;
  const message =
    `"${path}" is no path of an object: its parts are neither empty nor dots. ` +
    "Check the table that names it.";
  throw new AtriumError("STORE_DENIED", message);
}

/** An empty value is null to Delta, whatever the type. */
function escapeValue(value: string | null): string {
  return value === null || value === "" ? NULL_FOLDER : escape(value);
}

/**
 * Percent-encodes all but letters, digits and `-._`. A bare `~`, which DuckDB and Spark leave, would keep delta-rs from
 * compacting the file. Half a surrogate pair becomes U+FFFD, as in DuckDB's UTF-8.
 */
function escape(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*~]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

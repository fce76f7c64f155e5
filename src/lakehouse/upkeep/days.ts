// The days by which tables are partitioned: of the event, or for bronze/rejected of ingestion.

import type { TableName } from "../../reading/tables.ts";
import type { AddFile } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";

/** The UTC day of a data file, as `2013-08-23`; undefined if the table has none. */
export function dayOf(
  name: TableName,
  file: Pick<AddFile, "partitionValues"> | undefined,
): string | undefined {
  return file?.partitionValues[name === "bronze/rejected" ? "ingest_date" : "event_date"] ?? undefined;
}

/** The newest day of a table, from which ages are counted: of bronze/rejected it is today. Undefined without any. */
export function newestDayIn(name: TableName, snapshot: Snapshot, nowMs: number): string | undefined {
  if (name === "bronze/rejected") return new Date(nowMs).toISOString().slice(0, 10);
  let newest: string | undefined;
  for (const file of snapshot.files.values()) {
    const day = dayOf(name, file);
    if (newest === undefined || (day !== undefined && day > newest)) newest = day;
  }
  return newest;
}

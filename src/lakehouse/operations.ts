// How the commits of upkeep are told from those of the flow: by their operation, and by what they leave in a table's txns.

import type { Snapshot } from "./delta/snapshot.ts";

/** Operations of commits that remove or move rows; a stage that follows a table's changes looks at them. */
export const OPERATIONS = {
  /** Many files to few, the same rows: `dataChange` is false. */
  compact: "OPTIMIZE",
  /** Whole days that are older than the table keeps. What was made of them stays. */
  expire: "RETENTION",
  /** All rows of a room, from every table. */
  erase: "ERASE",
  /** The files of an older version are those of the newest again. */
  restore: "RESTORE",
  /** Rejected messages that became readings. */
  redrive: "REDRIVE",
  /** A table was made again from the one before it, because its own files are damaged. */
  rebuild: "REBUILD",
} as const;

/** The txn appId under which a table keeps its horizon: days since 1970 of the first day that retention has left. */
export const HORIZON_APP_ID = "retention:event_date";

/** True for the txn appId of a log's partition: see bronze/positions.ts. */
export function isIngestAppId(appId: string): boolean {
  return appId.startsWith("ingest:");
}

const DAY_MS = 86_400_000;

/** The first day (`2013-08-23`) that retention has left in a table; what was before it is gone. Undefined: nothing expired. */
export function horizonOf(snapshot: Snapshot | undefined): string | undefined {
  const days = snapshot?.txns.get(HORIZON_APP_ID);
  return days === undefined ? undefined : new Date(Number(days) * DAY_MS).toISOString().slice(0, 10);
}

/** A day as the position of HORIZON_APP_ID. */
export function horizonPosition(day: string): bigint {
  return BigInt(Math.round(Date.parse(day) / DAY_MS));
}

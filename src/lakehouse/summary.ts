// What a table's snapshot says of its size, without opening a data file.

import type { Snapshot } from "./delta/snapshot.ts";
import { statsOf } from "./delta/stats.ts";

/** Rows of a table by its statistics; 0 for a table that does not exist. */
export function rowsOf(snapshot: Snapshot | undefined): number {
  return sum(snapshot, (file) => statsOf(file)?.numRecords ?? 0);
}

/** Bytes of a table's live files. */
export function bytesOf(snapshot: Snapshot | undefined): number {
  return sum(snapshot, (file) => file.size);
}

type Files = Snapshot["files"] extends ReadonlyMap<string, infer File> ? File : never;

function sum(snapshot: Snapshot | undefined, measure: (file: Files) => number): number {
  return [...(snapshot?.files.values() ?? [])].reduce((total, file) => total + measure(file), 0);
}

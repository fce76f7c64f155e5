// What a table's log says of its size, without opening a data file.

import type { AddFile } from "./delta/actions.ts";
import type { Snapshot } from "./delta/snapshot.ts";
import { statsOf } from "./delta/stats.ts";

/** Rows of files by their statistics; a file without any counts 0. */
export function rowsIn(files: Iterable<AddFile>): number {
  return sum(files, (file) => statsOf(file)?.numRecords ?? 0);
}

/** Rows of a table; 0 for one that does not exist. */
export function rowsOf(snapshot: Snapshot | undefined): number {
  return rowsIn(snapshot?.files.values() ?? []);
}

/** Bytes of a table's live files. */
export function bytesOf(snapshot: Snapshot | undefined): number {
  return sum(snapshot?.files.values() ?? [], (file) => file.size);
}

function sum(files: Iterable<AddFile>, measure: (file: AddFile) => number): number {
  return [...files].reduce((total, file) => total + measure(file), 0);
}

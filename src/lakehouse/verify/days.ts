// Files by UTC day, and days in groups of bounded size. Pure.

import type { PartitionValues } from "../delta/actions.ts";

/** The day of a file by its partition; "" where it has none. */
export function dayOf(file: { readonly partitionValues?: PartitionValues }): string {
  return file.partitionValues?.["event_date"] ?? "";
}

/** Files by their day. */
export function byDay<File extends { readonly partitionValues: PartitionValues }>(
  files: readonly File[],
): ReadonlyMap<string, readonly File[]> {
  return Map.groupBy(files, dayOf);
}

/** Neighbouring days together until they reach `sizeMax`; at least one day a group. */
export function dayGroups(
  days: readonly string[],
  sizeOf: (day: string) => number,
  sizeMax: number,
): readonly (readonly string[])[] {
  const groups: string[][] = [];
  let size = sizeMax;
  for (const day of days) {
    const own = sizeOf(day);
    if (size + own > sizeMax || groups.length === 0) {
      groups.push([]);
      size = 0;
    }
    groups.at(-1)?.push(day);
    size += own;
  }
  return groups;
}

// Which files to merge. Pure.
//
//   closed partition   no new day's readings come: one file, or several of about the target size
//   open partition     by size, in tiers of factor 8: eight files of a tier become one of the next, so that each row is
//                      written again once a tier, and a tier has at most seven files after that

import type { AddFile, PartitionValues } from "../delta/actions.ts";
import { statsOf } from "../delta/stats.ts";

/** What the plan goes by. */
export interface PlanRules {
  /** Files of half this size, in bytes, are left alone; no merged file is made of more. */
  readonly targetBytes: number;
  readonly isClosed: (partition: PartitionValues) => boolean;
  /** True if the order of rows matters: a large file whose rows are not in order is written again in a closed partition. */
  readonly isSorted: boolean;
  /** ms since the epoch. */
  readonly nowMs: number;
}

/** Files of a tier that are merged, and the factor between the sizes of two tiers. */
export const TIER_FACTOR = 8;
/** Below this a file is written again for whatever is to be merged with it: that costs less than a second. */
const SMALL_BYTES = 16 * 1_048_576;
/** A large file of a closed partition waits for so long, ms, before it is written again for a few late readings. */
const QUIET_MS = 3_600_000;
/** Rows that the engine can skip only together: order within a smaller file helps nobody. */
const ROW_GROUP_ROWS = 122_880;

const SORTED_TAG = "atrium.sorted";

/** The file, marked: its rows are in the table's order. */
export function markSorted(file: AddFile): AddFile {
  return { ...file, tags: { ...file.tags, [SORTED_TAG]: "true" } };
}

/** The file without the mark. */
export function unmarkSorted(file: AddFile): AddFile {
  if (file.tags?.[SORTED_TAG] === undefined) return file;
  const { [SORTED_TAG]: _mark, ...tags } = file.tags;
  return { ...file, tags };
}

/** Groups of files of one partition each; every group becomes one file. */
export function planCompaction(files: Iterable<AddFile>, rules: PlanRules): readonly (readonly AddFile[])[] {
  const partitions = Map.groupBy(files, ({ partitionValues }) =>
    JSON.stringify(Object.entries(partitionValues).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  );
  return [...partitions.values()].flatMap((held) => {
    const byAge = held.toSorted(
      (a, b) => a.modificationTime - b.modificationTime || (a.path < b.path ? -1 : 1),
    );
    return rules.isClosed(held[0]?.partitionValues ?? {})
      ? closedGroups(byAge, rules)
      : openGroups(byAge, rules);
  });
}

function closedGroups(files: readonly AddFile[], rules: PlanRules): readonly (readonly AddFile[])[] {
  const unfinished = files.filter((file) => !isLarge(file, rules) || needsOrder(file, rules));
  return binsOf(unfinished, rules.targetBytes).filter((bin) => isWorthIt(bin, rules));
}

function isWorthIt(bin: readonly AddFile[], rules: PlanRules): boolean {
  if (bin.some((file) => needsOrder(file, rules))) return true;
  if (bin.length < 2) return false;
  const largest = Math.max(...bin.map((file) => file.size));
  const newestMs = Math.max(...bin.map((file) => file.modificationTime));
  const others = bytesOf(bin) - largest;
  return largest < SMALL_BYTES || others * TIER_FACTOR >= largest || rules.nowMs - newestMs > QUIET_MS;
}

function openGroups(files: readonly AddFile[], rules: PlanRules): readonly (readonly AddFile[])[] {
  const tiers = Map.groupBy(
    files.filter((file) => !isLarge(file, rules)),
    ({ size }) => tierOf(size),
  );
  return [...tiers.values()]
    .filter((tier) => tier.length >= TIER_FACTOR)
    .flatMap((tier) => binsOf(tier, rules.targetBytes).filter((bin) => bin.length > 1));
}

/** The tier of a file: 0 below 8 bytes, 1 below 64 … */
export function tierOf(sizeBytes: number): number {
  return Math.floor(Math.log2(Math.max(1, sizeBytes)) / Math.log2(TIER_FACTOR));
}

function isLarge({ size }: AddFile, { targetBytes }: PlanRules): boolean {
  return size * 2 >= targetBytes;
}

function needsOrder(file: AddFile, { isSorted }: PlanRules): boolean {
  if (!isSorted || file.tags?.[SORTED_TAG] === "true") return false;
  return (statsOf(file)?.numRecords ?? 0) > ROW_GROUP_ROWS;
}

/** The files in their order, in groups of at most `bytesMax`; a larger file is alone. */
function binsOf(files: readonly AddFile[], bytesMax: number): readonly (readonly AddFile[])[] {
  const bins: AddFile[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const file of files) {
    if (bytes + file.size > bytesMax) {
      bins.push([]);
      bytes = 0;
    }
    bins.at(-1)?.push(file);
    bytes += file.size;
  }
  return bins;
}

function bytesOf(files: readonly AddFile[]): number {
  return files.reduce((sum, file) => sum + file.size, 0);
}

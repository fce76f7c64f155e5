// Which days of a gold table no longer say what silver says.

import type { TableName } from "../../reading/tables.ts";
import { isAtriumError } from "../../support/errors.ts";
import type { PartitionValues } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import type { VersionChange } from "../delta/table.ts";
import type { Lake } from "../lake.ts";
import { horizonOf, OPERATIONS } from "../operations.ts";

const SILVER: TableName = "silver/readings";
/** Versions whose changes are in memory at a time. */
const VERSIONS_AT_ONCE = 100;

/** Days of silver that were looked for, in order. */
export interface DaysToMake {
  readonly days: readonly string[];
  /** Those that retention has taken from silver: their gold stays as it was. */
  readonly expired: readonly string[];
}

/** Parts days by silver's horizon: those that can be made of it, and those that are gone. */
export function withinHorizon(silver: Snapshot, days: readonly string[]): DaysToMake {
  const horizon = horizonOf(silver) ?? "";
  return { days: days.filter((day) => day >= horizon), expired: days.filter((day) => day < horizon) };
}

/** A gold table and silver. */
export interface Versions {
  readonly gold: Snapshot;
  readonly silver: Snapshot;
  /** The silver version of which the gold table was last made. */
  readonly reflected: bigint | undefined;
}

/**
 * The days in which silver's commits since the table was last made added or removed rows. All days, if that is not known:
 * the table was never made, or these commits were cleaned up.
 */
export async function changedDays(
  lake: Lake,
  { gold, silver, reflected }: Versions,
): Promise<readonly string[]> {
  const changed = reflected === undefined ? undefined : await daysSince(lake, Number(reflected), silver);
  return changed === undefined ? allDays(silver, gold) : [...changed.keys()].toSorted();
}

/** The days of silver, and those that only gold has: they may have been erased from silver. */
export function allDays(silver: Snapshot, gold: Snapshot): readonly string[] {
  const { days } = withinHorizon(silver, daysOf([...gold.files.values()]));
  return [...new Set([...daysOf([...silver.files.values()]), ...days])].toSorted();
}

/** The first and the last version that changed a day. */
export interface VersionSpan {
  readonly first: number;
  readonly last: number;
}

/** The days that silver's versions after `from` changed; undefined if some of these were cleaned up. */
export async function daysSince(
  lake: Lake,
  from: number,
  silver: Snapshot,
): Promise<ReadonlyMap<string, VersionSpan> | undefined> {
  const days = new Map<string, VersionSpan>();
  for (let start = from; start < silver.version; start += VERSIONS_AT_ONCE) {
    const to = Math.min(start + VERSIONS_AT_ONCE, silver.version);
    const changes = await changesSince(lake, start, to);
    if (changes === undefined) return undefined;
    for (const { version, operation, adds, removes } of changes) {
      // What was made of days that expired stays.
      const removed = operation === OPERATIONS.expire ? [] : removes;
      for (const day of daysOf([...adds, ...removed])) {
        days.set(day, { first: days.get(day)?.first ?? version, last: version });
      }
    }
  }
  return days;
}

/** What silver's versions after `from` up to `to` changed; undefined if some of them were cleaned up. */
export async function changesSince(
  lake: Lake,
  from: number,
  to: number,
): Promise<readonly VersionChange[] | undefined> {
  try {
    return await lake.table(SILVER).changes(from, to);
  } catch (error) {
    if (isAtriumError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

function daysOf(files: readonly { readonly partitionValues?: PartitionValues }[]): readonly string[] {
  const days = files.flatMap((file) => file.partitionValues?.["event_date"] ?? []);
  return [...new Set(days)].toSorted();
}

// Statistics of data files: written as Delta keeps them, read to skip files that a filter cannot match.
// Source: the Delta protocol, "Per-file Statistics".

import type { ColumnType } from "../../reading/tables.ts";
import { AtriumError, messageOf } from "../../support/errors.ts";
import type { ColumnStatistics } from "../engine.ts";
import type { AddFile, ColumnSchema, TableSchema } from "./actions.ts";

/** A smallest or largest value: text for strings, dates and timestamps. */
export type StatsValue = string | number | boolean;

/** What is known of a data file's rows. Values of a column that is left out are not known. */
export interface FileStats {
  readonly numRecords: number;
  readonly minValues?: Readonly<Record<string, StatsValue>>;
  readonly maxValues?: Readonly<Record<string, StatsValue>>;
  readonly nullCount?: Readonly<Record<string, number>>;
}

/** Characters of a string that statistics keep, as in Spark. */
const TEXT_LENGTH_MAX = 32;

/**
 * The `stats` text of a file with `numRecords` rows, from the engine's column statistics (texts; timestamps as ISO
 * with µs). Bounds are never tighter than the data: timestamps have ms, the largest rounded up; long strings are cut
 * in the smallest and left out in the largest; a column with NaN has neither.
 */
export function fileStats(
  numRecords: number,
  columns: Readonly<Record<string, ColumnStatistics>>,
  schema: TableSchema,
): string {
  const stats = {
    numRecords,
    minValues: {} as Record<string, StatsValue>,
    maxValues: {} as Record<string, StatsValue>,
    nullCount: {} as Record<string, number>,
  };
  for (const column of schema.columns) {
    const found = columns[column.name];
    if (found === undefined || schema.partitionColumns.includes(column.name)) continue;
    stats.nullCount[column.name] = found.nullCount;
    const min = boundOf(column, found, "min");
    const max = boundOf(column, found, "max");
    if (min !== undefined) stats.minValues[column.name] = min;
    if (max !== undefined) stats.maxValues[column.name] = max;
  }
  return JSON.stringify(stats satisfies FileStats);
}

/** A range of values, both ends included. Timestamps as ISO text or epoch ms, dates as `2013-08-23`. */
export interface ValueRange {
  readonly from?: string | number;
  readonly to?: string | number;
}

/** What rows must satisfy: all of it. */
export interface FileFilter {
  /** Column -> the values of which it has one. */
  readonly equals?: Readonly<Record<string, readonly string[]>>;
  /** Column -> the range that its value lies in. */
  readonly ranges?: Readonly<Record<string, ValueRange>>;
}

/**
 * The files of a snapshot that may hold a row of the filter, by partition values and statistics. Where these cannot
 * tell, a file may. Null matches nothing.
 */
export function filesMatching(
  snapshot: { readonly files: ReadonlyMap<string, AddFile>; readonly schema: TableSchema },
  filter: FileFilter,
): readonly AddFile[] {
  const conditions = conditionsOf(filter, snapshot.schema);
  const onPartitions = conditions.filter((condition) => condition.isPartition);
  const onStats = conditions.filter((condition) => !condition.isPartition);
  return [...snapshot.files.values()].filter((file) => {
    if (!onPartitions.every((condition) => partitionMatches(file, condition))) return false;
    // Parsing statistics is the dear part: only for files that the partitions let through.
    const stats = onStats.length === 0 ? undefined : statsOf(file);
    return stats === undefined || onStats.every((condition) => statsMatch(stats, condition));
  });
}

/** The statistics of a file; undefined if it has none. @throws TABLE_CORRUPT */
export function statsOf(file: AddFile): FileStats | undefined {
  if (file.stats === undefined || file.stats === "") return undefined;
  try {
    const stats: unknown = JSON.parse(file.stats);
    return isStats(stats) ? stats : undefined;
  } catch (cause) {
    const message =
      `The statistics of ${file.path} are no JSON: ${messageOf(cause)}. ` +
      "Restore the _delta_log from a backup.";
    throw new AtriumError("TABLE_CORRUPT", message, { cause });
  }
}

/**
 * Epoch ms of a timestamp as text, rounded `up` to the next ms or down; NaN for other text. UTC only: ISO, or as DuckDB
 * and Spark write it, with a blank and `+00` or no zone.
 */
export function timestampMs(text: string, up: boolean): number {
  const parts = /^(\d{4,}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|\+00(?::?00)?)?$/.exec(text);
  if (parts === null) return Number.NaN;
  const fraction = (parts[3] ?? "").padEnd(9, "0");
  const wholeMs = Date.parse(`${parts[1]}T${parts[2]}Z`) + Number(fraction.slice(0, 3));
  return up && Number(fraction.slice(3)) > 0 ? wholeMs + 1 : wholeMs;
}

/** The column's value lies in one of the ranges; a single value is a range of one. An end that is absent is open. */
interface Condition {
  readonly column: ColumnSchema;
  readonly isPartition: boolean;
  readonly ranges: readonly Ends[];
}

interface Ends {
  readonly low: string | number | undefined;
  readonly high: string | number | undefined;
}

function conditionsOf(filter: FileFilter, schema: TableSchema): readonly Condition[] {
  // A column that the table does not have cannot tell anything: it makes no condition.
  return schema.columns.flatMap((column) => {
    const values = filter.equals?.[column.name]?.map((value): ValueRange => ({ from: value, to: value }));
    const range = filter.ranges?.[column.name];
    const isPartition = schema.partitionColumns.includes(column.name);
    return [values, range && [range]].flatMap((ranges) =>
      ranges === undefined
        ? []
        : [{ column, isPartition, ranges: ranges.map(({ from, to }) => endsOf(column, from, to)) }],
    );
  });
}

function partitionMatches(file: AddFile, { column, ranges }: Condition): boolean {
  const value = file.partitionValues[column.name] ?? "";
  // An empty value is null to Delta, whatever the type.
  if (value === "") return false;
  const held = endsOf(column, value, value);
  return ranges.some((range) => overlap(held, range));
}

function statsMatch(stats: FileStats, { column, ranges }: Condition): boolean {
  if (stats.nullCount?.[column.name] === stats.numRecords) return false;
  const held = endsOf(column, stats.minValues?.[column.name], stats.maxValues?.[column.name]);
  // Spark cuts the largest timestamp to ms instead of rounding it up.
  const spare =
    column.type === "timestamp" && typeof held.high === "number" ? { ...held, high: held.high + 1 } : held;
  return ranges.some((range) => overlap(spare, range));
}

function overlap(a: Ends, b: Ends): boolean {
  return isAtMost(a.low, b.high) && isAtMost(b.low, a.high);
}

function isAtMost(a: Ends["low"], b: Ends["high"]): boolean {
  if (typeof a === "number" && typeof b === "number") return a <= b;
  // By bytes of UTF-8, as the engines order text.
  if (typeof a === "string" && typeof b === "string") {
    return Buffer.compare(Buffer.from(a), Buffer.from(b)) <= 0;
  }
  return true;
}

/** Ends that can be compared; one that is absent, or is no value of the column's type, is open. */
function endsOf(column: ColumnSchema, from: StatsValue | undefined, to: StatsValue | undefined): Ends {
  return { low: comparable(column.type, from, false), high: comparable(column.type, to, true) };
}

function comparable(
  type: ColumnType,
  value: StatsValue | undefined,
  up: boolean,
): string | number | undefined {
  if (value === undefined) return undefined;
  if (type === "string" || type === "date" || type === "boolean" || type === "binary") return String(value);
  const isTimestampText = type === "timestamp" && typeof value === "string";
  const number = isTimestampText ? timestampMs(value, up) : Number(value);
  return Number.isNaN(number) ? undefined : number;
}

function boundOf(column: ColumnSchema, found: ColumnStatistics, side: "min" | "max"): StatsValue | undefined {
  const text = found[side];
  if (text === undefined || found.hasNan) return undefined;
  return BOUNDS[column.type]?.(text, side);
}

type Bound = (text: string, side: "min" | "max") => StatsValue | undefined;

/** Booleans and bytes have no bounds in Delta. */
const BOUNDS: Partial<Record<ColumnType, Bound>> = {
  string: textBound,
  long: wholeBound,
  integer: wholeBound,
  double: (text) => (Number.isFinite(Number(text)) ? Number(text) : undefined),
  date: (text) => (/^\d{4}-\d\d-\d\d$/.test(text) ? text : undefined),
  timestamp: (text, side) => {
    const ms = timestampMs(text, side === "max");
    return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
  },
};

function textBound(text: string, side: "min" | "max"): string | undefined {
  const characters = Array.from(text);
  if (characters.length <= TEXT_LENGTH_MAX) return text;
  return side === "min" ? characters.slice(0, TEXT_LENGTH_MAX).join("") : undefined;
}

function wholeBound(text: string): number | undefined {
  return Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
}

function isStats(value: unknown): value is FileStats {
  return (
    typeof value === "object" &&
    value !== null &&
    "numRecords" in value &&
    typeof value.numRecords === "number"
  );
}

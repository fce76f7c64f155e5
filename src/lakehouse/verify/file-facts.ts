// What is measured in a data file, and whether its statistics and its partition can be true of it. Pure.

import type { AddFile, ColumnSchema, TableSchema } from "../delta/actions.ts";
import { type FileStats, type StatsValue, timestampMs } from "../delta/stats.ts";
import type { FindingKind } from "./finding.ts";
import type { Cell } from "./job.ts";

/** What the rows of a file say. */
export interface Measured {
  readonly rows: number;
  readonly columns: ReadonlyMap<string, ColumnFacts>;
}

interface ColumnFacts {
  readonly min: Cell;
  readonly max: Cell;
  readonly nulls: number;
}

type NamedColumn = Pick<ColumnSchema, "name" | "type">;

/** SQL that measures all columns but those of the partition, and what turns its values into facts. */
export function measuresOf(
  columns: readonly NamedColumn[],
  partitionColumns: readonly string[],
): { readonly sql: string; readonly read: (values: readonly Cell[]) => Measured } {
  const stored = columns.filter(({ name }) => !partitionColumns.includes(name));
  const measures = stored.map(({ name, type }) => {
    // Bytes and truths have no statistics; their length or number is read to see that they can be.
    const value =
      type === "binary"
        ? `octet_length("${name}")`
        : type === "boolean"
          ? `cast("${name}" as integer)`
          : `"${name}"`;
    return `min(${value}), max(${value}), count("${name}")`;
  });
  return {
    sql: ["count(*)", ...measures].join(", "),
    read: ([rows, ...values]) => {
      const facts = stored.map(({ name }, index): [string, ColumnFacts] => {
        const [min = null, max = null, count] = values.slice(index * 3, index * 3 + 3);
        return [name, { min, max, nulls: Number(rows) - Number(count) }];
      });
      return { rows: Number(rows), columns: new Map(facts) };
    },
  };
}

/** What a file is compared with. */
export interface Comparison {
  readonly found: Measured;
  readonly schema: TableSchema;
}

/** The first thing that statistics or partition values say and the rows do not; undefined if there is none. */
export function contradictionOf(
  file: AddFile,
  stats: FileStats | undefined,
  { found, schema }: Comparison,
): { readonly kind: FindingKind; readonly what: string } | undefined {
  for (const column of schema.columns) {
    const facts = found.columns.get(column.name);
    if (facts === undefined || stats === undefined) continue;
    const what = statsContradiction(column, facts, stats);
    if (what !== undefined) return { kind: "statistics_wrong", what };
  }
  const what = dayContradiction(file, found);
  return what === undefined ? undefined : { kind: "partition_wrong", what };
}

function statsContradiction(
  { name, type }: ColumnSchema,
  { min, max, nulls }: ColumnFacts,
  stats: FileStats,
): string | undefined {
  const counted = stats.nullCount?.[name];
  if (counted !== undefined && counted !== nulls) {
    return `${name} is null in ${nulls} rows, and the statistics say ${counted}.`;
  }
  const [low, high] = [stats.minValues?.[name], stats.maxValues?.[name]];
  if (low !== undefined && isBelow(type, min, low)) {
    return `${name} begins at ${String(min)}, below the ${String(low)} of the statistics.`;
  }
  if (high !== undefined && isBelow(type, high, max)) {
    return `${name} reaches ${String(max)}, above the ${String(high)} of the statistics.`;
  }
  return undefined;
}

/** True if `a` is certainly below `b`. Timestamps in statistics have ms, and Spark cuts the largest to them. */
function isBelow(type: ColumnSchema["type"], a: Cell | StatsValue, b: Cell | StatsValue): boolean {
  if (a === null || b === null) return false;
  if (type === "timestamp") return timestampMs(String(a), true) + 1 < timestampMs(String(b), true);
  if (type === "string" || type === "date") {
    return Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b))) < 0;
  }
  return Number(a) < Number(b);
}

/** The columns that hold the time of which `event_date` is the day. */
const EVENT_TIMES = ["event_ts", "ts_utc"];

function dayContradiction({ partitionValues }: AddFile, { columns }: Measured): string | undefined {
  const day = partitionValues["event_date"];
  for (const name of EVENT_TIMES) {
    const facts = columns.get(name);
    if (facts === undefined || day === undefined || day === null) continue;
    for (const moment of [facts.min, facts.max]) {
      if (typeof moment === "string" && moment.slice(0, 10) !== day) {
        return `It holds a reading of ${moment}, and its day is ${day}.`;
      }
    }
  }
  return undefined;
}

// Makes some days of one gold table and replaces those whose rows differ, in one commit.

import { sqlNameOf, type TableName } from "../../reading/tables.ts";
import { faultPoint } from "../../support/fault-point.ts";
import { batchIdOf } from "../batch-id.ts";
import { batchInput } from "../bronze/transform.ts";
import type { AddFile, PartitionValues } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { filesMatching } from "../delta/stats.ts";
import type { FilesInput, WrittenFile } from "../engine.ts";
import { ensureTable, publish, tableInput, type Lake } from "../lake.ts";
import { dayTags, TAGGED_TABLE, type ReadingsByRoom, type Watermarks } from "./day-tags.ts";
import type { GoldTransform } from "./transforms.ts";

/** Days that are made in one statement: bounds its memory. */
export const DAYS_AT_ONCE = 31;

/** Where to make them. */
export interface MakeOptions {
  readonly lake: Lake;
  readonly queryTimeoutMs: number;
}

/** Some days of one table. */
export interface DayWork {
  readonly transform: GoldTransform;
  /** The table as it was before `silver` was read, with what this writer committed since. */
  readonly base: Snapshot;
  readonly silver: Snapshot;
  readonly days: readonly string[];
  readonly watermarks: Watermarks;
  /** Positions that the commit moves; empty but for the last step for a table. */
  readonly txns: ReadonlyMap<string, bigint>;
  /** Files of the base that cannot be read: their days are replaced without a look at them. Default: none. */
  readonly broken?: ReadonlySet<string>;
  /** What the commit is called. Default: REPLACE DAYS. */
  readonly operation?: string;
}

/** What a step did. */
export interface DaysMade {
  readonly replaced: readonly string[];
  /** The base of the next step. */
  readonly base: Snapshot;
}

/** Makes the days and replaces those that differ. @throws COMMIT_CONFLICT, COMMIT_OVERTAKEN if another writer was faster */
export async function makeDays(options: MakeOptions, work: DayWork): Promise<DaysMade> {
  const { lake } = options;
  const { transform, base, days } = work;
  const name = transform.table;
  if (days.length === 0) return commitDays(lake, work, { days: [], removes: [], adds: [] });
  const held = filesMatching(base, { equals: { event_date: days } });
  const broken = held.filter((file) => work.broken?.has(file.path) === true);
  const readable = held.filter((file) => !broken.includes(file));
  const previous = {
    ...tableInput(lake, name, { snapshot: base, files: readable }),
    name: "previous",
  };
  const others = await Promise.all(transform.reads.map(async (other) => dayInput(lake, other, work)));
  const silver = await dayInput(lake, "silver/readings", work);
  const inputs = [silver, previous, batchInput(lake.clock.nowMs()), ...others];
  const { columns, partitionColumns } = base.schema;
  await using written = await lake.engine.write({
    sql: transform.sql,
    inputs,
    columns,
    partitionColumns,
    into: name,
  });
  const found = await daysThatDiffer(options, transform, { previous, files: written.files });
  const differing = [...new Set([...found, ...broken.map(dayOf)])].toSorted();
  const isReplaced = (file: { readonly partitionValues: PartitionValues }): boolean =>
    differing.includes(dayOf(file));
  const files = written.files.filter(isReplaced);
  const adds = await publish(lake, name, { schema: base.schema, files });
  return await commitDays(lake, work, {
    days: differing,
    removes: held.filter(isReplaced),
    adds: name === TAGGED_TABLE ? await withTags(options, { work, files, adds, hourly: others[0] }) : adds,
  });
}

/** Silver as it was read; other gold tables as they are now: only gold itself writes them, from silver as old or newer. */
async function dayInput(lake: Lake, name: TableName, { silver, days }: DayWork): Promise<FilesInput> {
  const snapshot = name === "silver/readings" ? silver : await ensureTable(lake, name);
  const files = filesMatching(snapshot, { equals: { event_date: days } });
  return tableInput(lake, name, { snapshot, files });
}

function dayOf(file: { readonly partitionValues: PartitionValues }): string {
  return file.partitionValues["event_date"] ?? "";
}

interface Comparison {
  readonly previous: FilesInput;
  readonly files: readonly WrittenFile[];
}

async function daysThatDiffer(
  options: MakeOptions,
  transform: GoldTransform,
  { previous, files }: Comparison,
): Promise<readonly string[]> {
  const made: FilesInput = { ...previous, name: "made", files };
  const compared = previous.columns
    .map((column) => column.name)
    .filter((column) => !transform.bookkeeping.includes(column));
  const answer = await options.lake.engine.query({
    sql: differenceSql(compared),
    inputs: [made, previous],
    rowsMax: DAYS_AT_ONCE * 2,
    timeoutMs: options.queryTimeoutMs,
    isBulk: true,
  });
  return answer.rows.flatMap(([day]) => (typeof day === "string" ? [day] : [])).toSorted();
}

/** Days with a row that only one of the two has, in the given columns. */
function differenceSql(columns: readonly string[]): string {
  const list = columns.map((column) => `"${column}"`).join(", ");
  const one = (a: string, b: string): string =>
    `(select ${list} from ${a} except all select ${list} from ${b})`;
  return `select distinct event_date from (${one("made", "previous")} union all ${one("previous", "made")}) differing`;
}

interface Untagged {
  readonly work: DayWork;
  readonly files: readonly WrittenFile[];
  readonly adds: readonly AddFile[];
  readonly hourly: FilesInput | undefined;
}

/** The new files with the tags of their days; their readings come from the hours that they were made of. */
async function withTags(options: MakeOptions, made: Untagged): Promise<readonly AddFile[]> {
  const { adds, work } = made;
  if (adds.length === 0) return adds;
  const readings = await readingsByDay(options, made);
  return adds.map((file) => {
    const day = dayOf(file);
    return { ...file, tags: dayTags(day, work.watermarks, readings.get(day) ?? new Map()) };
  });
}

const READINGS_SQL = `
  select event_date, room, cast(sum(nb_readings) as bigint) as nb_readings
  from gold_sensor_hourly group by event_date, room`;

async function readingsByDay(
  { lake, queryTimeoutMs }: MakeOptions,
  { hourly, files }: Untagged,
): Promise<ReadonlyMap<string, ReadingsByRoom>> {
  if (hourly === undefined) return new Map();
  const wanted = new Set(files.map(dayOf));
  const days = hourly.files.filter((file) => wanted.has(dayOf(file)));
  const { rows } = await lake.engine.query({
    sql: READINGS_SQL,
    inputs: [{ ...hourly, files: days }],
    // As many as the days have rooms: the rows that were made of the same hours.
    rowsMax: files.reduce((sum, file) => sum + file.rowCount, 0),
    timeoutMs: queryTimeoutMs,
    isBulk: true,
  });
  const byDay = new Map<string, Map<string, number>>();
  for (const [day, room, count] of rows) {
    if (typeof day !== "string" || typeof room !== "string") continue;
    const rooms = byDay.get(day) ?? new Map<string, number>();
    byDay.set(day, rooms.set(room, Number(count)));
  }
  return byDay;
}

interface Replacement {
  readonly days: readonly string[];
  readonly removes: readonly AddFile[];
  readonly adds: readonly AddFile[];
}

async function commitDays(
  lake: Lake,
  { transform, base, silver, txns, operation = "REPLACE DAYS" }: DayWork,
  { days, removes, adds }: Replacement,
): Promise<DaysMade> {
  const { table } = transform;
  if (days.length === 0 && txns.size === 0) return { replaced: [], base };
  faultPoint("gold/written");
  const committed = await lake.table(table).commit({
    base,
    adds,
    removes: removes.map((file) => file.path),
    txns,
    // All gold made of one silver version belongs together.
    batchId: batchIdOf(new Map([["silver/readings", BigInt(silver.version)]])),
    operation,
    parameters: { days: days.join(","), table: sqlNameOf(table) },
    isolation: { kind: "replace", partitions: days.map((day) => ({ event_date: day })) },
    dataChange: true,
  });
  faultPoint("gold/committed");
  // With others' commits in between it may show days that are newer than silver was read: the old base finds out.
  const isNext = committed.version === base.version + 1;
  return { replaced: days, base: isNext ? committed : base };
}

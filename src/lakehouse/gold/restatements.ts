// From gold/room_daily to gold/restatements: what changed in a day that was over already.
//
//   room_daily  version 7   remove day-a.parquet (tag: the day is over)   add day-b.parquet
//        |  rows of a against rows of b, column by column
//        v
//   restatements version 3  the values that differ, and txn restate:gold/room_daily -> 7
//
// The commits of room_daily are the only source, so a crash between the two tables is made good by the next run.

import type { TableName } from "../../reading/tables.ts";
import { isAtriumError } from "../../support/errors.ts";
import { batchInput } from "../bronze/transform.ts";
import type { AddFile, RemoveAction } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import type { VersionChange } from "../delta/table.ts";
import type { FilesInput, RowsInput } from "../engine.ts";
import { followerAppId, refuseAhead } from "../followers.ts";
import { ensureTable, publish, tableInput, type Lake } from "../lake.ts";
import { isMissingFile } from "../local-inputs.ts";
import { repeatAfterLostRace } from "../lost-race.ts";
import { OPERATIONS } from "../operations.ts";
import { rowsIn } from "../summary.ts";
import { readingsOfDay, TAGGED_TABLE, wereFinal } from "./day-tags.ts";

/** The txn appId under which gold/restatements keeps the last version of gold/room_daily that it has looked at. */
export const RESTATE_APP_ID = followerAppId("gold/restatements");

const TABLE: TableName = "gold/restatements";
/** Versions whose changes are in memory at a time. */
const VERSIONS_AT_ONCE = 100;

/** Commits that change rows without a reading having come late. */
const SKIPPED: ReadonlySet<string> = new Set([
  OPERATIONS.compact,
  OPERATIONS.expire,
  OPERATIONS.erase,
  OPERATIONS.restore,
  OPERATIONS.rebuild,
]);

/** What was restated. */
export interface Restated {
  readonly daysRestated: readonly string[];
  /** Values that changed: rows of gold/restatements. */
  readonly valuesRestated: number;
  /** Readings that came late to these days. */
  readonly lateReadings: number;
}

/**
 * Looks at the commits of gold/room_daily that are new, and notes what they changed in days that were over.
 * @throws COMMIT_CONFLICT, COMMIT_OVERTAKEN if other writers were faster a few times in a row
 */
export async function restateDays(lake: Lake): Promise<Restated> {
  const found: Found = { days: new Set(), values: 0, lateReadings: 0 };
  await repeatAfterLostRace(async () => restateNew(lake, found));
  return {
    daysRestated: [...found.days].toSorted(),
    valuesRestated: found.values,
    lateReadings: found.lateReadings,
  };
}

interface Found {
  readonly days: Set<string>;
  values: number;
  lateReadings: number;
}

async function restateNew(lake: Lake, found: Found): Promise<void> {
  if ((await lake.table(TAGGED_TABLE).snapshot()) === undefined) return;
  let base = await ensureTable(lake, TABLE);
  const daily = await ensureTable(lake, TAGGED_TABLE);
  refuseAhead(TABLE, base, daily);
  let done = positionOf(base);
  while (done < daily.version) {
    const to = Math.min(done + VERSIONS_AT_ONCE, daily.version);
    for (const change of await changesOf(lake, done, to)) {
      const restated = await restateVersion(lake, { daily, restatements: base }, change);
      if (restated === undefined) continue;
      base = await commit(lake, { base, adds: restated.adds, position: change.version });
      for (const { partitionValues } of restated.adds) found.days.add(partitionValues["event_date"] ?? "");
      found.values += rowsIn(restated.adds);
      found.lateReadings += restated.lateReadings;
    }
    done = to;
  }
  if (positionOf(base) < done) await commit(lake, { base, adds: [], position: done });
}

function positionOf(restatements: Snapshot): number {
  return Number(restatements.txns.get(RESTATE_APP_ID) ?? -1n);
}

/** Upkeep keeps the commits that are still needed: without them what they changed is not known any more. */
async function changesOf(lake: Lake, from: number, to: number): Promise<readonly VersionChange[]> {
  try {
    return await lake.table(TAGGED_TABLE).changes(from, to);
  } catch (error) {
    if (!isAtriumError(error, "NOT_FOUND")) throw error;
    warnOfLoss(lake, `commits ${from + 1} to ${to}`, error);
    return [];
  }
}

function warnOfLoss(lake: Lake, what: string, { message }: Error): void {
  lake.logger?.warn(
    `${what} of ${TAGGED_TABLE} were removed by hand before ${TABLE} took note: what they restated is lost`,
    { message },
  );
}

/** A day of which a version replaced the files. */
interface ReplacedDay {
  readonly day: string;
  readonly removes: readonly RemoveAction[];
  readonly adds: readonly AddFile[];
}

/** The days that were over before the version replaced them. */
function restatedDays(change: VersionChange): readonly ReplacedDay[] {
  if (SKIPPED.has(change.operation)) return [];
  const removes = Map.groupBy(change.removes, (file) => file.partitionValues?.["event_date"] ?? "");
  const adds = Map.groupBy(change.adds, (file) => file.partitionValues["event_date"] ?? "");
  const days = [...removes].map(([day, files]) => ({ day, removes: files, adds: adds.get(day) ?? [] }));
  return days.filter((replaced) => replaced.day !== "" && wereFinal(replaced.removes, replaced.adds));
}

interface RestatedVersion {
  readonly adds: readonly AddFile[];
  readonly lateReadings: number;
}

interface Tables {
  readonly daily: Snapshot;
  readonly restatements: Snapshot;
}

/** Writes what a version restated; undefined if it restated nothing. */
async function restateVersion(
  lake: Lake,
  { daily, restatements }: Tables,
  change: VersionChange,
): Promise<RestatedVersion | undefined> {
  const days = restatedDays(change);
  if (days.length === 0) return undefined;
  const files = replacedFiles(lake, daily, days);
  const late = days.flatMap(lateReadings);
  const { schema } = restatements;
  const { columns, partitionColumns } = schema;
  await using written = await lake.engine
    .write({
      sql: restatementSql(valueColumns(daily)),
      inputs: [...files, lateInput(late), batchInput(change.timestampMs)],
      columns,
      partitionColumns,
      into: TABLE,
    })
    .catch((error: unknown) => {
      if (!(error instanceof Error) || !isMissingFile(error)) throw error;
      warnOfLoss(lake, `files of version ${change.version}`, error);
      return undefined;
    });
  if (written === undefined || written.files.length === 0) return undefined;
  const adds = await publish(lake, TABLE, { schema, files: written.files });
  const restated = new Set(adds.map((file) => file.partitionValues["event_date"]));
  const counted = late.filter(({ day }) => restated.has(day));
  return { adds, lateReadings: counted.reduce((sum, { readings }) => sum + readings, 0) };
}

/** The rows of the days before and after, as `earlier` and `later`. */
function replacedFiles(lake: Lake, daily: Snapshot, days: readonly ReplacedDay[]): readonly FilesInput[] {
  const sides = {
    earlier: days.flatMap(({ removes }) => removes),
    later: days.flatMap(({ adds }) => adds),
  };
  return Object.entries(sides).map(([name, side]) => {
    const files = side.map(({ path, partitionValues = {} }) => ({ path, partitionValues }));
    return { ...tableInput(lake, TAGGED_TABLE, { snapshot: daily, files }), name };
  });
}

/** Readings of a room that a day has more than before. */
interface LateReadings {
  readonly day: string;
  readonly room: string;
  readonly readings: number;
}

/** None where a day's files do not say what they were made of: fewer are known than came. */
function lateReadings({ day, removes, adds }: ReplacedDay): readonly LateReadings[] {
  const before = readingsOfDay(removes);
  const after = readingsOfDay(adds);
  // A day without files has no readings; one whose files have no tags may have any.
  if (before === undefined || (after === undefined && adds.length > 0)) return [];
  const rooms = new Set([...before.keys(), ...(after?.keys() ?? [])]);
  const late = [...rooms].map((room) => ({
    day,
    room,
    readings: (after?.get(room) ?? 0) - (before.get(room) ?? 0),
  }));
  return late.filter(({ readings }) => readings !== 0);
}

function lateInput(late: readonly LateReadings[]): RowsInput {
  return {
    kind: "rows",
    name: "late",
    rowCount: late.length,
    columns: [
      { name: "event_day", type: "string", values: late.map(({ day }) => day) },
      { name: "room", type: "string", values: late.map(({ room }) => room) },
      {
        name: "readings",
        type: "long",
        values: BigInt64Array.from(late, ({ readings }) => BigInt(readings)),
      },
    ],
  };
}

/** The columns whose values are restated: all figures, without the bookkeeping. */
function valueColumns(daily: Snapshot): readonly string[] {
  return daily.schema.columns.flatMap((column) => (column.type === "double" ? [column.name] : []));
}

/**
 * One row for each value that differs between the rows of `earlier` and those of `later`; a room that only one of them has
 * differs where it has a value. Inputs: these two, `late`, and `batch` with the time of the commit.
 */
function restatementSql(columns: readonly string[]): string {
  const pairs = columns.map(
    (column) => `earlier."${column}" as "${column}_before", later."${column}" as "${column}_after"`,
  );
  const values = columns.map(
    (column) => `select room, event_date, '${column}' as column_name, "${column}_before" as value_before,
      "${column}_after" as value_after, revision, restated_at from pairs`,
  );
  return `
  with pairs as (
    select coalesce(later.room, earlier.room) as room, coalesce(later.event_date, earlier.event_date) as event_date,
      coalesce(later.revision, earlier.revision + 1) as revision, coalesce(later.created_at, made_at) as restated_at,
      ${pairs.join(",\n      ")}
    from earlier
    full outer join later on later.room = earlier.room and later.event_date = earlier.event_date
    cross join batch)
  select figures.room, figures.event_date, column_name, value_before, value_after,
    coalesce(late.readings, 0) as late_readings, revision, restated_at
  from (${values.join("\n    union all ")}) figures
  left join late on late.room = figures.room and cast(late.event_day as date) = figures.event_date
  where value_before is distinct from value_after`;
}

interface NewRows {
  readonly base: Snapshot;
  readonly adds: readonly AddFile[];
  readonly position: number;
}

async function commit(lake: Lake, { base, adds, position }: NewRows): Promise<Snapshot> {
  return lake.table(TABLE).commit({
    base,
    adds,
    removes: [],
    txns: new Map([[RESTATE_APP_ID, BigInt(position)]]),
    operation: "RESTATE",
    isolation: { kind: "append" },
    dataChange: true,
  });
}

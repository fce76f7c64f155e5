// From silver to gold: the days that changed are made again, each replaced whole, and only if its rows differ.
//
// Every gold table keeps the silver version that it reflects (txn `gold:silver/readings`), so a crash between two
// tables leaves each with its own list of days to make. A day is replaced in one commit, which is refused if another
// writer replaced it meanwhile.

import { sqlNameOf, type TableName } from "../../reading/tables.ts";
import { faultPoint } from "../../support/fault-point.ts";
import { batchInput } from "../bronze/transform.ts";
import type { AddFile, PartitionValues } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { filesMatching } from "../delta/stats.ts";
import type { FilesInput, WrittenFile } from "../engine.ts";
import { ensureTable, publish, tableInput, type Lake } from "../lake.ts";
import { GOLD_TRANSFORMS, type GoldTransform } from "./transforms.ts";

/** The txn appId under which a gold table keeps the silver version that it reflects. */
export const GOLD_APP_ID = "gold:silver/readings";

/** Days that are made in one statement: bounds its memory. */
const DAYS_AT_ONCE = 31;

/** What to make. */
export interface GoldOptions {
  readonly lake: Lake;
  /** UTC days as `2013-08-23`; left out: those whose silver changed since gold was last made. */
  readonly days?: readonly string[];
  readonly queryTimeoutMs: number;
}

/** What was made. */
export interface GoldSummary {
  /** Days that were looked at: their silver changed, or they were asked for. */
  readonly daysChecked: readonly string[];
  /** Days of which at least one table was replaced. */
  readonly daysReplaced: readonly string[];
}

/** Makes gold for the days that changed, or for those given. @throws COMMIT_CONFLICT if another writer was faster */
export async function makeGold(options: GoldOptions): Promise<GoldSummary> {
  const silver = await options.lake.table("silver/readings").snapshot();
  const checked = new Set<string>();
  const replaced = new Set<string>();
  if (silver === undefined) return { daysChecked: [], daysReplaced: [] };
  for (const transform of GOLD_TRANSFORMS) {
    const days = options.days ?? (await changedDays(options.lake, transform.table, silver));
    for (let start = 0; start < Math.max(days.length, 1); start += DAYS_AT_ONCE) {
      const some = days.slice(start, start + DAYS_AT_ONCE);
      const isLast = start + DAYS_AT_ONCE >= days.length;
      const reflects = options.days === undefined && isLast ? silver.version : undefined;
      const done = await makeDays(options, { transform, silver, days: some, reflects });
      for (const day of some) checked.add(day);
      for (const day of done) replaced.add(day);
    }
  }
  return { daysChecked: [...checked].toSorted(), daysReplaced: [...replaced].toSorted() };
}

/** Days in which silver's commits since the table was last made added or removed rows. */
async function changedDays(lake: Lake, name: TableName, silver: Snapshot): Promise<readonly string[]> {
  const gold = await ensureTable(lake, name);
  const reflected = gold.txns.get(GOLD_APP_ID);
  if (reflected === undefined) return daysOf([...silver.files.values()]);
  const changes = await lake.table("silver/readings").changes(Number(reflected), silver.version);
  const days = changes.flatMap((change) => [...daysOf(change.adds), ...daysOf(change.removes)]);
  return [...new Set(days)].toSorted();
}

function daysOf(files: readonly { readonly partitionValues?: PartitionValues }[]): readonly string[] {
  const days = files.flatMap((file) => file.partitionValues?.["event_date"] ?? []);
  return [...new Set(days)].toSorted();
}

interface Work {
  readonly transform: GoldTransform;
  readonly silver: Snapshot;
  readonly days: readonly string[];
  /** Set on the last step for a table: the silver version that it reflects from then on. */
  readonly reflects: number | undefined;
}

/** Makes the days of one table and replaces those that differ; returns these. */
async function makeDays(options: GoldOptions, work: Work): Promise<readonly string[]> {
  const { lake } = options;
  const name = work.transform.table;
  const current = await ensureTable(lake, name);
  if (work.days.length === 0) {
    await replaceDays(lake, { work, current, days: [], held: [], files: [] });
    return [];
  }
  const held = filesMatching(current, { equals: { event_date: work.days } });
  const previous = {
    ...(await tableInput(lake, name, { snapshot: current, files: held })),
    name: "previous",
  };
  const inputs = [await dayInput(lake, "silver/readings", work), previous, batchInput(lake.clock.nowMs())];
  for (const other of work.transform.reads) inputs.push(await dayInput(lake, other, work));
  const { columns, partitionColumns } = current.schema;
  await using written = await lake.engine.write({
    sql: work.transform.sql,
    inputs,
    columns,
    partitionColumns,
  });
  const days = await daysThatDiffer(options, work.transform, { previous, files: written.files });
  await replaceDays(lake, { work, current, days, held, files: written.files });
  return days;
}

async function dayInput(lake: Lake, name: TableName, { silver, days }: Work): Promise<FilesInput> {
  const snapshot = name === "silver/readings" ? silver : await ensureTable(lake, name);
  return tableInput(lake, name, {
    snapshot,
    files: filesMatching(snapshot, { equals: { event_date: days } }),
  });
}

interface Comparison {
  readonly previous: FilesInput;
  readonly files: readonly WrittenFile[];
}

async function daysThatDiffer(
  options: GoldOptions,
  transform: GoldTransform,
  { previous, files }: Comparison,
): Promise<readonly string[]> {
  const made: FilesInput = { ...previous, name: "made", files };
  const answer = await options.lake.engine.query({
    sql: differenceSql(
      previous.columns
        .map((column) => column.name)
        .filter((column) => !transform.bookkeeping.includes(column)),
    ),
    inputs: [made, previous],
    rowsMax: DAYS_AT_ONCE * 2,
    timeoutMs: options.queryTimeoutMs,
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

interface Replacement {
  readonly work: Work;
  readonly current: Snapshot;
  readonly days: readonly string[];
  readonly held: readonly AddFile[];
  readonly files: readonly WrittenFile[];
}

async function replaceDays(lake: Lake, { work, current, days, held, files }: Replacement): Promise<void> {
  const { table } = work.transform;
  const isReplaced = (file: Pick<AddFile, "partitionValues">): boolean =>
    days.includes(file.partitionValues["event_date"] ?? "");
  const reflects = BigInt(work.reflects ?? -1);
  const txns =
    work.reflects === undefined || current.txns.get(GOLD_APP_ID) === reflects
      ? new Map()
      : new Map([[GOLD_APP_ID, reflects]]);
  if (days.length === 0 && txns.size === 0) return;
  const adds = await publish(lake, table, { schema: current.schema, files: files.filter(isReplaced) });
  faultPoint("gold/written");
  await lake.table(table).commit({
    base: current,
    adds,
    removes: held.filter(isReplaced).map((file) => file.path),
    txns,
    operation: "REPLACE DAYS",
    parameters: { days: days.join(","), table: sqlNameOf(table) },
    isolation: { kind: "replace", partitions: days.map((day) => ({ event_date: day })) },
    dataChange: true,
  });
  faultPoint("gold/committed");
}

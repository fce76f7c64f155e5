// Gold made again from silver by its own transforms, and compared cell by cell.

import type { TableName } from "../../reading/tables.ts";
import { present } from "../../support/assert.ts";
import { isAtriumError } from "../../support/errors.ts";
import { batchInput } from "../bronze/transform.ts";
import type { ColumnSchema } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { filesMatching } from "../delta/stats.ts";
import type { FilesInput, Input } from "../engine.ts";
import { GOLD_APP_ID } from "../gold/gold.ts";
import type { GoldTransform } from "../gold/transforms.ts";
import { tableInput } from "../lake.ts";
import { horizonOf } from "../operations.ts";
import { rowsIn } from "../summary.ts";
import { byDay, dayGroups, dayOf } from "./days.ts";
import { finding } from "./finding.ts";
import { ask, counted, type Cell, type Job, NAMED_MAX } from "./job.ts";

/** Rows of silver that are read in one step: bounds its memory. */
const ROWS_AT_ONCE = 10_000_000;

/** What is compared. */
export interface GoldParts {
  readonly transform: GoldTransform;
  readonly silver: Snapshot;
  readonly gold: Snapshot;
  /** The gold tables that the transform reads. */
  readonly others: ReadonlyMap<TableName, Snapshot>;
  /** Files that are no good, by their path in the log of their table. */
  readonly damaged: ReadonlySet<string>;
}

/** Makes a gold table again, some days at a time, and names the rows that differ. */
export async function checkGold(job: Job, parts: GoldParts): Promise<void> {
  const { transform, silver, gold } = parts;
  const silverDays = byDay([...silver.files.values()]);
  const goldDays = byDay([...gold.files.values()]);
  const all = [...new Set([...silverDays.keys(), ...goldDays.keys()])].toSorted();
  const days = await daysToCompare(job, parts, all);
  const size = (day: string): number => rowsIn(silverDays.get(day) ?? []);
  for (const group of dayGroups(days, size, ROWS_AT_ONCE)) {
    job.signal.throwIfAborted();
    job.progress(`${transform.table}: ${group[0]} to ${group.at(-1)}`);
    await compare(job, parts, group);
  }
}

async function daysToCompare(job: Job, parts: GoldParts, all: readonly string[]): Promise<readonly string[]> {
  const { transform, silver, gold, damaged } = parts;
  const { table } = transform;
  const changed = await daysBehind(job, parts);
  if (changed === undefined) return [];
  const horizon = horizonOf(silver) ?? "";
  const goldHorizon = horizonOf(gold) ?? "";
  const files = [silver, gold, ...parts.others.values()].flatMap((snapshot) => [...snapshot.files.values()]);
  const broken = new Set(files.filter((file) => damaged.has(file.path)).map(dayOf));
  const note = (kind: "behind" | "expired" | "not_compared", days: readonly string[], why: string): void => {
    if (days.length === 0) return;
    const what = `${counted(days.length, "day")} not compared with silver, ${why}: ${some(days)}.`;
    job.report(finding(table, kind, { what }));
  };
  const isExpired = (day: string): boolean => day < horizon || day < goldHorizon;
  note("expired", all.filter(isExpired), `before the first day that is kept`);
  const left = all.filter((day) => !isExpired(day));
  note(
    "behind",
    left.filter((day) => changed.has(day)),
    "which changed since gold was made",
  );
  const current = left.filter((day) => !changed.has(day));
  note(
    "not_compared",
    current.filter((day) => broken.has(day)),
    "for files of them are damaged",
  );
  return current.filter((day) => !broken.has(day));
}

function some(days: readonly string[]): string {
  return days.length <= NAMED_MAX ? days.join(", ") : `${days.slice(0, NAMED_MAX).join(", ")} …`;
}

/** Days in which silver changed since the gold table was made; undefined if the commits that tell are gone. */
async function daysBehind(
  job: Job,
  { transform, silver, gold }: GoldParts,
): Promise<ReadonlySet<string> | undefined> {
  const reflected = Number(gold.txns.get(GOLD_APP_ID) ?? -1n);
  if (reflected < 0) return new Set([...silver.files.values()].map(dayOf));
  try {
    const changes = await job.lake.table("silver/readings").changes(reflected, silver.version);
    return new Set(changes.flatMap(({ adds, removes }) => [...adds, ...removes].map(dayOf)));
  } catch (error) {
    if (!isAtriumError(error)) throw error;
    const what = `Rows are not compared with silver: ${error.message}`;
    job.report(finding(transform.table, "not_compared", { what }));
    return undefined;
  }
}

async function compare(job: Job, parts: GoldParts, days: readonly string[]): Promise<void> {
  const { transform, gold, silver } = parts;
  const input = (name: TableName, snapshot: Snapshot): FilesInput =>
    tableInput(job.lake, name, {
      snapshot,
      files: filesMatching(snapshot, { equals: { event_date: days } }),
    });
  const held = { ...input(transform.table, gold), name: "held" };
  const inputs: Input[] = [
    held,
    { ...held, name: "previous", files: [] },
    input("silver/readings", silver),
    batchInput(0),
  ];
  for (const name of transform.reads) inputs.push(input(name, present(parts.others.get(name), name)));
  const columns = gold.schema.columns.filter(({ name }) => !transform.bookkeeping.includes(name));
  const rows = await ask(job, differenceSql(transform, columns), inputs);
  report(job, transform, { columns, rows });
}

/** The engine's names of the types that SQL may widen on the way. */
const CASTS: Readonly<Partial<Record<ColumnSchema["type"], string>>> = {
  long: "bigint",
  integer: "integer",
  double: "double",
};

/** Rows of one side only, marked by it: `made` again from silver, or `held` by the table. */
function differenceSql(transform: GoldTransform, columns: readonly ColumnSchema[]): string {
  const made = columns.map(({ name, type }) => {
    const cast = CASTS[type];
    return cast === undefined ? name : `cast(${name} as ${cast}) as ${name}`;
  });
  const names = columns.map(({ name }) => name).join(", ");
  return `
    with made as (select ${made.join(", ")} from (${transform.sql}) again),
    there as (select ${names} from held)
    select * from (
      select 'made' as side, only_made.* from (select * from made except all select * from there) only_made
      union all
      select 'held' as side, only_held.* from (select * from there except all select * from made) only_held) differing
    order by event_date, room`;
}

interface Differences {
  readonly columns: readonly ColumnSchema[];
  readonly rows: readonly (readonly Cell[])[];
}

/** Columns that together name a row of a gold table. */
const KEYS = ["room", "sensor_type", "event_date", "hour_utc"];

function report(job: Job, { table }: GoldTransform, { columns, rows }: Differences): void {
  const keys = columns.flatMap(({ name }, index) => (KEYS.includes(name) ? [index + 1] : []));
  const pairs = Map.groupBy(rows, (row) => keys.map((place) => String(row[place])).join(" "));
  const place = (name: string): number => columns.findIndex((column) => column.name === name) + 1;
  const byDayAndRoom = Map.groupBy(
    [...pairs.values()].filter((pair) => !isLastDigits(columns, pair)),
    ([row]) => `${String(row?.[place("event_date")])} ${String(row?.[place("room")])}`,
  );
  for (const group of byDayAndRoom.values()) {
    const [first] = group;
    const row = present(first?.[0], "a row that differs");
    const what = `${counted(group.length, "row")} not what silver gives: ${differenceText(columns, present(first, "a pair"))}.`;
    job.report(
      finding(table, "gold_wrong", {
        what,
        day: String(row[place("event_date")]),
        room: String(row[place("room")]),
      }),
    );
  }
}

/** Engines and versions may differ in the last digits of a double, by this share of it. */
const LAST_DIGITS = 1e-12;

/** True if the two sides have one row, and it differs in the last digits of doubles alone. */
function isLastDigits(columns: readonly ColumnSchema[], rows: readonly (readonly Cell[])[]): boolean {
  const [a, b, ...more] = rows;
  if (a === undefined || b === undefined || more.length > 0 || a[0] === b[0]) return false;
  return columns.every(({ type }, index) => {
    const [one, other] = [a[index + 1], b[index + 1]];
    if (one === other) return true;
    if (type !== "double" || typeof one !== "number" || typeof other !== "number") return false;
    return Math.abs(one - other) <= LAST_DIGITS * Math.max(Math.abs(one), Math.abs(other));
  });
}

/** How one row differs: a cell, or the row that only one side has. */
function differenceText(columns: readonly ColumnSchema[], rows: readonly (readonly Cell[])[]): string {
  const [made, held] = ["made", "held"].map((side) => rows.find((row) => row[0] === side));
  const of = (row: readonly Cell[]): string =>
    columns
      .flatMap(({ name }, index) => (KEYS.includes(name) ? [`${name} ${String(row[index + 1])}`] : []))
      .join(", ");
  if (made === undefined) return `${of(present(held, "a row"))} should not be there`;
  if (held === undefined) return `${of(made)} is missing`;
  if (rows.length > 2) return `${of(made)} is there more than once`;
  const index = columns.findIndex((_, at) => made[at + 1] !== held[at + 1]);
  return `${of(made)}: ${columns[index]?.name ?? "a cell"} is ${String(held[index + 1])}, and should be ${String(made[index + 1])}`;
}

// Makes a damaged table again from the one before it. Its damaged files are not read: the commit only removes them.
//
//   silver  all days that bronze still has, in one commit that replaces them, with the bronze version as its position
//   gold    all days that silver still has, 31 at a time, as `atrium gold` makes them

import type { TableName } from "../../reading/tables.ts";
import { present } from "../../support/assert.ts";
import { AtriumError } from "../../support/errors.ts";
import { batchInput } from "../bronze/transform.ts";
import type { AddFile } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { refuseAhead } from "../followers.ts";
import { newestDayTxn, TAGGED_TABLE, watermarksOf } from "../gold/day-tags.ts";
import { GOLD_APP_ID } from "../gold/gold.ts";
import { DAYS_AT_ONCE, makeDays } from "../gold/replace-days.ts";
import { GOLD_TRANSFORMS, type GoldTransform } from "../gold/transforms.ts";
import { ensureTable, tableInput, writeFiles, type Lake } from "../lake.ts";
import { horizonOf, OPERATIONS } from "../operations.ts";
import { REFINE_APP_ID } from "../silver/refine.ts";
import { KEY_COUNT_SQL, silverSql } from "../silver/transform.ts";
import { rowsIn } from "../summary.ts";
import { byDay, dayGroups, dayOf } from "./days.ts";
import { checkFiles } from "./files-check.ts";
import type { Finding } from "./finding.ts";
import { ask, type Job } from "./job.ts";

/** Rows of bronze that are refined in one step: bounds its memory. */
const ROWS_AT_ONCE = 1_000_000;

/** What to make again. */
export interface RebuildOptions extends Omit<Job, "report"> {
  readonly table: TableName;
}

/** What was made. */
export interface Rebuilt {
  readonly table: TableName;
  /** The new version; that of before if nothing differed. */
  readonly version: number;
  readonly daysReplaced: readonly string[];
  /** Days that are left as they were: what they were made of has expired. */
  readonly daysKept: readonly string[];
  /** Files that were found missing or unreadable, and are no longer part of the table. */
  readonly filesDropped: readonly string[];
}

/**
 * Makes a table of silver or gold again. Nothing changes if it fails.
 * @throws USAGE_INVALID for a table that is made of no other; TABLE_MISSING if that one is not there; TABLE_CORRUPT if that
 * one is damaged itself, or the log of this one; COMMIT_CONFLICT if another writer changed the table meanwhile
 */
export async function rebuild(options: RebuildOptions): Promise<Rebuilt> {
  const { table } = options;
  const findings: Finding[] = [];
  const job: Job = { ...options, report: (found) => findings.push(found) };
  if (table === "silver/readings") return rebuildSilver(job);
  const transform = GOLD_TRANSFORMS.find((known) => known.table === table);
  if (transform !== undefined) return rebuildGold(job, transform);
  throw new AtriumError(
    "USAGE_INVALID",
    `${table} cannot be made again: only silver/readings and ${GOLD_TRANSFORMS.map((known) => known.table).join(", ")} are made of other tables. docs/operate/recovery.md has the way out.`,
  );
}

/** Silver is read before bronze, as in a refine batch: what was erased meanwhile does not come back. */
async function rebuildSilver(job: Job): Promise<Rebuilt> {
  const { lake } = job;
  const name: TableName = "silver/readings";
  await source(lake, "bronze/readings");
  const silver = await ensureTable(lake, name);
  const bronze = await source(lake, "bronze/readings");
  const position = silver.txns.get(REFINE_APP_ID) ?? -1n;
  refuseAhead(name, silver, bronze);
  const horizon = [horizonOf(bronze) ?? "", horizonOf(silver) ?? ""].toSorted().at(-1) ?? "";
  const isKept = (day: string): boolean => day < horizon;
  const days = byDay([...bronze.files.values()].filter((file) => !isKept(dayOf(file))));
  const adds: AddFile[] = [];
  const size = (day: string): number => rowsIn(days.get(day) ?? []);
  for (const group of dayGroups([...days.keys()].toSorted(), size, ROWS_AT_ONCE)) {
    job.signal.throwIfAborted();
    job.progress(`${name}: ${group[0]} to ${group.at(-1)}`);
    const files = group.flatMap((day) => days.get(day) ?? []);
    adds.push(...(await refined(job, tableInput(lake, "bronze/readings", { snapshot: bronze, files }))));
  }
  const held = [...silver.files.values()];
  const damaged = await checkFiles(job, name, { snapshot: silver, rows: false });
  const removes = held.filter((file) => !isKept(dayOf(file)));
  const isMoved = BigInt(bronze.version) > position;
  const committed = await lake.table(name).commit({
    base: silver,
    adds,
    removes: removes.map((file) => file.path),
    txns: new Map(isMoved ? [[REFINE_APP_ID, BigInt(bronze.version)]] : []),
    operation: OPERATIONS.rebuild,
    isolation: { kind: "replace", partitions: [{}] },
    dataChange: true,
  });
  return {
    table: name,
    version: committed.version,
    daysReplaced: [...new Set([...adds, ...removes].map(dayOf))].toSorted(),
    daysKept: [...new Set(held.map(dayOf))].filter(isKept).toSorted(),
    filesDropped: removes.filter((file) => damaged.has(file.path)).map((file) => file.path),
  };
}

async function refined(job: Job, fresh: Awaited<ReturnType<typeof tableInput>>): Promise<readonly AddFile[]> {
  const [[count, distinct] = []] = await ask(job, KEY_COUNT_SQL, [fresh]);
  const sql = silverSql({ withinBatch: count !== distinct, withSilver: false });
  return writeFiles(job.lake, "silver/readings", {
    sql,
    inputs: [fresh, batchInput(job.lake.clock.nowMs())],
  });
}

/** Gold tables are read before silver, as in makeGold. */
async function rebuildGold(job: Job, transform: GoldTransform): Promise<Rebuilt> {
  const { lake } = job;
  const { table } = transform;
  await source(lake, "silver/readings");
  let base = await ensureTable(lake, table);
  const silver = await source(lake, "silver/readings");
  const position = base.txns.get(GOLD_APP_ID) ?? -1n;
  refuseAhead(table, base, silver);
  const broken = await checkFiles(job, table, { snapshot: base, rows: true });
  const horizon = horizonOf(silver) ?? "";
  const all = [...new Set([...silver.files.values(), ...base.files.values()].map(dayOf))].toSorted();
  const days = all.filter((day) => day >= horizon);
  const watermarks = watermarksOf(silver, base, lake.clock.nowMs());
  const replaced: string[] = [];
  const dropped = [...base.files.values()].filter((file) => broken.has(file.path) && dayOf(file) >= horizon);
  for (let start = 0; start < Math.max(1, days.length); start += DAYS_AT_ONCE) {
    job.signal.throwIfAborted();
    const some = days.slice(start, start + DAYS_AT_ONCE);
    job.progress(`${table}: ${some[0] ?? ""} to ${some.at(-1) ?? ""}`);
    const isMoved = start + DAYS_AT_ONCE >= days.length && BigInt(silver.version) > position;
    const newestDay = table === TAGGED_TABLE ? newestDayTxn(watermarks) : [];
    const txns = new Map(isMoved ? [[GOLD_APP_ID, BigInt(silver.version)], ...newestDay] : []);
    const operation = OPERATIONS.rebuild;
    const work = { transform, base, silver, days: some, watermarks, txns, broken, operation };
    const made = await makeDays(job, work);
    replaced.push(...made.replaced);
    ({ base } = made);
  }
  return {
    table,
    version: present(await lake.table(table).snapshot(), table).version,
    daysReplaced: replaced,
    daysKept: all.filter((day) => day < horizon),
    filesDropped: dropped.map((file) => file.path),
  };
}

async function source(lake: Lake, name: TableName): Promise<Snapshot> {
  const snapshot = await lake.table(name).snapshot();
  if (snapshot !== undefined) return snapshot;
  throw new AtriumError("TABLE_MISSING", `There is no ${name} to make it of. Run the stage before it first.`);
}

// From silver to gold: the days that changed are made again, each replaced whole, and only if its rows differ.
//
// Every gold table keeps the silver version that it reflects (txn `gold:silver/readings`), so a crash between two
// tables leaves each with its own list of days to make. A day is replaced in one commit, which is refused if another
// writer replaced it meanwhile; then everything is read again. What it changed in days that were over goes to
// gold/restatements.

import type { TableName } from "../../reading/tables.ts";
import { present } from "../../support/assert.ts";
import { AtriumError } from "../../support/errors.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { followerAppId, refuseAhead } from "../followers.ts";
import { ensureTable, type Lake } from "../lake.ts";
import { repeatAfterLostRace } from "../lost-race.ts";
import { OPERATIONS } from "../operations.ts";
import { changedDays, changesSince, withinHorizon } from "./changed-days.ts";
import { newestDayTxn, TAGGED_TABLE, watermarksOf } from "./day-tags.ts";
import { DAYS_AT_ONCE, makeDays, type MakeOptions } from "./replace-days.ts";
import { restateDays, type Restated } from "./restatements.ts";
import { GOLD_TRANSFORMS, type GoldTransform } from "./transforms.ts";

/** The txn appId under which a gold table keeps the silver version that it reflects. */
export const GOLD_APP_ID = followerAppId("gold/room_daily");

/** What to make. */
export interface GoldOptions extends MakeOptions {
  /** UTC days as `2013-08-23`; left out: those whose silver changed since gold was last made. */
  readonly days?: readonly string[];
  /**
   * Versions of silver that are reflected once `days` are made: what those after `from` up to `to` changed lies in these
   * days alone. A table that reflects less than `from` stays where it is. Default: none.
   */
  readonly reflects?: { readonly from: number; readonly to: number };
}

/** What was made. */
export interface GoldSummary extends Restated {
  /** Days that were looked at: their silver changed, or they were asked for. */
  readonly daysChecked: readonly string[];
  /** Days of which at least one table was replaced. */
  readonly daysReplaced: readonly string[];
  /** Days that were left as they are, because retention has taken them from silver. */
  readonly daysExpired: readonly string[];
}

/** The summary of a run that made nothing. */
export const NO_GOLD: GoldSummary = {
  daysChecked: [],
  daysReplaced: [],
  daysExpired: [],
  daysRestated: [],
  valuesRestated: 0,
  lateReadings: 0,
};

/**
 * Makes gold for the days that changed, or for those given, and notes what that changed in days that were over.
 * @throws COMMIT_CONFLICT, COMMIT_OVERTAKEN if other writers were faster a few times in a row
 */
export async function makeGold(options: GoldOptions): Promise<GoldSummary> {
  const found: Found = { checked: new Set(), replaced: new Set(), expired: new Set() };
  await repeatAfterLostRace(async () => {
    const silver = await makeTables(options, found);
    if (silver !== undefined) await refuseErased(options.lake, silver);
  });
  return {
    daysChecked: [...found.checked].toSorted(),
    daysReplaced: [...found.replaced].toSorted(),
    daysExpired: [...found.expired].toSorted(),
    ...(await restateDays(options.lake)),
  };
}

/** Days of all tables, over all attempts. */
interface Found {
  readonly checked: Set<string>;
  readonly replaced: Set<string>;
  readonly expired: Set<string>;
}

/**
 * Makes all tables; returns the silver that they were made of. The gold tables are read before silver: rows are erased in
 * the order of the flow, so an erasure that silver's version does not show yet is not in these tables either, and its
 * commits to them refuse ours.
 */
async function makeTables(options: GoldOptions, found: Found): Promise<Snapshot | undefined> {
  const { lake } = options;
  const silverTable = lake.table("silver/readings");
  if ((await silverTable.snapshot()) === undefined) return undefined;
  const tables = new Map<TableName, Snapshot>();
  for (const { table } of GOLD_TRANSFORMS) tables.set(table, await ensureTable(lake, table));
  const silver = present(await silverTable.snapshot(), "silver, which was there a moment ago");
  for (const transform of GOLD_TRANSFORMS) {
    const gold = present(tables.get(transform.table), transform.table);
    refuseAhead(transform.table, gold, silver);
    await makeTable(options, { transform, gold, silver, found });
  }
  return silver;
}

/** A room that gold did not have yet leaves no commit to it when it is erased: silver's commits tell of it. */
async function refuseErased(lake: Lake, silver: Snapshot): Promise<void> {
  const newest = await lake.table("silver/readings").snapshot();
  const changes = await changesSince(lake, silver.version, newest?.version ?? silver.version);
  if (changes?.every(({ operation }) => operation !== OPERATIONS.erase) ?? false) return;
  throw new AtriumError(
    "COMMIT_CONFLICT",
    `Rows were erased from silver/readings after version ${silver.version}, of which gold was made. Make it again.`,
  );
}

interface TableWork {
  readonly transform: GoldTransform;
  readonly gold: Snapshot;
  readonly silver: Snapshot;
  readonly found: Found;
}

/** The version of silver that a table reflects once its days are made; undefined if that is not known. */
function reflectedAfter(
  { days, reflects }: GoldOptions,
  reflected: bigint | undefined,
  silver: Snapshot,
): bigint | undefined {
  if (days === undefined) return BigInt(silver.version);
  const before = Number(reflected ?? 0n);
  if (reflects === undefined || before < reflects.from || before > reflects.to) return undefined;
  return BigInt(reflects.to);
}

async function makeTable(options: GoldOptions, { transform, gold, silver, found }: TableWork): Promise<void> {
  const reflected = gold.txns.get(GOLD_APP_ID);
  const reflects = reflectedAfter(options, reflected, silver);
  const wanted = options.days ?? (await changedDays(options.lake, { gold, silver, reflected }));
  const { days, expired } = withinHorizon(silver, wanted);
  for (const day of expired) found.expired.add(day);
  const watermarks = watermarksOf(silver, gold, options.lake.clock.nowMs());
  const newestDay = transform.table === TAGGED_TABLE ? newestDayTxn(watermarks) : [];
  let base = gold;
  for (let start = 0; start < Math.max(days.length, 1); start += DAYS_AT_ONCE) {
    const some = days.slice(start, start + DAYS_AT_ONCE);
    const isLast = start + DAYS_AT_ONCE >= days.length;
    const isMoved = isLast && reflects !== undefined && reflects !== reflected;
    const txns = isMoved ? new Map([[GOLD_APP_ID, reflects], ...newestDay]) : new Map<string, bigint>();
    const made = await makeDays(options, { transform, base, silver, days: some, watermarks, txns });
    ({ base } = made);
    for (const day of some) found.checked.add(day);
    for (const day of made.replaced) found.replaced.add(day);
  }
}

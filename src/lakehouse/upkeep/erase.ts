// Erasure: takes all rows of a room out of all tables, for good.
//
//   round     refine catches up -> rejected, bronze, silver, gold, restatements without the room -> gold catches up
//             again until a round finds nothing: readings that came meanwhile are found by the next one
//   forget    older versions of these tables, and their files, once nobody reads them (see forget.ts)
//
// The order is that of the flow, and every stage reads what it writes before what it reads from, so nobody can bring back
// what a stage before has lost: a refine or gold that had read it loses its commit. Bronze is rewritten only as far as
// silver has taken it, so refine need not take those rows again.

import { TABLE_NAMES, type TableName } from "../../reading/tables.ts";
import { isAtriumError } from "../../support/errors.ts";
import { settleRedrives } from "../bronze/redrive.ts";
import { makeGold } from "../gold/gold.ts";
import { GOLD_TRANSFORMS } from "../gold/transforms.ts";
import { REFINE_APP_ID, refineBatch } from "../silver/refine.ts";
import { countTable, type ErasedRows, eraseTable } from "./erase-table.ts";
import {
  finishForgetting,
  forgetOlder,
  type Forgetting,
  type Trace,
  tracesIn,
  waitForReaders,
} from "./forget.ts";
import type { RoomQuery } from "./room-rows.ts";

/** What to erase and its bounds. */
export interface EraseOptions extends RoomQuery {
  readonly batchRowsMax: number;
  /** How long readers of older versions are waited for, ms. */
  readonly waitMsMax: number;
  /** Files that no version names stay for so long, ms: a writer may be about to commit them. */
  readonly graceMs: number;
  /** Ends the waiting: older versions then stay, and are told. */
  readonly signal?: AbortSignal;
}

/** What a table held of the room. */
export interface ErasedTable extends ErasedRows {
  readonly table: TableName;
  /** Files of older versions, and files without a commit, that held rows of the room. */
  readonly olderFiles: number;
}

/** What was erased. */
export interface EraseSummary {
  /** Tables that held something of the room. */
  readonly tables: readonly ErasedTable[];
  /** Files that still hold rows of the room: erase again once what keeps them is over. */
  readonly remaining: readonly Trace[];
}

const ORDER: readonly TableName[] = [
  "bronze/rejected",
  ...TABLE_NAMES.filter((name) => name !== "bronze/rejected"),
];
/** Readings that come faster than they are erased end it. */
const ROUNDS_MAX = 10;
/** Refine is given up after losing so often to another one. */
const LOST_MAX = 100;

/** What the tables hold of the room now. */
export async function surveyRoom(query: RoomQuery): Promise<readonly ErasedTable[]> {
  const tables: ErasedTable[] = [];
  for (const table of TABLE_NAMES) {
    const counted = await countTable(query, table);
    const olderFiles = (await tracesIn(query, table)).length;
    const isThere = counted.rows + counted.filesRewritten + olderFiles > 0;
    if (isThere) tables.push({ table, ...counted, olderFiles });
  }
  return tables;
}

/**
 * Erases a room; no tables in the summary: there was nothing of it.
 * @throws COMMIT_CONFLICT, COMMIT_OVERTAKEN if other writers were faster many times: what was erased until then stays erased
 */
export async function eraseRoom(options: EraseOptions): Promise<EraseSummary> {
  await finishForgetting(options.lake, async () => catchUp(options));
  if ((await surveyRoom(options)).length === 0) return { tables: [], remaining: [] };
  const erased = await eraseRows(options);
  const traces = new Map<TableName, number>();
  const forgetting: Forgetting[] = [];
  for (const name of TABLE_NAMES) {
    const snapshot = await options.lake.table(name).snapshot();
    const files = snapshot === undefined ? [] : await tracesIn(options, name);
    traces.set(name, files.length);
    if (snapshot !== undefined && (files.length > 0 || erased.has(name))) forgetting.push({ name, snapshot });
  }
  const held = await forget(options, forgetting);
  return {
    tables: forgetting.map(({ name }) => ({
      table: name,
      ...(erased.get(name) ?? { rows: 0, filesRemoved: 0, filesRewritten: 0 }),
      olderFiles: traces.get(name) ?? 0,
    })),
    remaining: await remainingOf(options, held),
  };
}

/** Rounds until one finds nothing; returns what was erased by table. */
async function eraseRows(options: EraseOptions): Promise<ReadonlyMap<TableName, ErasedRows>> {
  const sums = new Map<TableName, ErasedRows>();
  for (let round = 1; round <= ROUNDS_MAX; round += 1) {
    let isClean = true;
    // A redrive moves messages from rejected to readings: with rejected first, one of its messages is found in either.
    await settleRedrives(options.lake, options.queryTimeoutMs);
    await refineAll(options);
    for (const name of ORDER) {
      const prepare = name === "bronze/readings" ? { prepare: async () => refineAll(options) } : {};
      const found = await eraseTable({ ...options, ...prepare }, name);
      if (found.filesRemoved + found.filesRewritten === 0) continue;
      isClean = false;
      sums.set(name, added(sums.get(name), found));
    }
    if (isClean) break;
    // After the erasure of gold, so that the days it holds need not be made again.
    await catchUp(options);
  }
  return sums;
}

function added(sum: ErasedRows | undefined, more: ErasedRows): ErasedRows {
  return {
    rows: (sum?.rows ?? 0) + more.rows,
    filesRemoved: (sum?.filesRemoved ?? 0) + more.filesRemoved,
    filesRewritten: (sum?.filesRewritten ?? 0) + more.filesRewritten,
  };
}

/** Brings silver to bronze, and gold, if there is any, to silver: whoever works on an older version is overtaken. */
async function catchUp(options: EraseOptions): Promise<void> {
  await refineAll(options);
  const gold = await Promise.all(
    GOLD_TRANSFORMS.map(async ({ table }) => options.lake.table(table).snapshot()),
  );
  if (gold.some((snapshot) => snapshot !== undefined)) await makeGold(options);
}

/** Refines up to what is the newest bronze version now; another refiner may do it for us. */
async function refineAll(options: EraseOptions): Promise<void> {
  const { lake } = options;
  const bronze = await lake.table("bronze/readings").snapshot();
  if (bronze === undefined) return;
  for (let lost = 0; ;) {
    const silver = await lake.table("silver/readings").snapshot();
    if (Number(silver?.txns.get(REFINE_APP_ID) ?? -1n) >= bronze.version) return;
    try {
      await refineBatch(options);
    } catch (error) {
      lost += 1;
      const isLost = isAtriumError(error, "COMMIT_CONFLICT") || isAtriumError(error, "COMMIT_OVERTAKEN");
      if (!isLost || lost === LOST_MAX) throw error;
    }
  }
}

/** Removes the older versions of the tables; returns those of which a reader holds one, which are left. */
async function forget(options: EraseOptions, tables: readonly Forgetting[]): Promise<ReadonlySet<TableName>> {
  const { lake, graceMs } = options;
  const held = await waitForReaders(lake, tables, options);
  const free = tables.filter(({ name }) => !held.has(name));
  const withOrphans = free.map(async (table) => {
    const files = await tracesIn(options, table.name);
    const old = files.filter(({ modifiedMs }) => modifiedMs < lake.clock.nowMs() - graceMs);
    return { ...table, orphans: old.map(({ path }) => path) };
  });
  await forgetOlder(lake, await Promise.all(withOrphans), async () => catchUp(options));
  return held;
}

async function remainingOf(options: EraseOptions, held: ReadonlySet<TableName>): Promise<readonly Trace[]> {
  const remaining: Trace[] = [];
  for (const table of TABLE_NAMES) {
    const why = held.has(table)
      ? "a reader may hold an older version"
      : "it came without a commit, or just now";
    for (const { path } of await tracesIn(options, table)) remaining.push({ path, why });
  }
  return remaining;
}

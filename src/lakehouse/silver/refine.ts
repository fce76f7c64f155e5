// From bronze to silver: a micro-batch over new bronze versions, each taken once.
//
// The commit of a batch carries the bronze version that it reaches to (txn `refine:bronze/readings`), so a crash
// repeats the batch or not at all, and two refiners cannot both commit it.

import { present } from "../../support/assert.ts";
import { isAtriumError } from "../../support/errors.ts";
import { faultPoint } from "../../support/fault-point.ts";
import { batchIdOf } from "../batch-id.ts";
import { areDistinct } from "../bronze/distinct-keys.ts";
import { batchInput } from "../bronze/transform.ts";
import type { AddFile } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { filesMatching, statsOf } from "../delta/stats.ts";
import type { FilesInput } from "../engine.ts";
import { followerAppId, refuseAhead } from "../followers.ts";
import { ensureTable, tableInput, writeFiles, type Lake } from "../lake.ts";
import { OPERATIONS } from "../operations.ts";
import { rowsIn } from "../summary.ts";
import { KEY_COUNT_SQL, silverSql, type DuplicateRisk } from "./transform.ts";

/** The txn appId under which silver keeps the last bronze version that it holds. */
export const REFINE_APP_ID = followerAppId("silver/readings");

/** A batch is given up after losing so often to writers that remove rows. */
const ATTEMPTS_MAX = 5;

/** Bounds of one batch. */
export interface RefineOptions {
  readonly lake: Lake;
  /** Take versions until they have this many rows; at least one version. */
  readonly batchRowsMax: number;
  readonly queryTimeoutMs: number;
}

/** What one batch did. */
export interface RefinedBatch {
  /** That of its commit: see batch-id.ts. */
  readonly batchId: string;
  /** Bronze versions up to this one are in silver. */
  readonly bronzeVersion: number;
  readonly rowsRead: number;
  readonly rowsAdded: number;
}

/**
 * Refines the next new bronze versions; undefined if there are none.
 * @throws TABLE_CORRUPT if bronze has lost commits; COMMIT_OVERTAKEN; COMMIT_CONFLICT, after a few tries, if rows are being removed from silver meanwhile
 */
export async function refineBatch(options: RefineOptions): Promise<RefinedBatch | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await refineOnce(options);
    } catch (error) {
      if (!isAtriumError(error, "COMMIT_CONFLICT") || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

/**
 * Silver is read before bronze: rows are erased in the order of the flow, so what silver's version no longer holds is not
 * in the bronze that is read after it either.
 */
async function refineOnce(options: RefineOptions): Promise<RefinedBatch | undefined> {
  const { lake } = options;
  const held = await lake.table("silver/readings").snapshot();
  const bronze = await lake.table("bronze/readings").snapshot();
  if (bronze === undefined) return undefined;
  const silver = held ?? (await ensureTable(lake, "silver/readings"));
  const done = Number(silver.txns.get(REFINE_APP_ID) ?? -1n);
  refuseAhead("silver/readings", held, bronze);
  if (done >= bronze.version) return undefined;
  const next = await nextVersions(lake, { after: done, bronze, rowsMax: options.batchRowsMax });
  const adds = next.files.length === 0 ? [] : await refineFiles(options, { next, bronze, silver });
  const txns = new Map([[REFINE_APP_ID, BigInt(next.version)]]);
  const batchId = batchIdOf(txns);
  faultPoint("refine/written");
  await lake.table("silver/readings").commit({
    base: silver,
    adds,
    removes: [],
    txns,
    batchId,
    operation: "REFINE",
    isolation: { kind: "derive" },
    dataChange: true,
  });
  faultPoint("refine/committed");
  return { batchId, bronzeVersion: next.version, rowsRead: rowsIn(next.files), rowsAdded: rowsIn(adds) };
}

interface VersionRange {
  readonly after: number;
  /** Up to this version. */
  readonly bronze: Snapshot;
  readonly rowsMax: number;
}

interface NewVersions {
  /** The last of them. */
  readonly version: number;
  readonly files: readonly AddFile[];
  /** True if it is known without a look at the rows that their keys are distinct. */
  readonly hasDistinctKeys: boolean;
}

/**
 * The files added after version `after`, up to the version with which they reach `rowsMax` rows. Those that bronze has
 * removed since are left out: upkeep rewrites only what silver has taken, so their rows were erased or expired.
 */
async function nextVersions(lake: Lake, { after, bronze, rowsMax }: VersionRange): Promise<NewVersions> {
  const files: AddFile[] = [];
  let version = after;
  let versionsWithFiles = 0;
  while (version < bronze.version && (version === after || rowsIn(files) < rowsMax)) {
    version += 1;
    const [change] = await lake.table("bronze/readings").changes(version - 1, version);
    const { operation, adds: added } = present(change, `bronze version ${version}`);
    // An erasure writes rows again that silver has taken, see erase.ts.
    const isNew = operation !== OPERATIONS.erase;
    const adds = isNew ? added.filter((file) => bronze.files.has(file.path)) : [];
    if (adds.length > 0) versionsWithFiles += 1;
    files.push(...adds);
  }
  return { version, files, hasDistinctKeys: versionsWithFiles <= 1 && areDistinct(files) };
}

interface NewFiles {
  readonly next: NewVersions;
  readonly bronze: Snapshot;
  readonly silver: Snapshot;
}

async function refineFiles(
  options: RefineOptions,
  { next, bronze, silver }: NewFiles,
): Promise<readonly AddFile[]> {
  const { lake } = options;
  const { files } = next;
  const fresh = tableInput(lake, "bronze/readings", { snapshot: bronze, files });
  const heldFiles = overlappingFiles(silver, files);
  const held = tableInput(lake, "silver/readings", { snapshot: silver, files: heldFiles });
  const withinBatch = !next.hasDistinctKeys && (await hasRepeatedKeys(options, fresh));
  const risk: DuplicateRisk = { withinBatch, withSilver: heldFiles.length > 0 };
  const inputs = [fresh, held, batchInput(lake.clock.nowMs())];
  return writeFiles(lake, "silver/readings", { sql: silverSql(risk), inputs });
}

async function hasRepeatedKeys({ lake, queryTimeoutMs }: RefineOptions, fresh: FilesInput): Promise<boolean> {
  const { rows } = await lake.engine.query({
    sql: KEY_COUNT_SQL,
    inputs: [fresh],
    rowsMax: 1,
    timeoutMs: queryTimeoutMs,
    isBulk: true,
  });
  const [count, distinct] = present(rows[0], "the key counts");
  return count !== distinct;
}

/** Silver's files that can hold a row with the event time of a new one; all of a file's day where statistics are missing. */
function overlappingFiles(silver: Snapshot, files: readonly AddFile[]): readonly AddFile[] {
  const days = boundsByDay(files);
  const heldByDay = filesByDay(silver, new Set(days.map(({ day }) => day)));
  return days.flatMap(({ day, from, to }) => {
    const ranges = from === undefined || to === undefined ? {} : { ts_utc: { from, to } };
    return filesMatching({ files: heldByDay.get(day) ?? new Map(), schema: silver.schema }, { ranges });
  });
}

/** Silver's files of some days, by day and path: one look at each file of the table, whatever the number of days. */
function filesByDay(
  silver: Snapshot,
  days: ReadonlySet<string>,
): ReadonlyMap<string, ReadonlyMap<string, AddFile>> {
  const byDay = new Map<string, Map<string, AddFile>>();
  for (const file of silver.files.values()) {
    const day = file.partitionValues["event_date"] ?? "";
    if (!days.has(day)) continue;
    const filesOfDay = byDay.get(day) ?? new Map<string, AddFile>();
    byDay.set(day, filesOfDay.set(file.path, file));
  }
  return byDay;
}

interface DayBounds {
  readonly day: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
}

/** For each day of the new files the range of their event times; open where a file has no statistics. */
function boundsByDay(files: readonly AddFile[]): readonly DayBounds[] {
  const days = new Map<string, DayBounds>();
  for (const file of files) {
    const day = present(file.partitionValues["event_date"], `the day of ${file.path}`);
    const stats = statsOf(file);
    const known = days.get(day);
    const from = textOf(stats?.minValues?.["event_ts"]);
    const to = textOf(stats?.maxValues?.["event_ts"]);
    days.set(
      day,
      known === undefined
        ? { day, from, to }
        : { day, from: lesser(known.from, from), to: greater(known.to, to) },
    );
  }
  return [...days.values()];
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
const lesser = (a: string | undefined, b: string | undefined): string | undefined =>
  a === undefined || b === undefined ? undefined : a < b ? a : b;
const greater = (a: string | undefined, b: string | undefined): string | undefined =>
  a === undefined || b === undefined ? undefined : a > b ? a : b;

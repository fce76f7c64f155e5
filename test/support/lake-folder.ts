// A lake as its user sees it: asked through `atrium sql` and `atrium table`, and looked at as files.

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { duckdbCheckpointCodec } from "../../src/adapters/duckdb/checkpoint-codec.ts";
import { duckdbEngine } from "../../src/adapters/duckdb/engine.ts";
import { localObjectStore } from "../../src/adapters/local/object-store.ts";
import { differingRows } from "../../src/lakehouse/difference.ts";
import { openLake, type Lake } from "../../src/lakehouse/lake.ts";
import { localEngine } from "../../src/lakehouse/local-inputs.ts";
import { TABLE_NAMES, tableDefinition, type TableName } from "../../src/reading/tables.ts";
import { systemClock } from "../../src/support/clock.ts";
import { done, temporaryFolder } from "./program.ts";
import { filesOf, lakeIn, scratchOf, storeOf, WORLD_COLUMNS } from "./world.ts";

/** A row of an answer, by column. */
export type Row = Readonly<Record<string, string | number | boolean | null>>;

/** What `run --json` prints, as far as tests look at it. */
export interface RunReport {
  readonly messages: number;
  readonly bronze: number;
  readonly rejected: number;
  readonly silver: number;
  readonly duplicates: number;
  readonly malformed: number;
  readonly daysReplaced: readonly string[];
  readonly daysRestated: readonly string[];
  readonly valuesRestated: number;
  readonly lateReadings: number;
  readonly tables: Readonly<Record<TableName, number>>;
}

/** Log lines at this level leave standard error to the errors. */
export const QUIET = { LOG_LEVEL: "error" } as const;

/** The rows of a query over the newest versions, or over the version `asOf` of the one table that it names. */
export async function ask(lake: string, sql: string, asOf?: number): Promise<readonly Row[]> {
  const version = asOf === undefined ? [] : ["--as-of", String(asOf)];
  const text = await done(["sql", "--lake", lake, "--json", "--rows", "1000000", ...version, sql]);
  return JSON.parse(text) as Row[];
}

/** The one row of a query. */
export async function askOne(lake: string, sql: string): Promise<Row> {
  const rows = await ask(lake, sql);
  assert.equal(rows.length, 1, sql);
  return rows[0]!;
}

/** Runs `atrium run` to its end, which must be 0, and returns its report. */
export async function runAll(raw: string, lake: string, more: readonly string[] = []): Promise<RunReport> {
  const text = await done(["run", "--raw", raw, "--lake", lake, "--json", ...more], { env: QUIET });
  return JSON.parse(text) as RunReport;
}

/** Writes raw files by `atrium generate`. */
export async function generateRaw(out: string, more: readonly string[]): Promise<void> {
  await done(["generate", "--out", out, ...more]);
}

/** Generated raw files, and the lake that an undisturbed run makes of them. */
export interface Reference {
  /** Holds both, and whatever else a test writes; disposing it removes all. */
  readonly folder: Awaited<ReturnType<typeof temporaryFolder>>;
  readonly raw: string;
  readonly reference: string;
  /** Messages that the run sent. */
  readonly messages: number;
}

/** Makes raw files by `generate ARGS` and a reference lake by `run ARGS` in a temporary folder. */
export async function makeReference(
  generateArgs: readonly string[],
  runArgs: readonly string[],
): Promise<Reference> {
  const folder = await temporaryFolder();
  const raw = join(folder.path, "raw");
  const reference = lakeIn(folder.path, "reference");
  await generateRaw(raw, generateArgs);
  const { messages } = await runAll(raw, reference, runArgs);
  return { folder, raw, reference, messages };
}

/** The newest version of each table, null where there is none yet. */
export async function versionsOf(lake: string): Promise<Readonly<Record<string, number | null>>> {
  const rows = JSON.parse(await done(["table", "list", "--lake", lake, "--json"])) as Row[];
  return Object.fromEntries(rows.map((row) => [String(row["table"]), row["version"] as number | null]));
}

/**
 * Fails unless the tables (all, if none are named) have the same rows in both lakes, as `atrium table diff` compares
 * them. In this process: one engine for all tables is much quicker than a process for each.
 */
export async function assertSameRows(
  lake: string,
  reference: string,
  names: readonly TableName[] = TABLE_NAMES,
): Promise<void> {
  await using lakes = await openLakes([lake, reference], { create: false });
  const [here, other] = lakes.opened as [Lake, Lake];
  const differing: string[] = [];
  for (const name of names) {
    const found = await differingRows(name, {
      lake: here,
      other,
      timeoutMs: 60_000,
      leftOut: WORLD_COLUMNS,
    });
    const [ours, theirs] = [found.onlyHere, found.onlyThere];
    if (ours + theirs > 0) differing.push(`${name}: ${ours} rows only here, ${theirs} only in the reference`);
  }
  assert.deepEqual(differing, []);
}

/** Opens lakes in this process, with one engine for all of them: to make them, or to read the files that they have. */
export async function openLakes(
  addresses: readonly string[],
  options: { readonly create: boolean },
): Promise<{ readonly opened: readonly Lake[] } & AsyncDisposable> {
  const scratch = await temporaryFolder();
  const engine = duckdbEngine({
    memoryMb: 512,
    threads: 2,
    scratchFolder: scratch.path,
    readableFolders: addresses.map(filesOf),
    clock: systemClock,
  });
  const codec = duckdbCheckpointCodec(async () => engine.connect(), scratch.path);
  const { partitionColumns: bronzePartitionBy } = tableDefinition("bronze/readings");
  const opened = addresses.map(async (lake) => {
    const store = options.create ? storeOf(lake) : localObjectStore(filesOf(lake));
    return openLake(
      { store, engine: localEngine(engine, store), codec, clock: systemClock, bronzePartitionBy },
      options,
    );
  });
  return {
    opened: await Promise.all(opened),
    [Symbol.asyncDispose]: async () => {
      await engine[Symbol.asyncDispose]();
      await scratch[Symbol.asyncDispose]();
    },
  };
}

/** Fails unless bronze and rejected together hold `messages` positions, each once. */
export async function assertEachMessageOnce(lake: string, messages: number): Promise<void> {
  const found = await askOne(
    lake,
    `select count(*) as n, count(distinct (topic, "partition", "offset")) as positions
     from (select topic, "partition", "offset" from bronze_readings
           union all select topic, "partition", "offset" from bronze_rejected) held`,
  );
  assert.deepEqual(found, { n: messages, positions: messages });
}

/** Commits of a table, its making included. */
export function commitsOf(lake: string, name: TableName): number {
  return entriesOf(join(filesOf(lake), name, "_delta_log")).filter((file) => /^\d{20}\.json$/.test(file))
    .length;
}

/** Parquet files of a table, those included that no commit names. */
export function dataFilesOf(lake: string, name: TableName): number {
  return entriesOf(join(filesOf(lake), name), true).filter((file) => file.endsWith(".parquet")).length;
}

/** Files of all tables: data and commits, those included that no commit names. */
export function filesIn(lake: string): number {
  return TABLE_NAMES.reduce((sum, name) => {
    const files = entriesOf(join(filesOf(lake), name), true);
    return sum + files.filter((file) => /\.(json|parquet)$/.test(file)).length;
  }, 0);
}

/** True while a transform has files in the scratch folder. */
export function isTransforming(lake: string): boolean {
  return entriesOf(scratchOf(lake), true).some((file) => file.endsWith(".parquet"));
}

function entriesOf(folder: string, recursive = false): readonly string[] {
  if (!existsSync(folder)) return [];
  try {
    return readdirSync(folder, { recursive, encoding: "utf8" });
  } catch {
    // A scratch folder went away while it was read.
    return [];
  }
}

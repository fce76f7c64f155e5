// Verification: all that a lake says of itself, held against its files and recomputed. It changes nothing.
//
// Tables are read in the order gold, silver, bronze: what a table has taken is then in the version that is read after it.

import type { EventLog } from "../../log/event-log.ts";
import { TABLE_NAMES, type TableName } from "../../reading/tables.ts";
import { isAtriumError } from "../../support/errors.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { GOLD_TRANSFORMS } from "../gold/transforms.ts";
import type { Lake } from "../lake.ts";
import { rowsOf } from "../summary.ts";
import { checkFiles } from "./files-check.ts";
import { finding, type Finding } from "./finding.ts";
import { checkGold } from "./gold-check.ts";
import type { Job } from "./job.ts";
import { checkLog, type LogFacts } from "./log-check.ts";
import { checkEventLog, checkFollowers, checkOffsets } from "./positions-check.ts";
import { checkSilver } from "./silver-check.ts";

/** What to verify. */
export interface VerifyOptions {
  readonly lake: Lake;
  /** Opens the log that feeds the lake; NOT_FOUND if there is none. */
  readonly openLog: () => Promise<EventLog>;
  /** Only this table; all if it is left out. */
  readonly table?: TableName;
  /** Reads no rows: logs, files and positions only. */
  readonly quick: boolean;
  readonly queryTimeoutMs: number;
  readonly progress: (text: string) => void;
  readonly signal: AbortSignal;
}

/** What was verified and found. */
export interface Verification {
  readonly findings: readonly Finding[];
  /** Tables that were looked at, with version, rows and files; those that cannot be loaded are left out. */
  readonly tables: readonly {
    readonly table: TableName;
    readonly version: number;
    readonly rows: number;
    readonly files: number;
  }[];
}

/** Verifies a lake: faults of a table are findings, and the other tables are still looked at. */
export async function verify(options: VerifyOptions): Promise<Verification> {
  const findings: Finding[] = [];
  const job: Job = { ...options, report: (found) => findings.push(found) };
  const isWanted = (name: TableName): boolean => options.table === undefined || options.table === name;
  const { tables, quiet } = await loadTables(job, isWanted);
  const damaged = new Map<TableName, ReadonlySet<string>>();
  for (const [name, { snapshot }] of tables) {
    if (!isWanted(name)) continue;
    job.progress(`${name}: files`);
    damaged.set(name, await checkFiles(job, name, { snapshot, rows: !options.quick }));
  }
  checkFollowers(job, tables, isWanted);
  if (isWanted("bronze/readings")) await checkEventLog(job, tables, options.openLog);
  if (!options.quick) await recompute(job, { tables, damaged, isWanted });
  return { findings: [...quiet, ...findings], tables: summaryOf(tables, isWanted) };
}

/** The logs of all tables: those that are not wanted are loaded too, for others are made of them, but not judged. */
async function loadTables(
  job: Job,
  isWanted: (name: TableName) => boolean,
): Promise<{ readonly tables: ReadonlyMap<TableName, LogFacts>; readonly quiet: readonly Finding[] }> {
  const tables = new Map<TableName, LogFacts>();
  const quiet: Finding[] = [];
  for (const name of TABLE_NAMES.toReversed()) {
    job.progress(`${name}: log`);
    const own: Finding[] = [];
    const facts = await checkLog({ ...job, report: (found) => own.push(found) }, name);
    if (facts !== undefined) tables.set(name, facts);
    if (isWanted(name)) quiet.push(...own);
  }
  return { tables: new Map([...tables].toReversed()), quiet };
}

interface Recomputation {
  readonly tables: ReadonlyMap<TableName, LogFacts>;
  readonly damaged: ReadonlyMap<TableName, ReadonlySet<string>>;
  readonly isWanted: (name: TableName) => boolean;
}

async function recompute(job: Job, { tables, damaged, isWanted }: Recomputation): Promise<void> {
  const snapshot = (name: TableName): Snapshot | undefined => tables.get(name)?.snapshot;
  const [bronze, silver] = [snapshot("bronze/readings"), snapshot("silver/readings")];
  const allDamaged = new Set([...damaged.values()].flatMap((paths) => [...paths]));
  if (isWanted("bronze/readings")) {
    job.progress("bronze/readings: positions");
    const names = [...damaged].filter(([, paths]) => paths.size > 0).map(([name]) => name);
    await guarded(job, "bronze/readings", async () => checkOffsets(job, tables, new Set(names)));
  }
  if (isWanted("silver/readings") && bronze !== undefined && silver !== undefined) {
    await guarded(job, "silver/readings", async () =>
      checkSilver(job, { bronze, silver, damaged: allDamaged }),
    );
  }
  for (const transform of GOLD_TRANSFORMS) {
    const gold = snapshot(transform.table);
    const others = new Map<TableName, Snapshot>();
    for (const name of transform.reads) {
      const other = snapshot(name);
      if (other !== undefined) others.set(name, other);
    }
    const isComplete = others.size === transform.reads.length;
    if (!isWanted(transform.table) || silver === undefined || gold === undefined || !isComplete) continue;
    const parts = { transform, silver, gold, others, damaged: allDamaged };
    await guarded(job, transform.table, async () => checkGold(job, parts));
  }
}

/** What keeps a comparison from being made. */
const OBSTACLES = ["TABLE_CORRUPT", "ENGINE_FAILED", "NOT_FOUND"];

/** A comparison that cannot be made is a fault of its table, and not the end of the others. */
async function guarded(job: Job, name: TableName, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isAtriumError(error) || !OBSTACLES.includes(error.code)) throw error;
    job.report(finding(name, "file_unreadable", { what: `It could not be compared: ${error.message}` }));
  }
}

function summaryOf(
  tables: ReadonlyMap<TableName, LogFacts>,
  isWanted: (name: TableName) => boolean,
): Verification["tables"] {
  return [...tables]
    .filter(([name]) => isWanted(name))
    .map(([table, { snapshot }]) => ({
      table,
      version: snapshot.version,
      rows: rowsOf(snapshot),
      files: snapshot.files.size,
    }));
}

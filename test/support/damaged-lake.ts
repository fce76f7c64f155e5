// A small lake that is copied and then damaged by hand, and what verification finds in it.

import assert from "node:assert/strict";
import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { duckdbCheckpointCodec } from "../../src/adapters/duckdb/checkpoint-codec.ts";
import { duckdbEngine } from "../../src/adapters/duckdb/engine.ts";
import { openEmbeddedLog } from "../../src/adapters/embedded/event-log.ts";
import { localObjectStore } from "../../src/adapters/local/object-store.ts";
import { openLake, type Lake } from "../../src/lakehouse/lake.ts";
import { localEngine } from "../../src/lakehouse/local-inputs.ts";
import type { Finding, FindingKind } from "../../src/lakehouse/verify/finding.ts";
import { verify, type Verification, type VerifyOptions } from "../../src/lakehouse/verify/verify.ts";
import { tableDefinition, type TableName } from "../../src/reading/tables.ts";
import { systemClock } from "../../src/support/clock.ts";
import { silentLogger } from "../../src/support/logger.ts";
import type { Reference } from "./lake-folder.ts";

/** Runs `work` on the lake in a folder. */
export async function withLake<Result>(
  folder: string,
  work: (lake: Lake) => Promise<Result>,
): Promise<Result> {
  const scratchFolder = join(folder, "_scratch", "test");
  const options = { memoryMb: 256, threads: 2, scratchFolder, readableFolders: [folder], clock: systemClock };
  await using engine = duckdbEngine(options);
  const codec = duckdbCheckpointCodec(async () => engine.connect(), scratchFolder);
  const bronzePartitionBy = tableDefinition("bronze/readings").partitionColumns;
  const store = localObjectStore(folder);
  const parts = { store, engine: localEngine(engine, store), codec, clock: systemClock, bronzePartitionBy };
  return await work(await openLake(parts, { create: false }));
}

/** Verifies the lake in a folder. */
export async function verified(folder: string, options: Partial<VerifyOptions> = {}): Promise<Verification> {
  return withLake(folder, async (lake) =>
    verify({
      lake,
      openLog: async () =>
        openEmbeddedLog({
          file: join(folder, "_log", "log.db"),
          clock: systemClock,
          logger: silentLogger,
          retention: { maxBytes: 1e9 },
          readOnly: true,
        }),
      quick: false,
      queryTimeoutMs: 60_000,
      progress: () => undefined,
      signal: new AbortController().signal,
      ...options,
    }),
  );
}

/** A copy of a lake at a new place. */
export async function copyOf(lake: string, to: string): Promise<string> {
  await cp(lake, to, { recursive: true, filter: (path) => !path.includes("_scratch") });
  return to;
}

/** Paths of the data files of a table, by name; those that its commits do not hold are among them. */
export async function dataFiles(lake: string, table: TableName): Promise<readonly string[]> {
  const names = await readdir(join(lake, table), { recursive: true });
  const files = names.filter((name) => name.endsWith(".parquet") && !name.includes("_delta_log"));
  return files.toSorted().map((name) => join(lake, table, name));
}

/** The one path of a list that ends so; the first without an ending. */
export function pick(paths: readonly string[], part = ""): string {
  const found = paths.find((path) => path.includes(part));
  assert.ok(found, `a path with ${part}`);
  return found;
}

/** Path of a commit of a table. */
export function commitFile(lake: string, table: TableName, version: number): string {
  return join(lake, table, "_delta_log", `${String(version).padStart(20, "0")}.json`);
}

/** Version of the newest commit of a table. */
export async function newestVersion(lake: string, table: TableName): Promise<number> {
  const names = await readdir(join(lake, table, "_delta_log"));
  return Math.max(...names.filter((name) => name.endsWith(".json")).map((name) => Number.parseInt(name, 10)));
}

/** One action of a commit, as stored. */
export type StoredAction = Record<string, Record<string, unknown>>;

/** Changes the actions of a commit file; the count of actions in its notes follows, as a careful hand would see to. */
export async function editCommit(
  file: string,
  edit: (actions: readonly StoredAction[]) => readonly StoredAction[],
): Promise<void> {
  const actions = edit(await actionsOf(file));
  const info = actions.find((action) => action["commitInfo"] !== undefined)?.["commitInfo"];
  if (info?.["actionCount"] !== undefined) info["actionCount"] = actions.length - 1;
  await writeFile(file, actions.map((action) => `${JSON.stringify(action)}\n`).join(""));
}

/** The actions of a commit file. */
export async function actionsOf(file: string): Promise<readonly StoredAction[]> {
  const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as StoredAction);
}

/**
 * Writes the rows of a data file anew, changed by SQL over `data`, and makes its commit say the new size and, where they
 * are given, the new number of rows: only the rows themselves can give the change away.
 */
export async function rewrite(
  lake: string,
  {
    table,
    file,
    sql,
    rows,
  }: { readonly table: TableName; readonly file: string; readonly sql: string; readonly rows?: number },
): Promise<void> {
  const other = `${file}.new`;
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run("set TimeZone = 'UTC'");
  await connection.run(
    `create view data as select * from read_parquet('${file}', hive_partitioning = false)`,
  );
  await connection.run(`copy (${sql}) to '${other}' (format parquet, compression zstd)`);
  connection.closeSync();
  instance.closeSync();
  const bytes = await readFile(other);
  await writeFile(file, bytes);
  await rm(other);
  await admit(lake, { table, file, size: bytes.byteLength, ...(rows === undefined ? {} : { rows }) });
}

/** Makes the commit that added a file say this size and number of rows. */
export async function admit(
  lake: string,
  {
    table,
    file,
    size,
    rows,
  }: { readonly table: TableName; readonly file: string; readonly size: number; readonly rows?: number },
): Promise<void> {
  const name = file.slice(file.lastIndexOf("/") + 1);
  for (let version = await newestVersion(lake, table); version >= 0; version -= 1) {
    await editCommit(commitFile(lake, table, version), (actions) =>
      actions.map((action) => {
        const { add } = action;
        if (add === undefined || !String(add["path"]).endsWith(name)) return action;
        const stats = JSON.parse(String(add["stats"])) as { numRecords: number };
        if (rows !== undefined) stats.numRecords = rows;
        return { add: { ...add, size, stats: JSON.stringify(stats) } };
      }),
    );
  }
}

/** The lake of a test file, to be copied and damaged. */
export interface Damage {
  /** A copy of the lake. */
  readonly copy: () => Promise<string>;
  /** Damages a copy; there must be faults of that kind that name the table and say `pattern`. Returns all findings. */
  readonly finds: (
    kind: FindingKind,
    what: {
      readonly table: TableName | "log";
      readonly pattern: RegExp;
      readonly damage: (lake: string) => Promise<void>;
    },
  ) => Promise<readonly Finding[]>;
}

/** Copies of a reference lake, each to be damaged once. */
export function damageOf(made: () => Reference): Damage {
  let count = 0;
  const copy = async (): Promise<string> => {
    count += 1;
    return copyOf(made().reference, join(made().folder.path, `damaged-${count}`));
  };
  return {
    copy,
    finds: async (kind, { table, pattern, damage }) => {
      const lake = await copy();
      await damage(lake);
      const { findings } = await verified(lake);
      const found = findings.filter((finding) => finding.kind === kind && finding.table === table);
      assert.ok(found.length > 0, `${kind} of ${table} among ${JSON.stringify(findings, null, 1)}`);
      for (const finding of found) {
        assert.ok(finding.isFault);
        assert.match(`${finding.what} ${finding.file ?? ""} ${finding.mend}`, pattern);
        assert.match(finding.mend, /atrium |Restore|Delete|Bring|recovery\.md/);
      }
      await rm(lake, { recursive: true });
      return findings;
    },
  };
}

/** Rows of a data file by its commit. */
export async function rowsIn(
  lake: string,
  file: string,
  table: TableName = "silver/readings",
): Promise<number> {
  const name = file.slice(file.lastIndexOf("/") + 1);
  for (let version = await newestVersion(lake, table); version >= 0; version -= 1) {
    for (const { add } of await actionsOf(commitFile(lake, table, version))) {
      if (add === undefined || !String(add["path"]).endsWith(name)) continue;
      return (JSON.parse(String(add["stats"])) as { numRecords: number }).numRecords;
    }
  }
  throw new Error(`${file} is in no commit`);
}

/** Changes the first file that a table added. */
export async function editFirstAdd(
  lake: string,
  table: TableName,
  edit: (add: Record<string, unknown>) => void,
): Promise<void> {
  await editCommit(await firstCommitWithFiles(lake, table), (actions) => {
    const first = actions.find((action) => action["add"] !== undefined)?.["add"];
    assert.ok(first);
    edit(first);
    return actions;
  });
}

/** Changes the statistics of the files that the first commit with files added. */
export async function editAdd(
  lake: string,
  table: TableName,
  edit: (stats: Record<string, unknown>) => void,
): Promise<void> {
  await editCommit(await firstCommitWithFiles(lake, table), (actions) => {
    for (const { add } of actions) {
      if (add === undefined) continue;
      const stats = JSON.parse(String(add["stats"])) as Record<string, unknown>;
      edit(stats);
      add["stats"] = JSON.stringify(stats);
    }
    return actions;
  });
}

/** A follower that was early has commits without files before it. */
async function firstCommitWithFiles(lake: string, table: TableName): Promise<string> {
  for (let version = 1; version <= (await newestVersion(lake, table)); version += 1) {
    const file = commitFile(lake, table, version);
    if ((await actionsOf(file)).some(({ add }) => add !== undefined)) return file;
  }
  throw new Error(`${table} has no files`);
}

/** Sets the first position in the newest commit of a table. */
export async function setPosition(lake: string, table: TableName, version: number): Promise<void> {
  await editCommit(commitFile(lake, table, await newestVersion(lake, table)), (actions) => {
    const txn = actions.find((action) => action["txn"] !== undefined)?.["txn"];
    assert.ok(txn);
    txn["version"] = version;
    return actions;
  });
}

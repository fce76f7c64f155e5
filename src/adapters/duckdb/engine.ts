// The engine on DuckDB, in this process. One instance writes; a second, which may read the lake's files and nothing
// else, answers queries, so that no text of a user can reach further than its inputs.

import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance, StatementType, type DuckDBConnection } from "@duckdb/node-api";
import type { Answer, Engine, Query, Transform, Written } from "../../lakehouse/engine.ts";
import { uniqueId } from "../../support/chance.ts";
import type { Clock } from "../../support/clock.ts";
import { AtriumError, isAtriumError, messageOf, systemCode } from "../../support/errors.ts";
import { answerValue } from "./answer.ts";
import { damagedFileError } from "./damaged-file.ts";
import { attachInputs, quoteName, quoteText, sqlType } from "./inputs.ts";
import { writtenFiles } from "./written-files.ts";

/** Bounds and places of the engine. */
export interface DuckdbEngineOptions {
  /** Memory for transforms, and as much again for queries, MB; beyond it DuckDB spills to `scratchFolder`. */
  readonly memoryMb: number;
  /** Threads; 0 for one a core. */
  readonly threads: number;
  /** A folder of this process for written files and for what outgrows the memory; made when needed. */
  readonly scratchFolder: string;
  /** Folders that queries may read: the lake, or the cache of its files. */
  readonly readableFolders: readonly string[];
  readonly clock: Clock;
}

/** Files that one partitioned write keeps open: above this DuckDB closes and reopens, so that files multiply. */
const OPEN_FILES_MAX = 4096;

/** The engine, with a way to its writing instance for the other adapters of DuckDB. */
export interface DuckdbEngine extends Engine {
  /** A new connection, which the caller closes. */
  connect(): Promise<DuckDBConnection>;
}

/** Name of the file of a transform without partitions. */
const ONE_FILE = "data.parquet";
/** Pause between two interrupts of a query that is to end, ms. */
const INTERRUPT_EVERY_MS = 20;
/** The longest time that a timer takes, ms: for ever. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Opens the engine; the instances start with their first use. */
export function duckdbEngine(options: DuckdbEngineOptions): DuckdbEngine {
  return new OpenEngine(options);
}

class OpenEngine implements DuckdbEngine {
  readonly #options: DuckdbEngineOptions;
  #writer: Promise<DuckDBInstance> | undefined;
  #reader: Promise<DuckDBInstance> | undefined;

  constructor(options: DuckdbEngineOptions) {
    this.#options = options;
  }

  async connect(): Promise<DuckDBConnection> {
    this.#writer ??= this.#open([]);
    return (await this.#writer).connect();
  }

  async write(transform: Transform, signal?: AbortSignal): Promise<Written> {
    const connection = await this.connect();
    const bound = signal && this.#bound(connection, TIMER_MS_MAX, signal);
    const folder = join(this.#options.scratchFolder, uniqueId());
    const remove = async (): Promise<void> => rm(folder, { recursive: true, force: true });
    try {
      await mkdir(transform.partitionColumns.length > 0 ? this.#options.scratchFolder : folder, {
        recursive: true,
      });
      await attachInputs(connection, transform.inputs);
      const result = await connection.runAndReadAll(copyStatement(transform, folder));
      return { files: writtenFiles(result.getRowObjects()), [Symbol.asyncDispose]: remove };
    } catch (error) {
      await remove();
      throw (await damagedFileError(error, transform.inputs, connection)) ?? engineError(error, "transform");
    } finally {
      bound?.end();
      connection.closeSync();
    }
  }

  async query(query: Query, signal?: AbortSignal): Promise<Answer> {
    this.#reader ??= this.#open(this.#options.readableFolders);
    const connection = await (await this.#reader).connect();
    const bound = this.#bound(connection, query.timeoutMs, signal);
    try {
      await attachInputs(connection, query.inputs);
      return await answer(connection, query);
    } catch (error) {
      if (bound.expired()) throw timeoutError(query, error);
      throw (await damagedFileError(error, query.inputs, connection)) ?? engineError(error, "query");
    } finally {
      bound.end();
      connection.closeSync();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const instances = await Promise.all([this.#writer, this.#reader]);
    for (const instance of instances) instance?.closeSync();
    this.#writer = undefined;
    this.#reader = undefined;
  }

  async #open(readableFolders: readonly string[]): Promise<DuckDBInstance> {
    const { memoryMb, threads, scratchFolder } = this.#options;
    const instance = await DuckDBInstance.create(":memory:", {
      memory_limit: `${memoryMb}MB`,
      temp_directory: scratchFolder,
      ...(threads > 0 ? { threads: String(threads) } : {}),
    });
    const connection = await instance.connect();
    const settings = [
      "set global TimeZone = 'UTC'",
      "set global preserve_insertion_order = false",
      `set global partitioned_write_max_open_files = ${OPEN_FILES_MAX}`,
      // The bytes of files are in the system's cache already: a second copy only fills the memory that is allowed.
      "set global enable_external_file_cache = false",
      // Queries come back to the same files; transforms read most files once.
      `set global parquet_metadata_cache = ${readableFolders.length > 0}`,
      "set global errors_as_json = false",
    ];
    for (const setting of settings) await connection.run(setting);
    if (readableFolders.length > 0) await confine(connection, readableFolders);
    connection.closeSync();
    return instance;
  }

  /** Interrupts the connection when the time is over or the signal aborts. */
  #bound(connection: DuckDBConnection, timeoutMs: number, signal?: AbortSignal): Bound {
    const done = new AbortController();
    const over = AbortSignal.any(signal === undefined ? [done.signal] : [done.signal, signal]);
    const { clock } = this.#options;
    let expired = false;
    const watch = async (): Promise<void> => {
      await clock.sleep(timeoutMs, over);
      // An interrupt between two steps of a query is forgotten by DuckDB: repeat it until the query has ended.
      while (!done.signal.aborted) {
        expired = true;
        connection.interrupt();
        await clock.sleep(INTERRUPT_EVERY_MS, done.signal);
      }
    };
    void watch();
    return { expired: () => expired, end: () => done.abort() };
  }
}

interface Bound {
  expired(): boolean;
  end(): void;
}

async function confine(connection: DuckDBConnection, folders: readonly string[]): Promise<void> {
  await connection.run(`set global allowed_directories = [${folders.map(quoteText).join(", ")}]`);
  await connection.run("set global enable_external_access = false");
  await connection.run("set global lock_configuration = true");
}

function copyStatement(transform: Transform, folder: string): string {
  const columns = transform.columns.map(
    (column) => `cast(${quoteName(column.name)} as ${sqlType(column.type)}) as ${quoteName(column.name)}`,
  );
  const rows = `select ${columns.join(", ")} from (${transform.sql})`;
  const format = "format parquet, compression zstd, return_stats true";
  const partitions = transform.partitionColumns.map(quoteName).join(", ");
  if (partitions !== "") {
    return `copy (${rows}) to ${quoteText(folder)} (${format}, partition_by (${partitions}), overwrite_or_ignore true)`;
  }
  // DuckDB keeps the order of a COPY into one file only: the threads of a partitioned one write as they come.
  const order = (transform.orderBy ?? []).map((name) => `${quoteName(name)} nulls last`).join(", ");
  const sorted = order === "" ? rows : `${rows} order by ${order}`;
  return `copy (${sorted}) to ${quoteText(join(folder, ONE_FILE))} (${format})`;
}

async function answer(connection: DuckDBConnection, query: Query): Promise<Answer> {
  if (query.sql.trim() === "") throw new AtriumError("QUERY_INVALID", "The query is empty: give one SELECT.");
  const statements = await connection.extractStatements(query.sql);
  if (statements.count !== 1) {
    throw new AtriumError("QUERY_INVALID", `Expected one SQL statement, found ${statements.count}.`);
  }
  const prepared = await statements.prepare(0);
  if (prepared.statementType !== StatementType.SELECT && prepared.statementType !== StatementType.EXPLAIN) {
    throw new AtriumError(
      "QUERY_INVALID",
      "Only queries are allowed: begin with SELECT, WITH, FROM, DESCRIBE or EXPLAIN.",
    );
  }
  if (query.parameters) prepared.bind({ ...query.parameters });
  const reader = await prepared.streamAndReadUntil(query.rowsMax + 1);
  const columns = reader
    .columnNames()
    .map((name, index) => ({ name, type: reader.columnType(index).toString() }));
  const rows = reader.getRows().slice(0, query.rowsMax);
  return {
    columns,
    rows: rows.map((row) => row.map(answerValue)),
    truncated: reader.currentRowCount > query.rowsMax,
  };
}

function timeoutError(query: Query, cause: unknown): AtriumError {
  const seconds = query.timeoutMs / 1000;
  return new AtriumError(
    "QUERY_TIMEOUT",
    `The query was stopped after ${seconds} s: ask for fewer rows or days, or raise QUERY_TIMEOUT_SECONDS.`,
    { cause },
  );
}

const USER_FAULTS =
  /^(Parser|Binder|Catalog|Conversion|Out of Range|Invalid Input|Mismatch Type|Not implemented|Permission|Syntax) Error/;

function engineError(error: unknown, what: string): AtriumError {
  if (isAtriumError(error)) return error;
  const message = messageOf(error).replace(/^Failed to extract statements: /, "");
  if (/No space left|disk quota|max_temp_directory_size/i.test(message)) {
    return new AtriumError(
      "STORE_FULL",
      `The disk is full: the ${what} needs space for its files in the lake. Free some and go on.`,
      { cause: error },
    );
  }
  if (
    ["EACCES", "EPERM", "EROFS"].includes(systemCode(error) ?? "") ||
    /Read-only file system|Permission denied/.test(message)
  ) {
    return new AtriumError(
      "STORE_DENIED",
      `The ${what} may not write its files: ${message}. Give this user the right to write the lake's folder.`,
      { cause: error },
    );
  }
  if (what === "query" && USER_FAULTS.test(message)) {
    return new AtriumError("QUERY_INVALID", message.replaceAll(/\s*\n\s*/g, " ").trim(), { cause: error });
  }
  if (message.startsWith("Out of Memory Error")) {
    return new AtriumError(
      "ENGINE_FAILED",
      `The ${what} needs more memory than ENGINE_MEMORY_MB allows: raise it, or lower BATCH_ROWS.`,
      { cause: error },
    );
  }
  return new AtriumError(
    "ENGINE_FAILED",
    `The ${what} failed in DuckDB: ${message.split("\n")[0] ?? message}`,
    { cause: error },
  );
}

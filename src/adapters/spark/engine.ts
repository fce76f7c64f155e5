// The engine on Apache Spark: transforms read the lake's files and write new ones straight into it. Spark commits nothing:
// our own writer does, so that all guarantees of a commit hold whoever made the files.
//
//   <table>/<id of the write>/event_date=2013-08-23/part-….parquet     where Spark writes; a commit names it there
//   <table>/<id of the write>/_temporary/…                             of a job that was killed: vacuum removes it

import { isAbsolute } from "node:path";
import type { ObjectStore } from "../../lakehouse/delta/object-store.ts";
import type { Answer, AnswerValue, Engine, Query, Transform, Written } from "../../lakehouse/engine.ts";
import { uniqueId } from "../../support/chance.ts";
import { AtriumError, isAtriumError } from "../../support/errors.ts";
import { isoTime } from "../../support/iso-time.ts";
import type { Relation, SparkSession } from "./connect/session.ts";
import type { SparkColumn, SparkValue } from "./connect/values.ts";
import { explained } from "./failures.ts";
import { type AddressOf, quoteName, sqlOver, sqlType } from "./plans.ts";
import type { SparkSessions } from "./sessions.ts";
import { factsOf } from "./written-files.ts";

/** What the engine works with. */
export interface SparkEngineOptions {
  readonly sessions: SparkSessions;
  /** The lake: what a write leaves is listed there. */
  readonly store: Pick<ObjectStore, "delete" | "list" | "url">;
  /** Where Spark finds the lake: `file:/srv/lake` or `s3a://bucket/prefix`. */
  readonly root: string;
}

/** Where a write goes and what it holds. */
export interface WriteTarget extends Pick<Transform, "columns" | "into" | "partitionColumns"> {
  readonly signal?: AbortSignal;
}

/** The engine, with a way to write other relations than SQL over inputs. */
export interface SparkEngine extends Engine {
  /** Writes a relation that has the target's columns; `observe` hears what its observations counted. */
  writeRelation(
    session: SparkSession,
    relation: Relation,
    target: WriteTarget & { readonly observe?: (counts: ReadonlyMap<string, bigint>) => void },
  ): Promise<Written>;
  /** Removes files that were written and will not be committed. */
  discard(files: Written["files"]): Promise<void>;
}

/** Files of one write: no marks of success beside them. */
const WRITE_OPTIONS = {
  compression: "zstd",
  "mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
} as const;

/** On a file system no checksums beside them either. S3A needs the usual file system for what it buffers on disk. */
const FOLDER_WRITE_OPTIONS = {
  ...WRITE_OPTIONS,
  "fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
  "fs.file.impl.disable.cache": "true",
} as const;

/** Opens the engine; nothing is sent before its first use. The sessions stay the caller's. */
export function sparkEngine({ sessions, store, root }: SparkEngineOptions): SparkEngine {
  const addressOf: AddressOf = (path) => (isAbsolute(path) ? `file:${path}` : `${root}/${path}`);
  const writeRelation: SparkEngine["writeRelation"] = async (session, relation, target) => {
    const folder = `${target.into}/${uniqueId()}`;
    const { columns, partitionColumns, signal, observe } = target;
    try {
      const counts = await session.write(relation, {
        format: "parquet",
        path: addressOf(folder),
        partitionBy: partitionColumns,
        options: root.startsWith("file:") ? FOLDER_WRITE_OPTIONS : WRITE_OPTIONS,
        ...(signal && { signal }),
      });
      observe?.(counts);
      const objects = (await store.list(`${folder}/`)).filter(({ path }) => path.endsWith(".parquet"));
      const files = await factsOf(session, { objects, columns, partitionColumns, addressOf, signal });
      return { files, [Symbol.asyncDispose]: async () => undefined };
    } catch (error) {
      await removeFolder(store, folder);
      throw error;
    }
  };
  return {
    writeRelation,
    discard: async (files) => store.delete(files.map(({ path }) => path)),
    write: async (transform, signal) =>
      explained({ ...transform, addressOf, url: store.url }, async () =>
        sessions.use(async (session) => {
          const relation = sqlOver(statementOf(transform), transform.inputs, addressOf);
          return writeRelation(session, relation, { ...transform, ...(signal && { signal }) });
        }),
      ).catch((error: unknown) => {
        throw isAtriumError(error, "QUERY_INVALID") ? ofOurs(error) : error;
      }),
    query: async (query, signal) =>
      explained({ ...query, addressOf, url: store.url }, async () =>
        sessions.use(async (session) => answered(session, query, { addressOf, signal })),
      ),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** The text of a transform is not a user's. */
function ofOurs(error: AtriumError): AtriumError {
  return new AtriumError("ENGINE_FAILED", error.message, { cause: error, details: error.details });
}

/**
 * One file a partition, unless it is a large one: rows go to tasks by their partition, in sizes that Spark chooses. A
 * transform without partitions is one file, sorted.
 */
function statementOf({ sql, columns, partitionColumns, orderBy = [] }: Transform): string {
  const cast = columns.map(
    ({ name, type }) => `cast(${quoteName(name)} as ${sqlType(type)}) as ${quoteName(name)}`,
  );
  const spread =
    partitionColumns.length > 0
      ? `rebalance(${partitionColumns.map(quoteName).join(", ")})`
      : "repartition(1)";
  const sorted =
    partitionColumns.length > 0 || orderBy.length === 0
      ? ""
      : ` sort by ${orderBy.map((name) => `${quoteName(name)} nulls last`).join(", ")}`;
  return `select /*+ ${spread} */ * from (select ${cast.join(", ")} from (${sql}))${sorted}`;
}

async function removeFolder(store: SparkEngineOptions["store"], folder: string): Promise<void> {
  try {
    await store.delete((await store.list(`${folder}/`)).map(({ path }) => path));
  } catch {
    // The error that led here matters more; vacuum removes what is left.
  }
}

interface Asking {
  readonly addressOf: AddressOf;
  readonly signal: AbortSignal | undefined;
}

async function answered(session: SparkSession, query: Query, { addressOf, signal }: Asking): Promise<Answer> {
  if (query.parameters !== undefined) {
    throw new AtriumError(
      "QUERY_INVALID",
      "Queries on Spark have no parameters: write the values into the text.",
    );
  }
  const { columns, rows, truncated } = await session.collect(sqlOver(query.sql, query.inputs, addressOf), {
    rowsMax: query.rowsMax,
    timeoutMs: query.timeoutMs,
    ...(signal && { signal }),
  });
  return {
    columns,
    rows: rows.map((row) => row.map((value, place) => answerValue(value, columns[place]))),
    truncated,
  };
}

/** As the port has it: see AnswerValue. */
function answerValue(value: SparkValue, column: SparkColumn | undefined): AnswerValue {
  if (typeof value === "bigint") {
    if (column?.type === "timestamp") return isoTime(value);
    return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  }
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "string") return column?.type.startsWith("decimal") === true ? Number(value) : value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  throw new AtriumError("QUERY_INVALID", `A query on Spark may not give the type ${column?.type}: cast it.`);
}

// Checkpoints to and from Parquet by DuckDB, through scratch files.

import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import type { CheckpointCodec } from "../../lakehouse/delta/checkpoint.ts";
import { uniqueId } from "../../support/chance.ts";
import { AtriumError, messageOf, systemCode } from "../../support/errors.ts";

/** Delta's checkpoint schema, as far as reader 1 and writer 2 need it. Source: the Delta protocol, "Checkpoint Schema". */
const COLUMNS: Readonly<Record<string, string>> = {
  txn: "STRUCT(appId VARCHAR, version BIGINT, lastUpdated BIGINT)",
  add:
    'STRUCT(path VARCHAR, partitionValues MAP(VARCHAR, VARCHAR), "size" BIGINT, modificationTime BIGINT, ' +
    "dataChange BOOLEAN, stats VARCHAR, tags MAP(VARCHAR, VARCHAR))",
  remove:
    "STRUCT(path VARCHAR, deletionTimestamp BIGINT, dataChange BOOLEAN, extendedFileMetadata BOOLEAN, " +
    'partitionValues MAP(VARCHAR, VARCHAR), "size" BIGINT)',
  metaData:
    'STRUCT(id VARCHAR, "name" VARCHAR, description VARCHAR, ' +
    'format STRUCT(provider VARCHAR, "options" MAP(VARCHAR, VARCHAR)), schemaString VARCHAR, ' +
    "partitionColumns VARCHAR[], configuration MAP(VARCHAR, VARCHAR), createdTime BIGINT)",
  protocol: "STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER)",
};
/** DuckDB takes twice the size of the longest line that it may meet as a buffer for each thread. */
const LINE_BYTES_MIN = 1024 * 1024;

/** A codec that opens a connection for each call and closes it, with scratch files in `scratchDir` (made if missing). */
export function duckdbCheckpointCodec(
  connect: () => Promise<DuckDBConnection>,
  scratchDir: string,
): CheckpointCodec {
  const withScratch = async <T>(work: (scratch: Scratch) => Promise<T>): Promise<T> => {
    await mkdir(scratchDir, { recursive: true });
    const name = join(scratchDir, `checkpoint-${uniqueId()}`);
    const scratch = { lines: `${name}.json`, parquet: `${name}.parquet`, connection: await connect() };
    try {
      return await work(scratch);
    } finally {
      scratch.connection.closeSync();
      await Promise.all([scratch.lines, scratch.parquet].map((file) => rm(file, { force: true })));
    }
  };
  return {
    encode: async (actionLines) => withScratch(async (scratch) => encode(scratch, actionLines)),
    decode: async (parquet) => withScratch(async (scratch) => decode(scratch, parquet)),
  };
}

interface Scratch {
  readonly connection: DuckDBConnection;
  readonly lines: string;
  readonly parquet: string;
}

async function encode(
  { connection, lines, parquet }: Scratch,
  actionLines: readonly string[],
): Promise<Uint8Array> {
  const types = Object.entries(COLUMNS).map(([name, type]) => `${quoted(name)}: ${literal(type)}`);
  const names = Object.keys(COLUMNS).map(quoted);
  const lineBytes = actionLines.reduce(
    (longest, line) => Math.max(longest, Buffer.byteLength(line) + 1),
    LINE_BYTES_MIN,
  );
  try {
    await writeFile(lines, actionLines.join("\n"));
    await connection.run(
      `COPY (SELECT ${names.join(", ")} FROM read_json(${literal(lines)}, format = 'newline_delimited', ` +
        `columns = {${types.join(", ")}}, maximum_object_size = ${lineBytes})) ` +
        `TO ${literal(parquet)} (FORMAT parquet, COMPRESSION snappy)`,
    );
    return await readFile(parquet);
  } catch (cause) {
    throw failed(
      "ENGINE_FAILED",
      "DuckDB could not write a checkpoint, without which the table is still whole",
      cause,
    );
  }
}

async function decode({ connection, parquet }: Scratch, bytes: Uint8Array): Promise<readonly string[]> {
  try {
    await writeFile(parquet, bytes);
    const file = `read_parquet(${literal(parquet)})`;
    const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${file}`);
    const present = described
      .getRows()
      .flatMap(([name]) => (Object.keys(COLUMNS).includes(String(name)) ? [String(name)] : []));
    if (present.length === 0) throw new Error("it has none of the columns of a checkpoint");
    // One kind is set in a row: what is joined to the nulls of the others is null.
    const kinds = present.map(
      (kind) => `${literal(`{"${kind}":`)} || to_json(${quoted(kind)})::VARCHAR || '}'`,
    );
    const found = await connection.runAndReadAll(`SELECT coalesce(${kinds.join(", ")}) FROM ${file}`);
    return found.getRows().flatMap(([line]) => (line === null ? [] : [String(line)]));
  } catch (cause) {
    throw failed(
      "TABLE_CORRUPT",
      "A checkpoint cannot be read. Restore it from a backup, or delete it if the log is whole",
      cause,
    );
  }
}

function failed(code: "ENGINE_FAILED" | "TABLE_CORRUPT", what: string, cause: unknown): AtriumError {
  const reason = messageOf(cause);
  const isFull = systemCode(cause) === "ENOSPC" || reason.includes("No space left");
  if (isFull) {
    const message = `The scratch folder is full: ${reason}. Make room there.`;
    return new AtriumError("STORE_FULL", message, { cause });
  }
  return new AtriumError(code, `${what}: ${reason}`, { cause });
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function quoted(name: string): string {
  return `"${name}"`;
}

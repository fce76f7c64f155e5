// The floor of compaction, a program of its own: DuckDB reads a lake's Parquet files once, and does nothing else.
//
//   node bench/scan.ts TABLE-FOLDER COLUMN        prints {"rows": N}

import { DuckDBInstance } from "@duckdb/node-api";

/** Threads, as many as the engine of Atrium has by default. */
const THREADS = 2;

const [folder = "", column = ""] = process.argv.slice(2);
const instance = await DuckDBInstance.create(":memory:", { threads: String(THREADS) });
const connection = await instance.connect();
const files = `${folder}/**/*.parquet`.replaceAll("'", "''");
const answer = await connection.runAndReadAll(
  `select count(*), sum("${column}"), sum(hash(columns(*))) from read_parquet('${files}', hive_partitioning = true)`,
);
console.log(JSON.stringify({ rows: Number(answer.getRows()[0]?.[0]) }));
connection.closeSync();
instance.closeSync();

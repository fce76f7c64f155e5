// The floor, a program of its own: DuckDB reads the raw files into one Parquet file, and does nothing else.
//
//   node bench/floor.ts OUT FILE...        prints {"readings": N}

import { DuckDBInstance } from "@duckdb/node-api";

/** Threads, as many as the engine of Atrium has by default. */
const THREADS = 2;

const [out = "", ...files] = process.argv.slice(2);
const instance = await DuckDBInstance.create(":memory:", { threads: String(THREADS) });
const connection = await instance.connect();
await connection.run("set preserve_insertion_order = false");
const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const copied = await connection.runAndReadAll(`
  copy (
    select parse_path(filename)[-2] as room, parse_path(filename)[-1] as file, ts_unix, value
    from read_csv([${files.map(quoted).join(", ")}], header = false, filename = true, auto_detect = false, delim = ',',
      columns = {ts_unix: 'BIGINT', value: 'DOUBLE'})
  ) to ${quoted(out)} (format parquet, compression zstd)`);
console.log(JSON.stringify({ readings: Number(copied.getRows()[0]?.[0]) }));
connection.closeSync();
instance.closeSync();

// Whether the rows of a Parquet file lie in an order.

import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";

/** "sorted", or how many rows are smaller than the one before them; `key` are columns of the file. */
export async function parquetOrder(folder: string, path: string, key: readonly string[]): Promise<string> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const file = join(folder, decodeURIComponent(path)).replaceAll("'", "''");
  const row = `row(${key.map((column) => `"${column}"`).join(", ")})`;
  const before = `lag(${row}) over (order by file_row_number)`;
  const reader = await connection.runAndReadAll(
    `select count(*) from (select ${row} < ${before} as is_smaller
       from read_parquet('${file}', file_row_number = true, hive_partitioning = false)) where is_smaller`,
  );
  connection.closeSync();
  instance.closeSync();
  const count = Number(reader.getRows()[0]?.[0]);
  return count === 0 ? "sorted" : `${count} rows out of order`;
}

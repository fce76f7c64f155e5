// Reads what DuckDB says of the files it wrote (COPY … RETURN_STATS).

import { DuckDBMapValue, type DuckDBValue } from "@duckdb/node-api";
import type { ColumnStatistics, WrittenFile } from "../../lakehouse/engine.ts";
import { invariant } from "../../support/assert.ts";

/** The files of a COPY's result rows (columns filename, count, file_size_bytes, column_statistics, partition_keys). */
export function writtenFiles(rows: readonly Readonly<Record<string, DuckDBValue>>[]): readonly WrittenFile[] {
  return rows.map((row) => ({
    path: String(row["filename"]),
    rowCount: Number(row["count"]),
    sizeBytes: Number(row["file_size_bytes"]),
    partitionValues: Object.fromEntries(
      entriesOf(row["partition_keys"]).map(([name, value]) => [name, textOf(value)]),
    ),
    columns: Object.fromEntries(
      entriesOf(row["column_statistics"]).map(([name, facts]) => [unquote(name), statisticsOf(facts)]),
    ),
  }));
}

function statisticsOf(value: DuckDBValue): ColumnStatistics {
  const facts = new Map(entriesOf(value).map(([name, fact]) => [name, textOf(fact)]));
  const [min, max] = [facts.get("min"), facts.get("max")];
  return {
    nullCount: Number(facts.get("null_count") ?? 0),
    hasNan: facts.get("has_nan") === "true",
    ...(typeof min === "string" ? { min } : {}),
    ...(typeof max === "string" ? { max } : {}),
  };
}

function entriesOf(map: DuckDBValue | undefined): readonly (readonly [string, DuckDBValue])[] {
  if (map === null || map === undefined) return [];
  invariant(map instanceof DuckDBMapValue, "DuckDB's file statistics are maps");
  return map.entries.map((entry) => [String(entry.key), entry.value] as const);
}

function textOf(value: DuckDBValue): string | null {
  return value === null ? null : String(value);
}

/** DuckDB gives the columns of its statistics as quoted names. */
function unquote(name: string): string {
  return name.startsWith('"') && name.endsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}

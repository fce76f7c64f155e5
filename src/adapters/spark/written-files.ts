// What Spark has written: the files by a list of their folder, their rows and bounds by one query over them.

import type { ObjectInfo } from "../../lakehouse/delta/object-store.ts";
import type { ColumnStatistics, WrittenFile } from "../../lakehouse/engine.ts";
import type { Column, ColumnType } from "../../reading/tables.ts";
import { AtriumError } from "../../support/errors.ts";
import { isoTime } from "../../support/iso-time.ts";
import type { SparkSession } from "./connect/session.ts";
import type { SparkValue } from "./connect/values.ts";
import { type AddressOf, filesWithNames, metadataPath, quoteName, selectOver } from "./plans.ts";

/** Files of one write and what is in them. */
export interface WrittenFolder {
  /** The objects that the write left. */
  readonly objects: readonly ObjectInfo[];
  readonly columns: readonly Pick<Column, "name" | "type">[];
  readonly partitionColumns: readonly string[];
  readonly addressOf: AddressOf;
  readonly signal: AbortSignal | undefined;
}

const NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__";
/** Types whose bounds are worth their look: files are skipped by times, whole numbers and names. */
const BOUNDED: ReadonlySet<string> = new Set(["timestamp", "date", "integer", "long", "string"]);
/** As many files as one write may leave. */
const FILES_MAX = 1_000_000;

/** The files with their rows, sizes, partition values and bounds; those without rows are left out. */
export async function factsOf(session: SparkSession, folder: WrittenFolder): Promise<readonly WrittenFile[]> {
  const { objects, columns, partitionColumns, addressOf, signal } = folder;
  if (objects.length === 0) return [];
  const stored = columns.filter(({ name }) => !partitionColumns.includes(name));
  const bounded = stored.filter(({ type }) => BOUNDED.has(type));
  const facts = bounded.flatMap(({ name }) => {
    const quoted = quoteName(name);
    return [`count(${quoted})`, `min(${quoted})`, `max(${quoted})`];
  });
  const byAddress = new Map(objects.map((object) => [metadataPath(addressOf(object.path)), object]));
  const addresses = objects.map(({ path }) => addressOf(path));
  const text = `select __file, count(*)${facts.map((fact) => `, ${fact}`).join("")} from written group by __file`;
  const written = filesWithNames(stored, addresses);
  const { rows } = await session.collect(selectOver(text, { written }), {
    rowsMax: FILES_MAX,
    ...(signal && { signal }),
  });
  return rows.map(([address, count, ...values]) => {
    const object = typeof address === "string" ? byAddress.get(address) : undefined;
    if (object === undefined) throw strange(JSON.stringify(address));
    const rowCount = Number(count);
    return {
      path: object.path,
      rowCount,
      sizeBytes: object.sizeBytes,
      partitionValues: partitionValuesOf(object.path, partitionColumns),
      columns: Object.fromEntries(
        bounded.map(({ name, type }, index) => [
          name,
          boundsOf(rowCount, type, values.slice(index * 3, index * 3 + 3)),
        ]),
      ),
    };
  });
}

function boundsOf(
  rowCount: number,
  type: ColumnType,
  [count, min, max]: readonly (SparkValue | undefined)[],
): ColumnStatistics {
  const [low, high] = [textOf(min, type), textOf(max, type)];
  return {
    nullCount: rowCount - Number(count),
    hasNan: false,
    ...(low === undefined ? {} : { min: low }),
    ...(high === undefined ? {} : { max: high }),
  };
}

/** A value as statistics have it; undefined for null. */
function textOf(value: SparkValue | undefined, type: ColumnType): string | undefined {
  if (type === "timestamp" && typeof value === "bigint") return isoTime(value);
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "bigint" ? String(value) : undefined;
}

/** The values that Spark put into the names of folders. */
function partitionValuesOf(
  path: string,
  partitionColumns: readonly string[],
): Readonly<Record<string, string | null>> {
  const folders = path.split("/").slice(0, -1);
  return Object.fromEntries(
    partitionColumns.map((column) => {
      const folder = folders.findLast((part) => part.startsWith(`${column}=`));
      if (folder === undefined) throw strange(path);
      const text = folder.slice(column.length + 1);
      return [column, text === NULL_FOLDER ? null : unescaped(text)];
    }),
  );
}

/** Spark escapes some ASCII signs as Hive does; all else is as it is. */
function unescaped(text: string): string {
  return text.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, code: string) =>
    String.fromCodePoint(Number.parseInt(code, 16)),
  );
}

function strange(path: string): AtriumError {
  return new AtriumError(
    "ENGINE_FAILED",
    `Spark wrote ${path}, which is not where it was to write. Nothing was committed; report this.`,
  );
}

// Which data file is behind an error of DuckDB: it names some of those that it cannot read, but not all.

import type { DuckDBConnection } from "@duckdb/node-api";
import type { Input } from "../../lakehouse/engine.ts";
import { AtriumError, messageOf } from "../../support/errors.ts";
import { quoteText } from "./inputs.ts";

/** What DuckDB says of a file that is cut, damaged or gone; the text of a user cannot bring these about. */
const SIGNS =
  /^(Invalid Error|IO Error|Serialization Error)|Failed to read file|too small to be a Parquet file|No magic bytes|Footer length error|[Pp]arquet file is likely corrupted|Could not read|TProtocolException/;

/** The error TABLE_CORRUPT that names the file of these inputs that cannot be read; undefined if all can, or none is to blame. */
export async function damagedFileError(
  error: unknown,
  inputs: readonly Input[],
  connection: DuckDBConnection,
): Promise<AtriumError | undefined> {
  const message = messageOf(error);
  if (!SIGNS.test(message)) return undefined;
  for (const input of inputs) {
    if (input.kind !== "files") continue;
    const paths = input.files.map((file) => file.path);
    const named = paths.find((path) => message.includes(path) && isAboutOne(message));
    const path = named ?? (await firstUnreadable(paths, connection));
    if (path !== undefined) return unreadable(input.name, path, error);
  }
  return undefined;
}

/** The text of a statement can follow the message, with the paths of all files. */
function isAboutOne(message: string): boolean {
  return (
    /(file|open) ["'][^"']+["']/i.test(message.split("\n")[0] ?? "") && !message.includes("read_parquet([")
  );
}

async function firstUnreadable(
  paths: readonly string[],
  connection: DuckDBConnection,
): Promise<string | undefined> {
  for (const path of paths) {
    const file = `read_parquet(${quoteText(path)}, hive_partitioning = false)`;
    try {
      // The hash of a row makes every column be read.
      await connection.run(`select count(*) from ${file} whole where hash(whole) is null`);
    } catch {
      return path;
    }
  }
  return undefined;
}

function unreadable(table: string, path: string, cause: unknown): AtriumError {
  const message =
    `A data file of ${table} is damaged: ${path} cannot be read. Nothing was made of it. ` +
    "Restore it from a backup, or see docs/operate/recovery.md; atrium verify looks for others.";
  return new AtriumError("TABLE_CORRUPT", message, { cause, details: { file: path } });
}

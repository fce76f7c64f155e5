// `atrium table copy`: a lake, or one of its tables, into another place, on S3 or in a folder.

import { copyLake } from "../lakehouse/copy.ts";
import type { Answer } from "../lakehouse/engine.ts";
import type { Lake } from "../lakehouse/lake.ts";
import type { TableName } from "../reading/tables.ts";
import { AtriumError } from "../support/errors.ts";
import type { CommandContext } from "./command.ts";
import { parts } from "./stages.ts";

/** Copies, and says what; a row for each table. @throws USAGE_INVALID without a place; as copyLake */
export async function copyTables(
  context: CommandContext,
  lake: Lake,
  { name, into }: { readonly name: TableName | undefined; readonly into: string | undefined },
): Promise<Answer> {
  const { config, signal } = context;
  if (into === undefined || into === config.lake.url) {
    throw new AtriumError("USAGE_INVALID", "copy needs another place for the lake: --into LAKE.");
  }
  await using target = parts({ ...context, config: { ...config, lake: { ...config.lake, url: into } } });
  const scratchFolder = await target.scratchFolder();
  const copied = await copyLake({ lake, to: await target.store(), table: name, scratchFolder, signal });
  const columns = ["table", "version", "rows", "files", "files_copied", "commits"];
  return {
    columns: columns.map((column) => ({ name: column, type: "" })),
    rows: copied.map(({ table, version, rows, files, filesCopied, commits }) => [
      table,
      version,
      rows,
      files,
      filesCopied,
      commits,
    ]),
    truncated: false,
  };
}

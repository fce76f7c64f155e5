// `atrium table compact` and `table vacuum`: one step of upkeep, for one table or for all.

import type { Answer } from "../lakehouse/engine.ts";
import type { Lake } from "../lakehouse/lake.ts";
import { compactTable } from "../lakehouse/upkeep/compact.ts";
import { vacuumLeftovers, vacuumTable } from "../lakehouse/upkeep/vacuum.ts";
import { TABLE_NAMES, type TableName } from "../reading/tables.ts";
import type { CommandContext } from "./command.ts";
import { upkeepRules } from "./upkeep-rules.ts";

/** Merges small files; a row for each table. */
export async function compactTables(
  context: CommandContext,
  lake: Lake,
  name: TableName | undefined,
): Promise<Answer> {
  const options = { lake, signal: context.signal, ...upkeepRules(context) };
  const rows: Answer["rows"][number][] = [];
  for (const table of named(name)) {
    const done = await compactTable(options, table);
    const { filesBefore, filesAfter, bytesBefore, bytesAfter, skipped } = done;
    rows.push([table, filesBefore, filesAfter, bytesBefore, bytesAfter, skipped]);
  }
  return answerOf(["table", "files", "merged_into", "bytes", "bytes_after", "groups_skipped"], rows);
}

/** Removes files that nobody needs any more, or with --dry-run counts them; a row for each table. */
export async function vacuumTables(
  context: CommandContext,
  lake: Lake,
  name: TableName | undefined,
): Promise<Answer> {
  const dryRun = context.flags["dryRun"] === true;
  const options = { lake, signal: context.signal, dryRun, ...upkeepRules(context) };
  const rows: Answer["rows"][number][] = [];
  for (const table of named(name)) {
    const { filesRemoved, bytesRemoved } = await vacuumTable(options, table);
    rows.push([table, filesRemoved, bytesRemoved]);
  }
  if (name === undefined) await vacuumLeftovers(options);
  return answerOf(["table", dryRun ? "files_to_remove" : "files_removed", "bytes"], rows);
}

function named(name: TableName | undefined): readonly TableName[] {
  return name === undefined ? TABLE_NAMES : [name];
}

function answerOf(names: readonly string[], rows: Answer["rows"]): Answer {
  return { columns: names.map((column) => ({ name: column, type: "" })), rows, truncated: false };
}

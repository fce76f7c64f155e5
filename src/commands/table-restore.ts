// `atrium table restore`: a table's newest version gets the files of an older one.

import type { VersionOrTime } from "../config/kinds.ts";
import type { Lake } from "../lakehouse/lake.ts";
import { restoreTable, type Restored } from "../lakehouse/upkeep/restore.ts";
import type { TableName } from "../reading/tables.ts";
import { AtriumError, type ExitCode } from "../support/errors.ts";
import type { CommandContext } from "./command.ts";

/** What to restore. */
export interface RestoreArguments {
  readonly name: TableName;
  readonly to: VersionOrTime | undefined;
}

/** Restores and says what that did; 99 if the table had these files already. @throws USAGE_INVALID without a version */
export async function restore(
  context: CommandContext,
  lake: Lake,
  { name, to }: RestoreArguments,
): Promise<ExitCode> {
  if (to === undefined) {
    throw new AtriumError(
      "USAGE_INVALID",
      "restore needs the version or the time to go back to: --to VERSION|TIME.",
    );
  }
  const restored = await restoreTable(lake, name, to);
  const text =
    context.flags["json"] === true ? JSON.stringify({ table: name, ...restored }) : textOf(name, restored);
  context.stdout(`${text}\n`);
  return restored.filesAdded + restored.filesRemoved === 0 ? 99 : 0;
}

function textOf(name: TableName, restored: Restored): string {
  const { from, version, filesAdded, filesRemoved, rowsAdded, rowsRemoved } = restored;
  const already = `${name}: version ${version} has the files of version ${from} already.`;
  if (filesAdded + filesRemoved === 0) return already;
  const count = (value: number): string => value.toLocaleString("en");
  return [
    `${name}: version ${version} has the files of version ${from} again.`,
    `${filesAdded} files with ${count(rowsAdded)} rows came back, ${filesRemoved} with ${count(rowsRemoved)} rows left.`,
    "Positions stay as they are:",
    `  ${EFFECTS[name] ?? "what made this table does not make it again until its own input changes."}`,
  ].join("\n");
}

const BRONZE =
  "messages whose rows left are not ingested again; refine takes the rows that came back as new ones.";
const GOLD = "a day is made again when its silver changes, or by atrium gold --date DAY.";

const EFFECTS: Readonly<Partial<Record<TableName, string>>> = {
  "bronze/readings": BRONZE,
  "bronze/rejected": "messages whose rows left are not ingested again.",
  "silver/readings": "rows that left are not refined again; gold follows what changed.",
  "gold/sensor_hourly": GOLD,
  "gold/sensor_daily": GOLD,
  "gold/room_daily": GOLD,
};

// `atrium erase`: a room leaves all tables, older versions included.

import * as kinds from "../config/kinds.ts";
import { type ErasedTable, eraseRoom, type EraseSummary, surveyRoom } from "../lakehouse/upkeep/erase.ts";
import { AtriumError } from "../support/errors.ts";
import { type CommandContext, defineCommand, optionalFlag, switchFlag } from "./command.ts";
import { LAKE_SETTINGS, parts, stageOptions } from "./stages.ts";

/** How long readers of older versions are waited for, ms; at least a minute is always waited. */
const WAIT_MS_MAX = 300_000;
/** A file that no version names may be about to be committed for so long, ms. */
const GRACE_MS = 24 * 3600 * 1000;

/** The command. */
export const eraseCommand = defineCommand({
  about:
    "Erases all rows of a room from all tables and removes the older versions that held them, with their files.\n" +
    "Without --yes it says what would be erased, changes nothing and ends with exit code 2. It waits a minute or more\n" +
    "for readers of older versions. Exit code 99: no table holds anything of the room; 1: something is left, see below.\n" +
    "Not erased: the raw files, messages that the log still holds, backups and what was exported.",
  flags: {
    room: optionalFlag(kinds.text("ROOM"), "The room, as the tables name it."),
    yes: switchFlag("Erases; this cannot be undone."),
    json: switchFlag("Prints one JSON object."),
  },
  settings: [...LAKE_SETTINGS, "BATCH_ROWS"],
  examples: ["erase --lake ./lake --room 413", "erase --lake ./lake --room 413 --yes"],
  run: async (context) => {
    const { room, yes } = context.flags;
    if (room === undefined) {
      throw new AtriumError("USAGE_INVALID", "The room is missing: erase --room ROOM.");
    }
    await using assembly = parts(context);
    const lake = await assembly.lake({ create: false });
    const options = {
      ...stageOptions(context, lake),
      lake,
      room,
      waitMsMax: WAIT_MS_MAX,
      graceMs: GRACE_MS,
      signal: context.signal,
    };
    if (!yes) return plan(context, room, await surveyRoom(options));
    const summary = await eraseRoom(options);
    report(context, room, summary);
    if (summary.remaining.length > 0) return 1;
    return summary.tables.length === 0 ? 99 : 0;
  },
});

function plan(context: CommandContext, room: string, tables: readonly ErasedTable[]): 99 {
  if (context.flags["json"] === true) {
    context.stdout(`${JSON.stringify({ room, isErased: false, tables })}\n`);
  } else context.stdout(tables.length === 0 ? nothing(room) : `Room ${room} is in\n${linesOf(tables)}`);
  if (tables.length === 0) return 99;
  throw new AtriumError(
    "USAGE_INVALID",
    "Nothing is erased yet, and erasing cannot be undone: add --yes to erase these rows and all older versions of these tables.",
  );
}

function report(context: CommandContext, room: string, { tables, remaining }: EraseSummary): void {
  if (context.flags["json"] === true) {
    context.stdout(`${JSON.stringify({ room, isErased: remaining.length === 0, tables, remaining })}\n`);
    return;
  }
  context.stdout(tables.length === 0 ? nothing(room) : `Room ${room} was erased from\n${linesOf(tables)}`);
  if (remaining.length > 0) {
    const lines = remaining.map(({ path, why }) => `  ${path}: ${why}\n`).join("");
    context.stdout(`These files still hold rows of the room. Erase again later:\n${lines}`);
  }
  context.stdout(`Not erased: ${NOT_ERASED}\n`);
}

const NOT_ERASED =
  "the raw files, messages of the room that the log holds until its retention, backups and what was exported.";

const nothing = (room: string): string => `No table holds anything of room ${room}.\n`;

function linesOf(tables: readonly ErasedTable[]): string {
  return tables
    .map(({ table, rows, filesRemoved, filesRewritten, olderFiles }) => {
      const live = `${rows.toLocaleString("en")} rows, ${filesRemoved} files removed, ${filesRewritten} written anew`;
      return `  ${table.padEnd(18)} ${live}, ${olderFiles} of older versions\n`;
    })
    .join("");
}

// `atrium table`: what tables there are, what happened to one, and whether two lakes hold the same rows.

import * as kinds from "../config/kinds.ts";
import type { CommitSummary } from "../lakehouse/delta/table.ts";
import { differingRows, haveOtherLogs } from "../lakehouse/difference.ts";
import type { Answer } from "../lakehouse/engine.ts";
import type { Lake } from "../lakehouse/lake.ts";
import { bytesOf, rowsOf } from "../lakehouse/summary.ts";
import { TABLE_NAMES, tableNamed, type TableName } from "../reading/tables.ts";
import { AtriumError } from "../support/errors.ts";
import { answerAsJson, answerAsText } from "./answer-text.ts";
import { defineCommand, flag, optionalFlag, switchFlag, type CommandContext } from "./command.ts";
import { LAKE_SETTINGS, parts } from "./stages.ts";
import { copyTables } from "./table-copy.ts";
import { rebuildTable } from "./table-rebuild.ts";
import { restore } from "./table-restore.ts";
import { compactTables, vacuumTables } from "./table-upkeep.ts";

const HISTORY_MAX = 100_000;
/** Comparing tables goes through all of their rows. */
const DIFF_TIMEOUT_MS = 600_000;
const ACTIONS = "list, copy, history, restore, rebuild, diff, compact or vacuum";

/** The command. */
export const tableCommand = defineCommand({
  about:
    "list: all tables with version, rows, files and bytes. history NAME: its commits, the newest first.\n" +
    "restore NAME --to VERSION|TIME: a new version with the files of an older one; positions stay as they are.\n" +
    "diff NAME --with LAKE: exit code 0 if the table has the same rows in both lakes; the times at which rows were\n" +
    "made (created_at, ingest_ts, log_ts, ingest_date, restated_at) may differ, and offsets, if the logs were different ones.\n" +
    "compact [NAME]: merges small files. vacuum [NAME]: removes files that nobody needs any more.\n" +
    "copy [NAME] --into LAKE: the same files and versions in another place, on S3 or in a folder; it goes on where it stopped.\n" +
    "rebuild NAME: makes silver or a gold table again from the table before it, when its own files are damaged.",
  positionals: [
    { name: "ACTION", doc: ACTIONS, isRequired: true },
    { name: "NAME", doc: `the table: ${TABLE_NAMES.join(", ")}`, isRequired: false },
  ],
  flags: {
    with: optionalFlag(kinds.folderOrS3, "The other lake of diff."),
    to: optionalFlag(kinds.versionOrTime, "The version that restore goes back to, or the newest at a time."),
    into: optionalFlag(
      kinds.folderOrS3,
      "Where copy makes the other lake: an empty place, or an unfinished copy.",
    ),
    limit: flag(kinds.integer(1, HISTORY_MAX), "20", "Shows at most so many commits."),
    json: switchFlag("Prints JSON."),
    dryRun: switchFlag("vacuum counts what it would remove, and removes nothing."),
  },
  settings: [...LAKE_SETTINGS, "COMPACT_TARGET_MB", "VACUUM_GRACE_HOURS"],
  examples: [
    "table list --lake ./lake",
    "table copy --lake ./lake --into s3://bucket/lake",
    "table history silver/readings --lake ./lake",
    "table diff silver/readings --lake ./a --with ./b",
    "table vacuum --lake ./lake --grace-hours 1 --dry-run",
    "table rebuild silver/readings --lake ./lake",
  ],
  run: async (context) => {
    const [action = "", name] = context.positionals;
    const other = context.flags.with;
    await using assembly = parts(context, { alsoReads: other === undefined ? [] : [other] });
    const lake = await assembly.lake({ create: false });
    if (action === "list") return show(context, await listTables(lake));
    if (action === "history") return show(context, await historyOf(lake, nameOf(name), context.flags.limit));
    const { to } = context.flags;
    if (action === "restore") return await restore(context, lake, { name: nameOf(name), to });
    if (action === "diff") return await diff(context, lake, { name: nameOf(name), other });
    if (action === "rebuild") return await rebuildTable(context, { lake, name: nameOf(name) });
    const some = name === undefined ? undefined : nameOf(name);
    const { into } = context.flags;
    if (action === "copy") return show(context, await copyTables(context, lake, { name: some, into }));
    if (action === "compact") return show(context, await compactTables(context, lake, some));
    if (action === "vacuum") return show(context, await vacuumTables(context, lake, some));
    throw new AtriumError("USAGE_INVALID", `There is no action ${action}: it is ${ACTIONS}.`);
  },
});

function show(context: CommandContext, answer: Answer): 0 {
  for (const piece of context.flags["json"] === true ? answerAsJson(answer) : answerAsText(answer)) {
    context.stdout(piece);
  }
  return 0;
}

function nameOf(name: string | undefined): TableName {
  const table = name === undefined ? undefined : tableNamed(name);
  if (table !== undefined) return table;
  throw new AtriumError(
    "USAGE_INVALID",
    `${name === undefined ? "The table's NAME is missing" : `There is no table ${name}`}: it is one of ${TABLE_NAMES.join(", ")}.`,
  );
}

async function listTables(lake: Lake): Promise<Answer> {
  const rows = TABLE_NAMES.map(async (name) => {
    const snapshot = await lake.table(name).snapshot();
    if (snapshot === undefined) return [name, null, 0, 0, 0, null];
    const committed = new Date(snapshot.timestampMs).toISOString();
    return [name, snapshot.version, rowsOf(snapshot), snapshot.files.size, bytesOf(snapshot), committed];
  });
  return answerOf(["table", "version", "rows", "files", "bytes", "committed"], await Promise.all(rows));
}

async function historyOf(lake: Lake, name: TableName, limit: number): Promise<Answer> {
  const commits = await lake.table(name).history(limit);
  const rows = commits.map((commit) => [
    commit.version,
    new Date(commit.timestampMs).toISOString(),
    commit.operation,
    commit.filesAdded,
    commit.filesRemoved,
    commit.rowsAdded,
    deletedRows(commit.info),
    textIn(commit.info, "writerId") ?? textIn(commit.info, "engineInfo"),
    parametersOf(commit.info),
  ]);
  return answerOf(HISTORY_COLUMNS, rows);
}

const HISTORY_COLUMNS: readonly string[] =
  "version,committed,operation,files_added,files_removed,rows_added,rows_removed,writer,parameters".split(
    ",",
  );

/** Where the writer noted it: a remove action does not say how many rows its file had. */
function deletedRows({ operationMetrics }: CommitSummary["info"]): number | null {
  if (typeof operationMetrics !== "object" || operationMetrics === null) return null;
  const noted = "numDeletedRows" in operationMetrics ? Number(operationMetrics.numDeletedRows) : Number.NaN;
  return Number.isSafeInteger(noted) ? noted : null;
}

function textIn(info: CommitSummary["info"], name: string): string | null {
  const value = info[name];
  return typeof value === "string" ? value : null;
}

/** The operation's parameters, `days=2013-08-24 table=gold_room_daily`; null without any. */
function parametersOf({ operationParameters }: CommitSummary["info"]): string | null {
  if (typeof operationParameters !== "object" || operationParameters === null) return null;
  const texts = Object.entries(operationParameters).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return texts.length === 0 ? null : texts.join(" ");
}

function answerOf(names: readonly string[], rows: Answer["rows"]): Answer {
  return { columns: names.map((name) => ({ name, type: "" })), rows, truncated: false };
}

async function diff(
  context: CommandContext,
  lake: Lake,
  { name, other }: { readonly name: TableName; readonly other: string | undefined },
): Promise<0 | 1> {
  if (other === undefined) throw new AtriumError("USAGE_INVALID", "diff needs the other lake: --with LAKE.");
  const { config } = context;
  await using assembly = parts({ ...context, config: { ...config, lake: { ...config.lake, url: other } } });
  const lakes = { lake, other: await assembly.lake({ create: false }) };
  const isOtherLog = await haveOtherLogs(lakes);
  // Offsets of one log mean nothing in another, and on Kafka transactions take some.
  const leftOut = isOtherLog ? ["offset"] : [];
  const found = await differingRows(name, { ...lakes, timeoutMs: DIFF_TIMEOUT_MS, leftOut });
  const text =
    found.onlyHere + found.onlyThere === 0
      ? `the same ${found.rows.toLocaleString("en")} rows in both`
      : `${found.onlyHere} rows only in ${config.lake.url}, ${found.onlyThere} only in ${other}`;
  const note = isOtherLog ? " (offsets left out: they come from different logs)" : "";
  context.stdout(`${name}: ${text}${note}.\n`);
  return found.onlyHere + found.onlyThere === 0 ? 0 : 1;
}

// `atrium rejected`: the messages that are no readings, and the way back for those that are readings by now.

import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { endOfDay, isDate, parseInstant, startOfDay, type Instant } from "../api/instants.ts";
import * as kinds from "../config/kinds.ts";
import { readCorrections, type Corrections } from "../lakehouse/bronze/corrections.ts";
import { redrive, type RedriveSummary } from "../lakehouse/bronze/redrive.ts";
import {
  countByReason,
  nextPage,
  openRejected,
  PAGE_BOUNDS,
  type HeldMessage,
  type Place,
  type RejectedFilter,
  type RejectedSource,
} from "../lakehouse/bronze/rejected.ts";
import type { Lake } from "../lakehouse/lake.ts";
import { REJECTION_REASONS, type RejectionReason } from "../reading/parse-message.ts";
import { AtriumError, messageOf, type ExitCode } from "../support/errors.ts";
import { answerAsText } from "./answer-text.ts";
import { defineCommand, optionalFlag, switchFlag, type CommandContext } from "./command.ts";
import { jsonLine, LIST_COLUMNS, listRow, wholeText } from "./rejected-text.ts";
import { LAKE_SETTINGS, parts } from "./stages.ts";

const LIMIT_MAX = 10_000_000;
const LIMIT_DEFAULT = 100;
/** A file of corrections is held in memory. */
const FILE_MB_MAX = 64;

/** A day or a moment, UTC. */
type Moment = { readonly day: string } | { readonly instant: Instant };

const moment: kinds.Kind<Moment> = {
  allowed: "a day such as 2013-08-23, or a time such as 2013-08-23T08:00:00Z",
  placeholder: "TIME",
  parse: (given) => {
    if (isDate(given)) return { value: { day: given } };
    const instant = parseInstant(given);
    return instant === undefined ? { problem: "is no day and no time" } : { value: { instant } };
  },
};

// The words come from the table of reasons, so they are reasons.
const reason = {
  ...kinds.choice(Object.keys(REJECTION_REASONS) as RejectionReason[]),
  placeholder: "REASON",
};

const FLAGS = {
  reason: optionalFlag(kinds.list(reason, "reasons"), `Only these reasons: ${reason.allowed.slice(7)}.`),
  topic: optionalFlag(kinds.list(kinds.text("NAME"), "topics"), "Only these topics."),
  room: optionalFlag(kinds.text("ROOM"), "Only messages whose key names this room."),
  from: optionalFlag(moment, "Ingested from this day or moment on."),
  to: optionalFlag(moment, "Ingested until the end of this day, or before this moment."),
  limit: optionalFlag(
    kinds.integer(1, LIMIT_MAX),
    `list: at most so many messages (${LIMIT_DEFAULT} without it).`,
  ),
  all: switchFlag("redrive: all rejected messages."),
  file: optionalFlag(kinds.file, "redrive: lines of list --json whose value was corrected."),
  dryRun: switchFlag("redrive: says what would move, and changes nothing."),
  json: switchFlag("list: one JSON object a line. show: the same. redrive: the summary as one JSON object."),
};

type Context = CommandContext<typeof FLAGS>;

/** The command. */
export const rejectedCommand = defineCommand({
  about:
    "list: the messages that are no readings, and why. show TOPIC/PARTITION/OFFSET: all of one.\n" +
    "redrive: judges them anew, as they are (after a fix of the rules) or corrected (--file), and moves those that\n" +
    "are readings to bronze/readings, each once, however often it is asked for. Exit code 99: nothing could move.",
  positionals: [
    { name: "ACTION", doc: "list, show or redrive", isRequired: true },
    { name: "POSITION", doc: "of show: topic/partition/offset, as list prints it", isRequired: false },
  ],
  flags: FLAGS,
  settings: LAKE_SETTINGS,
  examples: [
    "rejected list --lake ./lake --reason not_json,not_utf8 --from 2013-08-23",
    "rejected show iot.co2/0/1234 --lake ./lake",
    "rejected list --lake ./lake --json --limit 100000 > fixed.jsonl",
    "rejected redrive --lake ./lake --file fixed.jsonl",
  ],
  run: async (context) => {
    const [action = "", position] = context.positionals;
    const act = ACTIONS[action];
    if (act === undefined) throw usage(`There is no action ${action}: it is list, show or redrive.`);
    if (position !== undefined && action !== "show") {
      throw usage(`${action} takes no POSITION: it is for show.`);
    }
    const misplaced = misplacedFlags(context.flags, action);
    if (misplaced.length > 0) throw usage(`${misplaced.join(", ")} cannot be used with ${action}.`);
    return act(context, position);
  },
});

const ACTIONS: Readonly<
  Record<string, (context: Context, position: string | undefined) => Promise<ExitCode>>
> = {
  list,
  show,
  redrive: redriveMessages,
};

/** Flags that are given and mean nothing to an action. */
function misplacedFlags(flags: Context["flags"], action: string): readonly string[] {
  const { limit, all, file, dryRun } = flags;
  const ofRedrive = [all && "--all", file !== undefined && "--file", dryRun && "--dry-run"];
  const ofList = [limit !== undefined && "--limit"];
  const ofFilter = filterIsGiven(flags) ? ["--reason, --topic, --room, --from, --to"] : [];
  const found =
    { list: ofRedrive, show: [...ofRedrive, ...ofList, ...ofFilter], redrive: ofList }[action] ?? [];
  return found.filter((name) => typeof name === "string");
}

async function list(context: Context): Promise<ExitCode> {
  const { json, limit = LIMIT_DEFAULT } = context.flags;
  const filter = filterOf(context.flags);
  await using assembly = parts(context);
  const lake = await assembly.lake({ create: false });
  const source = await openRejected(lake, timeoutOf(context));
  const counts = source === undefined ? new Map<string, number>() : await countByReason(source, filter);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const found = source === undefined ? [] : await firstMessages(source, filter, json ? 0 : limit);
  if (json && source !== undefined) await printLines(context, source, { filter, limit });
  if (!json) {
    printTable(context, LIST_COLUMNS, found.map(listRow));
    context.stdout("\n");
    printTable(context, ["reason", "messages"], [...counts]);
  }
  if (total > limit) {
    context.stderr(`Only the first ${limit} of ${total} messages are shown: raise --limit for more.\n`);
  }
  return 0;
}

/** The first messages of a filter, all in memory. */
async function firstMessages(
  source: RejectedSource,
  filter: RejectedFilter,
  limit: number,
): Promise<readonly HeldMessage[]> {
  const messages: HeldMessage[] = [];
  for await (const message of messagesOf(source, filter, limit)) messages.push(message);
  return messages;
}

async function printLines(
  context: Context,
  source: RejectedSource,
  { filter, limit }: { readonly filter: RejectedFilter; readonly limit: number },
): Promise<void> {
  for await (const message of messagesOf(source, filter, limit)) {
    if (context.signal.aborted) return;
    context.stdout(`${jsonLine(message)}\n`);
  }
}

async function* messagesOf(
  source: RejectedSource,
  filter: RejectedFilter,
  limit: number,
): AsyncGenerator<HeldMessage> {
  let after: Place | undefined;
  for (let left = limit; left > 0;) {
    const bounds = { ...PAGE_BOUNDS, rowsMax: Math.min(left, PAGE_BOUNDS.rowsMax) };
    const page = await nextPage(source, filter, { after, bounds });
    if (page === undefined) return;
    yield* page.messages.slice(0, left);
    left -= page.messages.length;
    after = page.end;
  }
}

function printTable(
  { stdout }: Context,
  names: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
): void {
  const columns = names.map((name) => ({ name, type: "" }));
  for (const piece of answerAsText({ columns, rows, truncated: false })) stdout(piece);
}

async function show(context: Context, position: string | undefined): Promise<ExitCode> {
  const place = placeOf(position);
  await using assembly = parts(context);
  const source = await openRejected(await assembly.lake({ create: false }), timeoutOf(context));
  const messages = source === undefined ? [] : await messagesAt(source, place);
  if (messages.length === 0) {
    throw new AtriumError(
      "NOT_FOUND",
      `bronze/rejected holds no message at ${position}. atrium rejected list shows those there are; one that was redriven is in bronze/readings.`,
    );
  }
  const texts = messages.map((message) =>
    context.flags.json ? `${jsonLine(message)}\n` : wholeText(message),
  );
  context.stdout(texts.join(context.flags.json ? "" : "\n"));
  return 0;
}

/** All messages of a position: of several logs there can be several. */
async function messagesAt(source: RejectedSource, place: Place): Promise<readonly HeldMessage[]> {
  const { topic, partition, offset } = place;
  const wanted = {
    kind: "rows",
    name: "wanted",
    rowCount: 1,
    columns: [
      { name: "topic", type: "string", values: [topic] },
      { name: "partition", type: "integer", values: Int32Array.of(partition) },
      { name: "offset", type: "long", values: BigInt64Array.of(BigInt(offset)) },
    ],
  } as const;
  return (await nextPage(source, { wanted }, {}))?.messages ?? [];
}

function placeOf(position: string | undefined): Place {
  if (position === undefined) {
    throw usage("POSITION is missing: show needs topic/partition/offset, as list prints it.");
  }
  const [, topic = "", partition, offset] = /^(.+)\/(\d{1,10})\/(\d{1,16})$/.exec(position) ?? [];
  const place = { topic, partition: Number(partition), offset: Number(offset) };
  if (topic !== "" && place.partition < 2 ** 31 && Number.isSafeInteger(place.offset)) return place;
  throw usage(`${position} is no position: expected topic/partition/offset, such as iot.co2/0/1234.`);
}

async function redriveMessages(context: Context): Promise<ExitCode> {
  const { flags, signal } = context;
  const selections = [flags.all, flags.file !== undefined, filterIsGiven(flags)].filter(Boolean).length;
  if (selections === 0) {
    throw usage(
      "redrive needs a selection: --reason, --topic, --room, --from, --to, or --file FIXED.jsonl, or --all.",
    );
  }
  if (selections > 1) throw usage("--all, --file and the filters exclude each other: give one of them.");
  const corrections = flags.file === undefined ? undefined : await correctionsIn(flags.file);
  await using assembly = parts(context);
  const lake: Lake = await assembly.lake({ create: false });
  const summary = await redrive({
    lake,
    filter: filterOf(flags),
    ...(corrections === undefined ? {} : { corrections }),
    isDryRun: flags.dryRun,
    queryTimeoutMs: timeoutOf(context),
    signal,
  });
  context.stdout(
    flags.json
      ? `${JSON.stringify({ ...summary, dryRun: flags.dryRun })}\n`
      : summaryText(summary, flags.dryRun),
  );
  return summary.moved + summary.completed > 0 ? 0 : 99;
}

async function correctionsIn(file: string): Promise<Corrections> {
  const name = basename(file);
  try {
    const { size } = await stat(file);
    if (size > FILE_MB_MAX * 1_048_576) throw usage(`${name} is larger than ${FILE_MB_MAX} MB: split it.`);
    return readCorrections(await readFile(file, "utf8"), name);
  } catch (error) {
    if (error instanceof AtriumError) throw error;
    throw usage(`--file ${file} cannot be read: ${messageOf(error)}.`);
  }
}

function summaryText(summary: RedriveSummary, isDryRun: boolean): string {
  const { moved, completed, stillRejected, reasons, missing } = summary;
  const counted = Object.entries(reasons).map(([name, count]) => `${name} ${count}`);
  const lines = [
    `${moved} messages ${isDryRun ? "would move" : "moved"} to bronze/readings.`,
    ...(completed > 0
      ? [`${completed} more had moved before, in a redrive that was cut short; it is complete now.`]
      : []),
    ...(stillRejected > 0 ? [`${stillRejected} are still rejected: ${counted.join(", ")}.`] : []),
    ...(missing > 0 ? [`${missing} of the file are not in bronze/rejected (any more).`] : []),
  ];
  return `${lines.join("\n")}\n`;
}

function filterIsGiven({ reason: reasons, topic, room, from, to }: Context["flags"]): boolean {
  return [reasons, topic, room, from, to].some((value) => value !== undefined);
}

function filterOf(flags: Context["flags"]): RejectedFilter {
  const { reason: reasons, topic: topics, room, from, to } = flags;
  const start = from && ("day" in from ? startOfDay(from.day) : from.instant);
  const before = to && ("day" in to ? endOfDay(to.day) : to.instant);
  if (start !== undefined && before !== undefined && start >= before) {
    throw usage("--to is not after --from: nothing lies between.");
  }
  return { reasons, topics, room, from: start, before };
}

function timeoutOf({ config }: Context): number {
  return config.api.queryTimeoutSeconds * 1000;
}

function usage(message: string): AtriumError {
  return new AtriumError("USAGE_INVALID", message);
}

// Reads bronze/rejected: messages by filters, page by page in the order of their positions, and counts by reason.

import { invariant, present } from "../../support/assert.ts";
import type { AddFile } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { filesMatching } from "../delta/stats.ts";
import type { AnswerValue, FilesInput, Query, RowsInput } from "../engine.ts";
import { tableInput, type Lake } from "../lake.ts";
import { filesNotMoved } from "./redrive-marks.ts";

/** Which messages; what is left out lets all pass. */
export interface RejectedFilter {
  readonly reasons?: readonly string[] | undefined;
  readonly topics?: readonly string[] | undefined;
  /** The room that the key names: keys are `room:type`. */
  readonly room?: string | undefined;
  /** Ingested at or after this moment, ISO text. */
  readonly from?: string | undefined;
  /** Ingested before this moment, ISO text. */
  readonly before?: string | undefined;
  /** Only the positions of this input, which has the columns topic, partition and offset. */
  readonly wanted?: RowsInput;
}

/** A message's place in the log. */
export interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** A rejected message as bronze holds it. Of several logs, several may have one position. */
export interface HeldMessage extends Place {
  /** ISO text. */
  readonly logTime: string;
  readonly logTimeMs: number;
  /** ISO text. */
  readonly ingestTime: string;
  readonly key: string | null;
  readonly value: Uint8Array;
  readonly reason: string;
  readonly detail: string;
  /** The data file that holds it. */
  readonly file: AddFile;
}

/** Two versions that are read together, and how long a query may take. */
export interface RejectedSource {
  readonly lake: Lake;
  readonly rejected: Snapshot;
  readonly readings: Snapshot | undefined;
  readonly timeoutMs: number;
}

/** Some messages and where the next page begins. */
export interface RejectedPage {
  readonly messages: readonly HeldMessage[];
  /** The position of the last one; give it as `after`. */
  readonly end: Place;
}

/** Bounds of a page. It has all messages of its first position, however large. */
export interface PageBounds {
  readonly rowsMax: number;
  /** Of the messages themselves. */
  readonly bytesMax: number;
}

/** A page that is small enough to be held in memory. */
export const PAGE_BOUNDS: PageBounds = { rowsMax: 10_000, bytesMax: 32 * 1_048_576 };

const ORDER = `topic, "partition", "offset"`;
const FILE_NUMBER = "file_number";
/** Messages of one position: one a log. */
const SAME_POSITION_MAX = 1000;
const REASONS_MAX = 1000;

/** The newest versions of the two bronze tables; undefined if nothing was rejected yet. Readings are read first: see redrive.ts. */
export async function openRejected(lake: Lake, timeoutMs: number): Promise<RejectedSource | undefined> {
  const readings = await lake.table("bronze/readings").snapshot();
  const rejected = await lake.table("bronze/rejected").snapshot();
  return rejected === undefined ? undefined : { lake, rejected, readings, timeoutMs };
}

/** The next messages behind `after`, in the order of their positions; undefined if there are no more. */
export async function nextPage(
  source: RejectedSource,
  filter: RejectedFilter,
  { after, bounds = PAGE_BOUNDS }: { readonly after?: Place | undefined; readonly bounds?: PageBounds },
): Promise<RejectedPage | undefined> {
  const files = matchingFiles(source, filter);
  if (files.length === 0) return undefined;
  const inputs = await inputsOf(source, filter, files);
  const { text, parameters } = where(filter, after);
  const ask = async (query: Pick<Query, "sql" | "parameters" | "rowsMax">) =>
    source.lake.engine.query({ ...query, inputs, timeoutMs: source.timeoutMs });
  const last = await ask({
    sql: pageEndSql(text),
    parameters: { ...parameters, rows_max: bounds.rowsMax, bytes_max: bounds.bytesMax },
    rowsMax: 1,
  });
  if (last.rows[0] === undefined) return undefined;
  const [topic, partition, offset] = last.rows[0];
  const end = { topic: textOf(topic), partition: Number(partition), offset: Number(offset) };
  const found = await ask({
    sql: `${ROWS_SQL}${text} and not ${isBehind("end")} order by ${ORDER}, log_ts, ingest_ts`,
    parameters: { ...parameters, ...placeValues("end", end) },
    rowsMax: bounds.rowsMax + SAME_POSITION_MAX,
  });
  return { messages: found.rows.map((row) => messageOf(row, files)), end };
}

/** How many messages of the filter each reason has, the most first. */
export async function countByReason(
  source: RejectedSource,
  filter: RejectedFilter,
): Promise<ReadonlyMap<string, number>> {
  const inputs = await rejectedInputs(source, filter);
  const { text, parameters } = where(filter);
  const { rows } = await source.lake.engine.query({
    sql: `select reason, count(*) from bronze_rejected${text} group by reason order by 2 desc, 1`,
    parameters,
    inputs,
    rowsMax: REASONS_MAX,
    timeoutMs: source.timeoutMs,
  });
  return new Map(rows.map(([reason, count]) => [textOf(reason), Number(count)]));
}

/** The files that may hold messages of the filter as the input bronze_rejected, and the filter's own input. */
export async function rejectedInputs(
  source: RejectedSource,
  filter: RejectedFilter,
): Promise<readonly (FilesInput | RowsInput)[]> {
  return inputsOf(source, filter, matchingFiles(source, filter));
}

/** The files that may hold messages of the filter, those left out whose messages are readings by now. */
function matchingFiles({ rejected, readings }: RejectedSource, filter: RejectedFilter): readonly AddFile[] {
  const live = filesNotMoved(rejected, readings);
  const days = {
    ...(filter.from && { from: filter.from.slice(0, 10) }),
    ...(filter.before && { to: filter.before.slice(0, 10) }),
  };
  const files = new Map(live.map((file) => [file.path, file]));
  return filesMatching({ files, schema: rejected.schema }, { ranges: { ingest_date: days } });
}

/** The files as the input bronze_rejected, with a column more that tells the file of each row. */
async function inputsOf(
  { lake, rejected }: RejectedSource,
  { wanted }: RejectedFilter,
  files: readonly AddFile[],
): Promise<readonly (FilesInput | RowsInput)[]> {
  const input = tableInput(lake, "bronze/rejected", { snapshot: rejected, files });
  const numbered: FilesInput = {
    ...input,
    columns: [...input.columns, { name: FILE_NUMBER, type: "integer" }],
    partitionColumns: [...input.partitionColumns, FILE_NUMBER],
    files: input.files.map((file, index) => ({
      ...file,
      partitionValues: { ...file.partitionValues, [FILE_NUMBER]: String(index) },
    })),
  };
  return wanted === undefined ? [numbered] : [numbered, wanted];
}

const ROWS_SQL = `select ${ORDER}, log_ts, ingest_ts, key, value, reason, detail, ${FILE_NUMBER} from bronze_rejected`;

/** The last position of a page. The window sums take a position's rows together, so a page ends between two positions. */
function pageEndSql(condition: string): string {
  return `select ${ORDER} from (
      select ${ORDER}, dense_rank() over through as place, count(*) over through as rows_through,
        sum(octet_length(value)) over through as bytes_through
      from bronze_rejected${condition}
      window through as (order by ${ORDER})) measured
    where place = 1 or (rows_through <= $rows_max and bytes_through <= $bytes_max)
    order by topic desc, "partition" desc, "offset" desc limit 1`;
}

interface Condition {
  readonly text: string;
  readonly parameters: Readonly<Record<string, string | number>>;
}

/** The filter as a `where`; values are parameters, never text. */
function where(filter: RejectedFilter, after?: Place): Condition {
  const parameters: Record<string, string | number> = {};
  const texts = ["true"];
  const oneOf = (column: string, values: readonly string[] = []): void => {
    if (values.length === 0) return;
    const names = values.map((value, index) => {
      parameters[`${column}_${index}`] = value;
      return `$${column}_${index}`;
    });
    texts.push(`${column} in (${names.join(", ")})`);
  };
  const add = (text: string, values: Readonly<Record<string, string | number>>): void => {
    texts.push(text);
    Object.assign(parameters, values);
  };
  oneOf("reason", filter.reasons);
  oneOf("topic", filter.topics);
  if (filter.room !== undefined) add("starts_with(key, $room)", { room: `${filter.room}:` });
  if (filter.from !== undefined) add("ingest_ts >= cast($start as timestamptz)", { start: filter.from });
  if (filter.before !== undefined) add("ingest_ts < cast($before as timestamptz)", { before: filter.before });
  if (filter.wanted !== undefined) add(`(${ORDER}) in (select ${ORDER} from ${filter.wanted.name})`, {});
  if (after !== undefined) add(isBehind("after"), placeValues("after", after));
  return { text: ` where ${texts.join(" and ")}`, parameters };
}

/** The position comes after that of the parameters. In full: DuckDB cannot tell whether rows lie between two rows. */
function isBehind(name: string): string {
  const [topic, partition, offset] = [
    `$${name}_topic`,
    `cast($${name}_partition as integer)`,
    `cast($${name}_offset as bigint)`,
  ];
  return `(topic > ${topic} or (topic = ${topic} and ("partition" > ${partition} or ("partition" = ${partition} and "offset" > ${offset}))))`;
}

function placeValues(name: string, place: Place): Readonly<Record<string, string | number>> {
  return {
    [`${name}_topic`]: place.topic,
    [`${name}_partition`]: place.partition,
    [`${name}_offset`]: place.offset,
  };
}

/** A row of ROWS_SQL. */
function messageOf(row: readonly AnswerValue[], files: readonly AddFile[]): HeldMessage {
  const [topic, partition, offset, logTime, ingestTime, key = null, value, reason, detail, file] = row;
  return {
    topic: textOf(topic),
    partition: Number(partition),
    offset: Number(offset),
    logTime: textOf(logTime),
    logTimeMs: Date.parse(textOf(logTime)),
    ingestTime: textOf(ingestTime),
    key: key === null ? null : textOf(key),
    value: Buffer.from(textOf(value), "base64"),
    reason: textOf(reason),
    detail: textOf(detail),
    file: present(files[Number(file)], "the file of a rejected message"),
  };
}

function textOf(value: AnswerValue | undefined): string {
  invariant(typeof value === "string", "positions, times and reasons are texts, and bytes come as base64");
  return value;
}

// The answer of every path that gives a list: cursor in, page out, as JSON or CSV, with its entity tag and the next link.

import { Type, type TSchema } from "typebox";
import type { Answer, AnswerValue } from "../lakehouse/engine.ts";
import { invariant } from "../support/assert.ts";
import type { KeyColumn, KeyValue } from "./conditions.ts";
import { CSV_TYPE, csvOf } from "./csv.ts";
import { decodeCursor, encodeCursor, filtersHash, type Cursor } from "./cursor.ts";
import { isMatched } from "./etag.ts";
import { parseInstant, type Instant } from "./instants.ts";
import { formatFor, type Format } from "./negotiation.ts";
import { ProtocolError } from "./problem.ts";
import type { TableQuery } from "./queries.ts";
import { parametersInvalid } from "./query-string.ts";
import type { Api, Call, Content, Result } from "./route.ts";
import type { TableView } from "./table-reader.ts";
import { TAG_HEADERS, tagHeaders } from "./tagged-answer.ts";

/** A row as it is sent. */
export type Row = Readonly<Record<string, AnswerValue>>;

/** Headers of a list's answer, with what they say. */
export const LIST_HEADERS = {
  ...TAG_HEADERS,
  link: 'The next page, as rel="next"; left out on the last.',
} as const;

/** Statuses of problems that a list may answer beside those of every path. */
export const LIST_PROBLEMS = [400, 503] as const;

/** What a list is made from. */
export interface List {
  readonly view: TableView;
  /** Tags of all that the answer depends on. Default: that of the view. */
  readonly tags?: readonly string[];
  readonly keys: readonly KeyColumn[];
  readonly hash: string;
  readonly limit: number;
  /** Start of the range that the server chose, to be kept for the next pages. */
  readonly pinnedFrom?: Instant;
  readonly query: TableQuery;
  /** Makes the row that is sent. Default: the row as it is in the table. */
  readonly shape?: (row: Row) => Row;
  /** Columns of the CSV form; left out where there is none. */
  readonly csvColumns?: readonly string[];
  readonly format?: Format | undefined;
}

/** The path's cursor, checked against its filters. @throws PARAMETER_INVALID */
export function cursorOf(
  call: Call,
  values: { readonly cursor: string | undefined },
  {
    keys,
    filters,
  }: { readonly keys: readonly KeyColumn[]; readonly filters: Readonly<Record<string, unknown>> },
): { readonly hash: string; readonly cursor: Cursor | undefined } {
  const hash = filtersHash(pathOf(call.url), filters);
  if (values.cursor === undefined) return { hash, cursor: undefined };
  const cursor = decodeCursor(values.cursor, hash, keys);
  if (typeof cursor === "object") return { hash, cursor };
  const message =
    cursor === "other filters"
      ? "cursor belongs to other filters: keep all parameters but limit and format as they were on the page before."
      : "cursor is none of this API: take the next_cursor of the page before, or leave it out to begin anew.";
  throw parametersInvalid([{ parameter: "cursor", message }]);
}

/** Answers with a page. @throws NOT_ACCEPTABLE and what the query throws */
export async function answerList(api: Api, call: Call, list: List): Promise<Result> {
  const format = formatOf(call, list);
  const { view } = list;
  const headers = tagHeaders(api, call, { tags: list.tags ?? [view.tag], view, format });
  if (isMatched(call.ifNoneMatch, headers.etag)) return { status: 304, headers };
  const answer = await view.query(list.query, { timeoutMs: api.queryTimeoutMs, signal: call.signal });
  const rows = rowsOf(answer, list.shape);
  const next = answer.truncated ? nextCursor(answer, list) : null;
  const paged = next === null ? headers : { ...headers, link: `<${nextUrl(call.url, next)}>; rel="next"` };
  if (format === "json") return { status: 200, headers: paged, body: { data: rows, next_cursor: next } };
  const body = csvOf(list.csvColumns ?? [], rows);
  return { status: 200, headers: paged, contentType: CSV_TYPE, body };
}

/** Forms of a list in the documents. */
export function listContent(row: TSchema, example: Row, hasCsv: boolean): Readonly<Record<string, Content>> {
  const schema = Type.Object({
    data: Type.Array(row),
    next_cursor: Type.Unsafe({
      type: ["string", "null"],
      description: "Give it as cursor to get the next page; null on the last.",
    }),
  });
  const json = { schema, example: { data: [example], next_cursor: null } };
  const csv = { schema: Type.String(), example: csvOf(Object.keys(example), [example]) };
  return hasCsv ? { "application/json": json, "text/csv": csv } : { "application/json": json };
}

/** The rows of an answer as objects. */
export function rowsOf({ columns, rows }: Answer, shape?: (row: Row) => Row): readonly Row[] {
  const names = columns.map((column) => column.name);
  return rows.map((values) => {
    const row: Record<string, AnswerValue> = {};
    for (let index = 0; index < names.length; index += 1) row[names[index] ?? ""] = values[index] ?? null;
    return shape === undefined ? row : shape(row);
  });
}

function formatOf(call: Call, list: List): Format {
  if (list.csvColumns === undefined) return "json";
  const format = formatFor(list.format, call.accept);
  if (format !== undefined) return format;
  throw new ProtocolError(
    "NOT_ACCEPTABLE",
    "This path answers in application/json and text/csv: name one in the Accept header, or give format=json or format=csv.",
  );
}

function nextCursor(answer: Answer, { keys, hash, pinnedFrom }: List): string {
  const last = answer.rows.at(-1) ?? [];
  const key = keys.map((column) =>
    keyValue(last[answer.columns.findIndex(({ name }) => name === column.name)], column),
  );
  return encodeCursor(hash, pinnedFrom === undefined ? { key } : { key, pinnedFrom });
}

function keyValue(value: AnswerValue | undefined, { type }: KeyColumn): KeyValue {
  if (typeof value === "number") return value;
  invariant(typeof value === "string", "a key holds texts and numbers");
  return type === "timestamp" ? (parseInstant(value) ?? value) : value;
}

function nextUrl(url: string, cursor: string): string {
  const parameters = new URLSearchParams(url.split("?")[1] ?? "");
  parameters.set("cursor", cursor);
  return `${pathOf(url)}?${parameters.toString()}`;
}

function pathOf(url: string): string {
  return url.split("?", 1)[0] ?? "/";
}

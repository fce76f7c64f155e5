// What the checks of a verification share: the lake, where findings go, and one bounded way to ask.

import type { AnswerValue, Input } from "../engine.ts";
import type { Lake } from "../lake.ts";
import type { Finding } from "./finding.ts";

/** A verification under way. */
export interface Job {
  readonly lake: Lake;
  readonly queryTimeoutMs: number;
  readonly report: (finding: Finding) => void;
  /** Says what is being looked at. */
  readonly progress: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Most findings of one kind that are named one by one; the others are only counted. */
export const NAMED_MAX = 20;
/** Answers are by file or by day. */
const ROWS_MAX = 1_000_000;

/** A value of a row: what is made of parts is text. */
export type Cell = string | number | boolean | null;

/** The rows of a query. */
export async function ask(
  { lake, queryTimeoutMs, signal }: Job,
  sql: string,
  inputs: readonly Input[],
): Promise<readonly (readonly Cell[])[]> {
  const query = { sql, inputs, rowsMax: ROWS_MAX, timeoutMs: queryTimeoutMs };
  const { rows } = await lake.engine.query(query, signal);
  return rows.map((row) => row.map(cellOf));
}

function cellOf(value: AnswerValue): Cell {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : value;
}

/** A whole number with its thousands apart. */
export function counted(count: number | bigint, what: string): string {
  return `${count.toLocaleString("en")} ${what}${Number(count) === 1 ? "" : "s"}`;
}

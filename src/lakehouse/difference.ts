// Whether a table holds the same rows in two lakes.

import type { TableName } from "../reading/tables.ts";
import { present } from "../support/assert.ts";
import { tableInput, type Lake } from "./lake.ts";
import { localInputs } from "./local-inputs.ts";
import { isIngestAppId } from "./operations.ts";

/** Columns that tell when a row was made, not what it says. */
const MADE_WHEN: readonly string[] = ["created_at", "ingest_ts", "log_ts", "ingest_date", "restated_at"];

/** Counts of rows, duplicates counted. */
export interface Difference {
  /** Rows of the first lake. */
  readonly rows: number;
  readonly onlyHere: number;
  readonly onlyThere: number;
}

/** Two lakes and how they are compared. */
export interface Comparison {
  readonly lake: Lake;
  readonly other: Lake;
  readonly timeoutMs: number;
  /** Columns that are not compared, beside the times at which rows were made. Default: none. */
  readonly leftOut?: readonly string[];
}

/** True if the two lakes were fed from different logs, or one of them from none. */
export async function haveOtherLogs({ lake, other }: Pick<Comparison, "lake" | "other">): Promise<boolean> {
  const [here, there] = [await partitionsTaken(lake), await partitionsTaken(other)];
  return !here.some((appId) => there.includes(appId));
}

async function partitionsTaken(lake: Lake): Promise<readonly string[]> {
  const bronze = await lake.table("bronze/readings").snapshot();
  return [...(bronze?.txns.keys() ?? [])].filter(isIngestAppId);
}

/** Compares the newest versions of a table in two lakes, every cell but the times at which rows were made. */
export async function differingRows(
  name: TableName,
  { lake, other, timeoutMs, leftOut = [] }: Comparison,
): Promise<Difference> {
  const here = {
    ...tableInput(lake, name, { snapshot: await lake.table(name).snapshot() }),
    name: "here",
  };
  const there = {
    ...tableInput(other, name, { snapshot: await other.table(name).snapshot() }),
    name: "there",
  };
  const ignored = [...MADE_WHEN, ...leftOut];
  const compared = here.columns.map((column) => column.name).filter((column) => !ignored.includes(column));
  const columns = compared.map((column) => `"${column}"`).join(", ");
  const only = (a: string, b: string): string =>
    `(select count(*) from (select ${columns} from ${a} except all select ${columns} from ${b}) differing)`;
  const sql = `select (select count(*) from here), ${only("here", "there")}, ${only("there", "here")}`;
  const { rows: answer } = await lake.engine.query({
    sql,
    inputs: [here, ...(await localInputs(other.store, [there]))],
    timeoutMs,
    rowsMax: 1,
  });
  const [rows, onlyHere, onlyThere] = present(answer[0], "the counts").map(Number);
  return { rows: rows ?? 0, onlyHere: onlyHere ?? 0, onlyThere: onlyThere ?? 0 };
}

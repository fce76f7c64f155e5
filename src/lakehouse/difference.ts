// Whether a table holds the same rows in two lakes.

import type { TableName } from "../reading/tables.ts";
import { present } from "../support/assert.ts";
import { tableInput, type Lake } from "./lake.ts";

/** Columns that tell when a row was made, not what it says. */
const MADE_WHEN: readonly string[] = ["created_at", "ingest_ts", "log_ts", "ingest_date"];

/** Counts of rows, duplicates counted. */
export interface Difference {
  /** Rows of the first lake. */
  readonly rows: number;
  readonly onlyHere: number;
  readonly onlyThere: number;
}

/** Compares the newest versions of a table in two lakes, every cell but the times at which rows were made. */
export async function differingRows(
  name: TableName,
  { lake, other, timeoutMs }: { readonly lake: Lake; readonly other: Lake; readonly timeoutMs: number },
): Promise<Difference> {
  const here = {
    ...(await tableInput(lake, name, { snapshot: await lake.table(name).snapshot() })),
    name: "here",
  };
  const there = {
    ...(await tableInput(other, name, { snapshot: await other.table(name).snapshot() })),
    name: "there",
  };
  const compared = here.columns.map((column) => column.name).filter((column) => !MADE_WHEN.includes(column));
  const columns = compared.map((column) => `"${column}"`).join(", ");
  const only = (a: string, b: string): string =>
    `(select count(*) from (select ${columns} from ${a} except all select ${columns} from ${b}) differing)`;
  const sql = `select (select count(*) from here), ${only("here", "there")}, ${only("there", "here")}`;
  const { rows: answer } = await lake.engine.query({ sql, inputs: [here, there], timeoutMs, rowsMax: 1 });
  const [rows, onlyHere, onlyThere] = present(answer[0], "the counts").map(Number);
  return { rows: rows ?? 0, onlyHere: onlyHere ?? 0, onlyThere: onlyThere ?? 0 };
}

// `atrium sql`: a read-only query over the tables.

import * as kinds from "../config/kinds.ts";
import type { Answer, FilesInput } from "../lakehouse/engine.ts";
import { tableInput, type Lake } from "../lakehouse/lake.ts";
import { snapshotAsOf, type AsOf } from "../lakehouse/time-travel.ts";
import { sqlNameOf, TABLE_NAMES } from "../reading/tables.ts";
import { AtriumError } from "../support/errors.ts";
import { answerAsCsv, answerAsJson, answerAsText } from "./answer-text.ts";
import { defineCommand, flag, optionalFlag, switchFlag } from "./command.ts";
import { LAKE_SETTINGS, parts } from "./stages.ts";

const ROWS_MAX = 10_000_000;

/** The command. */
export const sqlCommand = defineCommand({
  about:
    `Answers a read-only query over the newest versions of the tables: ${TABLE_NAMES.map(sqlNameOf).join(", ")}.\n` +
    "The SQL is DuckDB's; all times are UTC.",
  positionals: [
    { name: "SQL", doc: 'the query, in quotes: "select * from gold_room_daily"', isRequired: true },
  ],
  flags: {
    json: switchFlag("Prints an array of objects."),
    csv: switchFlag("Prints CSV with a header."),
    asOf: optionalFlag(
      kinds.versionOrTime,
      "Reads the tables as they were at this time (a day means its beginning), or the one table that the query names at this version.",
    ),
    rows: flag(kinds.integer(1, ROWS_MAX), "100000", "Prints at most so many rows."),
  },
  settings: LAKE_SETTINGS,
  examples: [
    'sql --lake ./lake "select room, event_date, temp_avg, co2_max, comfort_score from gold_room_daily order by all"',
    'sql --lake ./lake --as-of 2026-11-24T12:00:00Z "select count(*) n from silver_readings"',
    'sql --lake ./lake --json "select count(*) n from silver_readings"',
  ],
  run: async (context) => {
    const { json, csv, asOf, rows } = context.flags;
    if (json && csv) throw new AtriumError("USAGE_INVALID", "--json and --csv exclude each other.");
    const [sql = ""] = context.positionals;
    await using assembly = parts(context);
    const lake = await assembly.lake({ create: false });
    const timeoutMs = context.config.api.queryTimeoutSeconds * 1000;
    const answer = await lake.engine.query(
      { sql, inputs: await inputsOf(lake, sql, asOf), rowsMax: rows, timeoutMs },
      context.signal,
    );
    for (const piece of textOf(answer, { json, csv })) context.stdout(piece);
    if (answer.truncated) context.stderr(`Only the first ${rows} rows are shown: raise --rows for more.\n`);
    return 0;
  },
});

function textOf(
  answer: Answer,
  { json, csv }: { readonly json: boolean; readonly csv: boolean },
): Iterable<string> {
  if (json) return answerAsJson(answer);
  return csv ? answerAsCsv(answer) : answerAsText(answer);
}

/** The tables that the text mentions, or all if it mentions none (`show tables`). */
async function inputsOf(lake: Lake, sql: string, asOf: AsOf | undefined): Promise<readonly FilesInput[]> {
  const named = TABLE_NAMES.filter((name) => new RegExp(`\\b${sqlNameOf(name)}\\b`, "i").test(sql));
  const names = named.length === 0 && asOf === undefined ? TABLE_NAMES : named;
  if (asOf !== undefined && "version" in asOf && names.length !== 1) {
    throw new AtriumError(
      "USAGE_INVALID",
      `--as-of ${asOf.version} is the version of one table, and the query names ${names.length}: versions differ from ` +
        "table to table. Give a time to read several as they were.",
    );
  }
  return Promise.all(
    names.map(async (name) => {
      const read = asOf === undefined ? lake.table(name).snapshot() : snapshotAsOf(lake, name, asOf);
      return tableInput(lake, name, { snapshot: await read });
    }),
  );
}

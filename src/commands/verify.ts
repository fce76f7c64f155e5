// `atrium verify`: holds a lake against its files, its log, and what its tables were made of.

import { choice } from "../config/kinds.ts";
import type { Finding } from "../lakehouse/verify/finding.ts";
import { verify, type Verification } from "../lakehouse/verify/verify.ts";
import { TABLE_NAMES, tableNamed } from "../reading/tables.ts";
import { present } from "../support/assert.ts";
import { defineCommand, optionalFlag, switchFlag } from "./command.ts";
import { LAKE_SETTINGS, LOG_SETTINGS, parts, stageOptions } from "./stages.ts";

/** The command. */
export const verifyCommand = defineCommand({
  about:
    "Checks every table's log, files, statistics and positions, makes silver again from bronze and gold again from\n" +
    "silver, and compares every cell. It changes nothing. Exit code 1: something is wrong, and how to mend it is said.",
  flags: {
    table: optionalFlag(choice(TABLE_NAMES), "Looks at this table only."),
    quick: switchFlag("Reads no rows: logs, files and positions only."),
    json: switchFlag("Prints tables and findings as one JSON object."),
  },
  settings: [...LAKE_SETTINGS, ...LOG_SETTINGS],
  examples: [
    "verify --lake ./lake",
    "verify --lake ./lake --table silver/readings",
    "verify --lake ./lake --quick",
  ],
  run: async (context) => {
    await using assembly = parts(context);
    const { table, quick, json } = context.flags;
    const lake = await assembly.lake({ create: false });
    const { queryTimeoutMs } = stageOptions(context, lake);
    const found = await verify({
      lake,
      openLog: async () => assembly.log({ readOnly: true }),
      ...(table === undefined ? {} : { table: present(tableNamed(table), table) }),
      quick,
      queryTimeoutMs,
      progress: (text) =>
        context.progress.update(() => ({ message: "verify", text: `verify ${text}`, fields: { at: text } })),
      signal: context.signal,
    });
    context.progress.end();
    const isWell = !found.findings.some((finding) => finding.isFault);
    if (json) context.stdout(`${JSON.stringify({ isWell, ...found }, null, 1)}\n`);
    else for (const line of linesOf(found, quick)) context.stdout(`${line}\n`);
    return isWell ? 0 : 1;
  },
});

function* linesOf({ findings, tables }: Verification, quick: boolean): Generator<string> {
  const faults = findings.filter((finding) => finding.isFault);
  const notes = findings.filter((finding) => !finding.isFault);
  for (const finding of [...faults, ...notes]) yield* findingLines(finding);
  if (findings.length > 0) yield "";
  for (const { table, version, rows, files } of tables) {
    const size = `${rows.toLocaleString("en").padStart(15)} rows  ${files.toLocaleString("en").padStart(7)} files`;
    yield `${table.padEnd(19)}  version ${String(version).padStart(6)}${size}`;
  }
  yield "";
  const scope = quick ? " The rows were not read (--quick)." : "";
  yield faults.length === 0
    ? `All is well.${scope}`
    : `${faults.length} ${faults.length === 1 ? "fault" : "faults"} found.${scope}`;
}

function* findingLines({ table, isFault, what, mend, file, day, room }: Finding): Generator<string> {
  const where = [day, room === undefined ? undefined : `room ${room}`].filter((part) => part !== undefined);
  yield `${isFault ? "fault" : "note "}  ${[table, ...where].join(", ")}: ${what}`;
  if (file !== undefined) yield `       ${file}`;
  yield `       ${mend}`;
}

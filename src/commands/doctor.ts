// `atrium doctor`: the state of the machine, the log, the tables and the disk on a page, and what is wrong with it.

import { describeConfig } from "../config.ts";
import { OWN_PROTOCOL } from "../lakehouse/delta/protocol.ts";
import { LAKE_FORMAT_VERSION } from "../lakehouse/lake.ts";
import { VERSION } from "../support/version.ts";
import { defineCommand, switchFlag } from "./command.ts";
import { examineDisk } from "./doctor/disk.ts";
import type { Finding } from "./doctor/finding.ts";
import { examineLake } from "./doctor/lake.ts";
import { examineSpark } from "./doctor/spark.ts";
import { examineStore } from "./doctor/store.ts";
import { LAKE_SETTINGS, LOG_SETTINGS, parts } from "./stages.ts";

/** The command. */
export const doctorCommand = defineCommand({
  about:
    "Shows the state of the machine, the lake, its tables, the log and the disk on a page: how big, how old, how far behind,\n" +
    "what is left over. It changes nothing (on S3 it writes and removes a few objects of its own); exit code 1 if anything fails. atrium verify looks at every row.",
  flags: {
    config: switchFlag("Shows every setting too, secrets as ***."),
    json: switchFlag("Prints the findings as JSON."),
  },
  settings: [...LAKE_SETTINGS, ...LOG_SETTINGS, "SOURCE_URL"],
  examples: ["doctor --lake ./lake"],
  run: async (context) => {
    await using assembly = parts(context);
    const { minReaderVersion: reader, minWriterVersion: writer } = OWN_PROTOCOL;
    const formats = `lake format ${LAKE_FORMAT_VERSION}, Delta reader ${reader} and writer ${writer}`;
    const program = `atrium ${VERSION}, ${formats}, Node ${process.versions.node}`;
    const findings: Finding[] = [
      { state: "ok", what: "program", found: program },
      ...(await examineDisk(context)),
      ...(await examineStore(context, assembly)),
      ...(await examineLake(context, assembly)),
      ...(await examineSpark(context, assembly)),
    ];
    if (context.flags.config) {
      for (const { name, value } of describeConfig(context.config)) {
        findings.push({ state: "ok", what: name, found: value });
      }
    }
    if (context.flags.json) context.stdout(`${JSON.stringify(findings, null, 1)}\n`);
    else for (const line of linesOf(findings)) context.stdout(`${line}\n`);
    return findings.some((finding) => finding.state === "fail") ? 1 : 0;
  },
});

/** One line a finding, aligned; the cells of tables stand below one another. */
function* linesOf(findings: readonly Finding[]): Generator<string> {
  const wide = findings.filter((finding) => !isSetting(finding));
  const width = wide.reduce((widest, { what }) => Math.max(widest, what.length), 0) + 1;
  const rows = findings.flatMap(({ cells }) => (cells === undefined ? [] : [cells]));
  const columns = (rows[0] ?? []).map((_, place) =>
    rows.reduce((widest, cells) => Math.max(widest, (cells[place] ?? "").length), 0),
  );
  for (const { state, what, found, cells } of findings) {
    const text = cells?.map((cell, place) => cell.padStart(columns[place] ?? 0)).join("  ") ?? found;
    yield `${state.padEnd(4)}  ${`${what}:`.padEnd(width)} ${text}`.trimEnd();
  }
}

/** The names of settings, as `source.url`, are long: they do not move the others. */
const isSetting = ({ what }: Finding): boolean => what.includes(".");

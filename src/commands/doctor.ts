// `atrium doctor`: looks at the machine, the configuration, the lake and the log, and says what is wrong.

import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { Assembly } from "../assemble.ts";
import { describeConfig } from "../config.ts";
import { nextPositions } from "../lakehouse/bronze/positions.ts";
import { LAKE_FORMAT_VERSION, type Lake } from "../lakehouse/lake.ts";
import { rowsOf } from "../lakehouse/summary.ts";
import { TABLE_NAMES } from "../reading/tables.ts";
import { isAtriumError, messageOf } from "../support/errors.ts";
import { isS3Url } from "../support/s3-url.ts";
import { VERSION } from "../support/version.ts";
import { defineCommand, switchFlag, type CommandContext } from "./command.ts";
import { examineStore, type Finding } from "./doctor-store.ts";
import { LAKE_SETTINGS, LOG_SETTINGS, parts } from "./stages.ts";

/** Less free disk than this is a warning, bytes. */
const FREE_BYTES_MIN = 1024 ** 3;

/** The command. */
export const doctorCommand = defineCommand({
  about:
    "Checks the machine, the configuration, the lake, its tables and the log; exit code 1 if anything fails.",
  flags: {
    config: switchFlag("Shows every setting too, secrets as ***."),
    json: switchFlag("Prints the findings as JSON."),
  },
  settings: [...LAKE_SETTINGS, ...LOG_SETTINGS, "SOURCE_URL"],
  examples: ["doctor --lake ./lake"],
  run: async (context) => {
    await using assembly = parts(context);
    const findings = [
      {
        state: "ok" as const,
        what: "program",
        found: `atrium ${VERSION}, lake format ${LAKE_FORMAT_VERSION}, Node ${process.versions.node}`,
      },
      ...(await examineDisk(context)),
      ...(await examineStore(context, assembly)),
      ...(await examineLake(context, assembly)),
    ];
    if (context.flags.config) {
      for (const { name, value } of describeConfig(context.config)) {
        findings.push({ state: "ok", what: name, found: value });
      }
    }
    if (context.flags.json) context.stdout(`${JSON.stringify(findings, null, 1)}\n`);
    else {
      for (const { state, what, found } of findings) {
        context.stdout(`${state.padEnd(4)}  ${what}: ${found}\n`);
      }
    }
    return findings.some((finding) => finding.state === "fail") ? 1 : 0;
  },
});

async function examineDisk({ config }: CommandContext): Promise<readonly Finding[]> {
  const place = isS3Url(config.lake.url) ? config.cache.folder : config.lake.url;
  for (let folder = place; ; folder = dirname(folder)) {
    const facts = await statfs(folder).catch(() => undefined);
    if (facts === undefined && dirname(folder) !== folder) continue;
    if (facts === undefined) return [{ state: "fail", what: "disk", found: `${folder} cannot be examined` }];
    const free = facts.bavail * facts.bsize;
    return [
      {
        state: free < FREE_BYTES_MIN ? "warn" : "ok",
        what: "disk",
        found: `${megabytes(free)} MB free for ${place}`,
      },
    ];
  }
}

async function examineLake(context: CommandContext, assembly: Assembly): Promise<readonly Finding[]> {
  let lake: Lake;
  try {
    lake = await assembly.lake({ create: false });
  } catch (error) {
    const state = isAtriumError(error, "NOT_FOUND") ? "warn" : "fail";
    return [{ state, what: "lake", found: messageOf(error) }];
  }
  return [
    { state: "ok", what: "lake", found: lake.store.url },
    await examine("engine", async () => {
      const { rows } = await lake.engine.query({
        sql: "select version()",
        inputs: [],
        rowsMax: 1,
        timeoutMs: 10_000,
      });
      return `DuckDB ${JSON.stringify(rows[0]?.[0])}`;
    }),
    ...(await Promise.all(
      TABLE_NAMES.map(async (name) => examine(name, async () => describeTable(lake, name))),
    )),
    await examine("log", async () => describeLog(context, assembly, lake)),
  ];
}

async function examine(what: string, look: () => Promise<string>): Promise<Finding> {
  try {
    return { state: "ok", what, found: await look() };
  } catch (error) {
    return { state: isAtriumError(error, "NOT_FOUND") ? "warn" : "fail", what, found: messageOf(error) };
  }
}

async function describeTable(lake: Lake, name: (typeof TABLE_NAMES)[number]): Promise<string> {
  const snapshot = await lake.table(name).snapshot();
  if (snapshot === undefined) return "not made yet";
  return `version ${snapshot.version}, ${rowsOf(snapshot).toLocaleString("en")} rows in ${snapshot.files.size} files`;
}

async function describeLog({ config }: CommandContext, assembly: Assembly, lake: Lake): Promise<string> {
  const log = await assembly.log({ readOnly: true });
  const stats = await log.stats();
  const bronze = await lake.table("bronze/readings").snapshot();
  const ranges = await log.ranges([...(await log.partitions()).keys()]);
  const next =
    bronze === undefined
      ? ranges.map((range) => range.start)
      : nextPositions(bronze, await log.identity(), ranges).map((position) => position.offset);
  const waiting = ranges.reduce((sum, range, index) => sum + range.end - (next[index] ?? range.start), 0n);
  const size = `${megabytes(stats.usedBytes)} of ${config.log.sizeMbMax} MB used`;
  return `${config.log.path ?? "log"}, format ${stats.formatVersion}, ${size}, ${waiting.toLocaleString("en")} messages not yet in bronze`;
}

function megabytes(bytes: number): string {
  return Math.round(bytes / 1_048_576).toLocaleString("en");
}

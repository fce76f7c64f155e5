// `atrium upkeep`: looks after all tables once.

import { type TableUpkeep, upkeep, type UpkeepSummary } from "../lakehouse/upkeep/upkeep.ts";
import { defineCommand, switchFlag } from "./command.ts";
import { LAKE_SETTINGS, parts } from "./stages.ts";
import { upkeepRules, UPKEEP_SETTINGS } from "./upkeep-rules.ts";

/** The command. */
export const upkeepCommand = defineCommand({
  about:
    "Looks after all tables once: days that are too old expire, small files are merged, old commits and the files that\n" +
    "nobody needs any more are removed. It may run beside everything else, and be stopped at any time; `up` does the\n" +
    "same every UPKEEP_EVERY_SECONDS. Exit code 99: there was nothing to do.",
  flags: { json: switchFlag("Prints the summary as one JSON object.") },
  settings: [...LAKE_SETTINGS, ...UPKEEP_SETTINGS],
  examples: ["upkeep --lake ./lake", "upkeep --lake ./lake --grace-hours 1 --retention-bronze-days 30"],
  run: async (context) => {
    await using assembly = parts(context);
    const lake = await assembly.lake({ create: false });
    const { logger, signal } = context;
    const summary = await upkeep({ lake, logger, signal, ...upkeepRules(context) });
    context.stdout(context.flags.json ? `${JSON.stringify(asJson(summary))}\n` : asText(summary));
    const [failure] = summary.failures;
    if (failure !== undefined) throw failure.error;
    return summary.isAnythingDone ? 0 : 99;
  },
});

function asJson({ failures, ...summary }: UpkeepSummary): unknown {
  const told = failures.map(({ table, error: { code, message } }) => ({
    table: table ?? null,
    code,
    message,
  }));
  return { ...summary, failures: told };
}

function asText({ tables, leftoversRemoved, isAnythingDone }: UpkeepSummary): string {
  const lines = tables.flatMap((done) => {
    const facts = factsOf(done);
    return facts.length === 0 ? [] : [`${done.table}: ${facts.join("; ")}.\n`];
  });
  if (leftoversRemoved > 0) lines.push(`${leftoversRemoved} files of writers that died removed.\n`);
  return isAnythingDone ? lines.join("") : "There was nothing to do.\n";
}

function factsOf({ retention, compaction, log, vacuum }: TableUpkeep): readonly string[] {
  const facts: string[] = [];
  if (retention !== undefined && retention.filesRemoved > 0) {
    const days = retention.daysRemoved;
    facts.push(`${days.length} ${days.length === 1 ? "day" : "days"} expired, ${days[0]} to ${days.at(-1)}`);
  }
  if (compaction !== undefined && compaction.filesBefore > 0) {
    facts.push(`${compaction.filesBefore} files merged into ${compaction.filesAfter}`);
  }
  if (log?.isCheckpointed === true) facts.push("checkpoint written");
  if (log !== undefined && log.commitsRemoved > 0) facts.push(`${log.commitsRemoved} old commits removed`);
  if (vacuum !== undefined && vacuum.filesRemoved > 0) {
    facts.push(`${vacuum.filesRemoved} files removed, ${megabytes(vacuum.bytesRemoved)} MB`);
  }
  return facts;
}

function megabytes(bytes: number): string {
  return (bytes / 1_048_576).toFixed(1);
}

// `atrium run`: all of it once, the stages side by side, then it exits.

import type { SettingName } from "../config/settings.ts";
import type { Lake } from "../lakehouse/lake.ts";
import { rowsOf } from "../lakehouse/summary.ts";
import { runOnce, type RunSummary } from "../pipeline.ts";
import { TABLE_NAMES, type TableName } from "../reading/tables.ts";
import type { ReplaySummary } from "../replay/replay.ts";
import { peakMemoryMb } from "../support/memory.ts";
import { defineCommand, switchFlag, type CommandContext } from "./command.ts";
import {
  BATCH_SETTINGS,
  checkSource,
  expiredText,
  ingestOptions,
  LAKE_SETTINGS,
  LOG_SETTINGS,
  parts,
  prepareTopics,
  replayFiles,
  restatedText,
  SOURCE_SETTINGS,
  stageOptions,
} from "./stages.ts";

const settings: readonly SettingName[] = [
  ...SOURCE_SETTINGS,
  ...LAKE_SETTINGS,
  ...LOG_SETTINGS,
  ...BATCH_SETTINGS,
];

/** The command. */
export const runCommand = defineCommand({
  about:
    "Replays the raw files at full speed, ingests them to bronze, refines to silver, makes gold, prints a summary and exits.\n" +
    "It goes on where an earlier run stopped: a second run of the same files adds nothing.",
  flags: {
    json: switchFlag("Prints the summary as one JSON object."),
    restart: switchFlag("Sends files again from their beginning; silver leaves out what it holds."),
  },
  settings,
  needs: ["SOURCE_URL"],
  examples: ["run --raw ./raw --lake ./lake"],
  run: async (context) => {
    const startMs = context.clock.monotonicMs();
    await using assembly = parts(context);
    await checkSource(context, assembly);
    const lake = await assembly.lake({ create: true });
    const log = await assembly.log();
    // Before replay and ingest begin side by side: both expect them.
    await prepareTopics(context, log);
    const summary = await runOnce({
      ...stageOptions(context, lake),
      signal: context.signal,
      ingest: await ingestOptions(context, { assembly, lake, log }),
      replay: async (boundedLog, signal) =>
        replayFiles(context, {
          assembly,
          log: boundedLog,
          pace: { mode: "max" },
          restart: context.flags.restart,
          signal,
        }),
    });
    const seconds = (context.clock.monotonicMs() - startMs) / 1000;
    const report = reportOf(summary, { tables: await tableRows(lake), seconds });
    context.stdout(context.flags.json ? `${JSON.stringify(report)}\n` : reportText(report, context));
    if (context.signal.aborted) context.stderr("Stopped before the end; the next run goes on from here.\n");
    return 0;
  },
});

interface Report {
  /** Messages sent by this run. */
  readonly messages: number;
  /** Rows that this run added. */
  readonly bronze: number;
  readonly rejected: number;
  readonly silver: number;
  readonly duplicates: number;
  readonly late: number;
  readonly malformed: number;
  readonly files: number;
  readonly filesSkipped: readonly { readonly file: string; readonly reason: string }[];
  readonly daysReplaced: readonly string[];
  readonly daysRestated: readonly string[];
  readonly valuesRestated: number;
  readonly lateReadings: number;
  readonly daysExpired: readonly string[];
  /** Rows of all tables after it. */
  readonly tables: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly readingsPerSecond: number;
  readonly peakMemoryMb: number;
}

function reportOf(
  summary: RunSummary<ReplaySummary>,
  rest: { readonly tables: Readonly<Record<string, number>>; readonly seconds: number },
): Report {
  const { replay, ingest, refine, gold } = summary;
  return {
    messages: replay.messages,
    bronze: ingest.readings,
    rejected: ingest.rejected,
    silver: refine.rowsAdded,
    duplicates: refine.rowsRead - refine.rowsAdded,
    late: replay.late,
    malformed: replay.malformed,
    files: replay.files,
    filesSkipped: [
      ...replay.filesSkipped,
      ...replay.filesEmpty.map((file) => ({ file, reason: "it holds no line" })),
    ],
    daysReplaced: gold.daysReplaced,
    daysRestated: gold.daysRestated,
    valuesRestated: gold.valuesRestated,
    lateReadings: gold.lateReadings,
    daysExpired: gold.daysExpired,
    tables: rest.tables,
    seconds: Math.round(rest.seconds * 1000) / 1000,
    readingsPerSecond: Math.round(replay.messages / rest.seconds),
    peakMemoryMb: peakMemoryMb(),
  };
}

async function tableRows(lake: Lake): Promise<Readonly<Record<TableName, number>>> {
  const counts = TABLE_NAMES.map(async (name) => [name, rowsOf(await lake.table(name).snapshot())] as const);
  return Object.fromEntries(await Promise.all(counts)) as Record<TableName, number>;
}

function reportText(report: Report, { config }: CommandContext): string {
  const count = (value: number): string => value.toLocaleString("en");
  const lines = [
    `messages   ${count(report.messages)} sent (${count(report.malformed)} malformed lines, ${count(report.late)} late)`,
    `bronze     ${count(report.bronze)} readings, ${count(report.rejected)} rejected`,
    `silver     ${count(report.silver)} readings (${count(report.duplicates)} duplicates left out)`,
    `gold       ${report.daysReplaced.length === 0 ? "nothing new" : `days ${report.daysReplaced.join(", ")}`}`,
    ...(report.daysRestated.length === 0 ? [] : [`restated   ${restatedText(report)}`]),
    ...(report.daysExpired.length === 0 ? [] : [`expired    ${expiredText(report.daysExpired)}`]),
    `took       ${report.seconds.toFixed(1)} s, ${count(report.readingsPerSecond)} readings/s, ${report.peakMemoryMb} MB at most`,
    ...report.filesSkipped.map(({ file, reason }) => `skipped    ${file}: ${reason}`),
    "",
    `Ask:   atrium sql --lake ${config.lake.url} "select * from gold_room_daily"`,
    `Serve: atrium serve --lake ${config.lake.url}`,
  ];
  return `${lines.join("\n")}\n`;
}

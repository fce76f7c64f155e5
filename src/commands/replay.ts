// `atrium replay`: raw files into the log, at a pace.

import { meteredLog } from "../log/metered-log.ts";
import { defineCommand, switchFlag } from "./command.ts";
import { measureLake, METRICS_SETTINGS, processMetrics, retryCounter, withMetricsPort } from "./measuring.ts";
import {
  checkSource,
  LOG_SETTINGS,
  PACE_SETTINGS,
  paceOf,
  parts,
  prepareTopics,
  replayFiles,
  SOURCE_SETTINGS,
} from "./stages.ts";

/** The command. */
export const replayCommand = defineCommand({
  about:
    "Sends the raw files to the log as JSON messages, merged on one clock: at a rate, in time-warp, or as fast as it can.\n" +
    "It goes on where it stopped; a message that is in the log is not sent again.",
  flags: {
    json: switchFlag("Prints the summary as one JSON object."),
    restart: switchFlag("Sends files again from their beginning; silver leaves out what it holds."),
  },
  settings: [...SOURCE_SETTINGS, ...PACE_SETTINGS, ...LOG_SETTINGS, "LAKE_URL", ...METRICS_SETTINGS],
  needs: ["SOURCE_URL"],
  examples: ["replay --raw ./raw --lake ./lake --replay-mode timewarp --timewarp-factor 600"],
  run: async (context) => {
    const metrics = await processMetrics(context);
    await using assembly = parts(context, { onRetry: retryCounter(metrics) });
    await checkSource(context, assembly);
    const lake = await assembly.lake({ create: true });
    const log = meteredLog(await assembly.log(), metrics);
    await prepareTopics(context, log);
    // Who sends sees too how far bronze is behind, even while nobody ingests.
    measureLake(context, metrics, { lake, log });
    const { signal } = context;
    const { restart } = context.flags;
    const summary = await withMetricsPort(context, metrics, async () =>
      replayFiles(context, { assembly, log, pace: paceOf(context), restart, signal }),
    );
    if (context.flags.json) context.stdout(`${JSON.stringify(summary)}\n`);
    else {
      context.stdout(`${summary.messages.toLocaleString("en")} messages sent from ${summary.files} files.\n`);
    }
    return 0;
  },
});

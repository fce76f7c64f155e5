// `atrium ingest`: the log to bronze.

import { ingest } from "../lakehouse/bronze/ingest.ts";
import { meteredLake } from "../lakehouse/metered-lake.ts";
import { meteredLog } from "../log/metered-log.ts";
import { defineCommand, switchFlag } from "./command.ts";
import {
  ingestCounter,
  measureLake,
  METRICS_SETTINGS,
  processMetrics,
  retryCounter,
  withMetricsPort,
} from "./measuring.ts";
import {
  BATCH_SETTINGS,
  ingestOptions,
  LAKE_SETTINGS,
  LOG_SETTINGS,
  parts,
  prepareTopics,
} from "./stages.ts";

/** The command. */
export const ingestCommand = defineCommand({
  about:
    "Takes messages from the log to bronze, exactly once: readings to bronze/readings, the others whole to bronze/rejected.\n" +
    "It goes on until it is stopped, or with --once to the end of the log.",
  flags: {
    once: switchFlag("Stops at the end of the log."),
    json: switchFlag("Prints the summary as one JSON object."),
  },
  settings: [...LAKE_SETTINGS, ...LOG_SETTINGS, ...BATCH_SETTINGS, ...METRICS_SETTINGS],
  examples: ["ingest --lake ./lake --once"],
  run: async (context) => {
    const metrics = await processMetrics(context);
    await using assembly = parts(context, { onRetry: retryCounter(metrics) });
    const lake = meteredLake(await assembly.lake({ create: true }), metrics);
    const log = meteredLog(await assembly.log(), metrics);
    await prepareTopics(context, log);
    measureLake(context, metrics, { lake, log });
    const { once, json } = context.flags;
    const options = await ingestOptions(context, { assembly, lake, log }, ingestCounter(metrics));
    const summary = await withMetricsPort(context, metrics, async () =>
      ingest({ ...options, signal: context.signal, isComplete: () => once }),
    );
    if (json) context.stdout(`${JSON.stringify(summary)}\n`);
    else {
      context.stdout(
        `${summary.readings.toLocaleString("en")} readings, ${summary.rejected.toLocaleString("en")} rejected.\n`,
      );
    }
    return once && summary.batches === 0 && !context.signal.aborted ? 99 : 0;
  },
});

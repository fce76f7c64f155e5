// `atrium refine`: bronze to silver.

import { meteredLake } from "../lakehouse/metered-lake.ts";
import { refineLoop } from "../pipeline.ts";
import { makeWake } from "../support/wake.ts";
import { defineCommand, switchFlag } from "./command.ts";
import {
  measureLake,
  METRICS_SETTINGS,
  processMetrics,
  refineCounter,
  retryCounter,
  withMetricsPort,
} from "./measuring.ts";
import { LAKE_SETTINGS, parts, stageOptions } from "./stages.ts";

/** The command. */
export const refineCommand = defineCommand({
  about:
    "Takes new bronze versions to silver: typed, one row a sensor and event time, with a quality flag.\n" +
    "It goes on until it is stopped, or with --once until silver holds all of bronze.",
  flags: {
    once: switchFlag("Stops when silver holds all of bronze."),
    json: switchFlag("Prints the summary as one JSON object."),
  },
  settings: [...LAKE_SETTINGS, "BATCH_ROWS", ...METRICS_SETTINGS],
  examples: ["refine --lake ./lake --once"],
  run: async (context) => {
    const metrics = await processMetrics(context);
    await using assembly = parts(context, { onRetry: retryCounter(metrics) });
    const lake = meteredLake(await assembly.lake({ create: false }), metrics);
    measureLake(context, metrics, { lake });
    const { once, json } = context.flags;
    const { signal, clock } = context;
    const summary = await withMetricsPort(context, metrics, async () =>
      refineLoop(stageOptions(context, lake), {
        bell: makeWake(clock),
        isComplete: () => once,
        onBatch: refineCounter(metrics),
        signal,
      }),
    );
    if (json) context.stdout(`${JSON.stringify(summary)}\n`);
    else {
      context.stdout(
        `${summary.rowsAdded.toLocaleString("en")} rows added of ${summary.rowsRead.toLocaleString("en")} read.\n`,
      );
    }
    return once && summary.batches === 0 && !signal.aborted ? 99 : 0;
  },
});

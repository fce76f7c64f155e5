// `atrium up`: all stages, scheduled gold and the API as one long-lived process.

import { ingest, type IngestedBatch } from "../lakehouse/bronze/ingest.ts";
import { meteredLake } from "../lakehouse/metered-lake.ts";
import { meteredLog } from "../log/metered-log.ts";
import { daysOverLoop, goldLoop, refineLoop, together, upkeepLoop } from "../pipeline.ts";
import { present } from "../support/assert.ts";
import { parseCron } from "../support/cron.ts";
import { isAtriumError } from "../support/errors.ts";
import { makeWake } from "../support/wake.ts";
import { defineCommand, switchFlag } from "./command.ts";
import { ingestCounter, measureLake, processMetrics, refineCounter, retryCounter } from "./measuring.ts";
import { serveUntil } from "./serving.ts";
import {
  BATCH_SETTINGS,
  checkSource,
  ingestOptions,
  LAKE_SETTINGS,
  LOG_SETTINGS,
  PACE_SETTINGS,
  paceOf,
  parts,
  prepareTopics,
  replayFiles,
  SOURCE_SETTINGS,
  stageOptions,
} from "./stages.ts";
import { upkeepRules, UPKEEP_SETTINGS } from "./upkeep-rules.ts";

/** The command. */
export const upCommand = defineCommand({
  about:
    "Runs everything in one process until it is stopped: replay at its pace, ingest, refine, gold of the\n" +
    "days that are over by GOLD_SCHEDULE (or of all every GOLD_EVERY_SECONDS), upkeep every UPKEEP_EVERY_SECONDS, API.\n" +
    "Without SOURCE_URL nothing is replayed: messages come into the log from elsewhere.",
  flags: { restart: switchFlag("Sends files again from their beginning; silver leaves out what it holds.") },
  settings: [
    ...SOURCE_SETTINGS,
    ...PACE_SETTINGS,
    ...LAKE_SETTINGS,
    ...LOG_SETTINGS,
    ...BATCH_SETTINGS,
    ...UPKEEP_SETTINGS,
    "GOLD_SCHEDULE",
    "GOLD_DELAY_SECONDS",
    "GOLD_EVERY_SECONDS",
    "UPKEEP_EVERY_SECONDS",
    "API_HOST",
    "API_PORT",
  ],
  examples: ["up --raw ./raw --lake ./lake --replay-mode timewarp --timewarp-factor 600"],
  run: async (context) => {
    const { config, logger } = context;
    const metrics = await processMetrics(context);
    await using assembly = parts(context, { onRetry: retryCounter(metrics) });
    if (config.source.url !== undefined) await checkSource(context, assembly);
    const lake = meteredLake(await assembly.lake({ create: true }), metrics);
    const log = meteredLog(await assembly.log(), metrics);
    await prepareTopics(context, log);
    measureLake(context, metrics, { lake, log });
    const bell = makeWake(context.clock);
    const stages = stageOptions(context, lake);
    const forever = (): boolean => false;
    const countIngested = ingestCounter(metrics);
    const onBatch = refineCounter(metrics);
    const onMade = (tookMs: number): void =>
      metrics.observe("atrium_batch_duration_seconds", tookMs / 1000, { stage: "gold" });
    const onCommit = (batch: IngestedBatch): void => {
      countIngested(batch);
      bell.ring();
    };
    await together(context.signal, [
      async (signal) => {
        if (config.source.url === undefined) return;
        const { restart } = context.flags;
        try {
          const { messages, late, malformed } = await replayFiles(context, {
            assembly,
            log,
            pace: paceOf(context),
            restart,
            signal,
          });
          logger.info("replay ended", { messages, late, malformed });
        } catch (error) {
          // A damaged raw file ends the replay, not the building: the other stages and the API go on.
          if (!isAtriumError(error, "SOURCE_UNREADABLE")) throw error;
          logger.error("replay ended before its time", { code: error.code, message: error.message });
        }
      },
      async (signal) =>
        ingest({
          ...(await ingestOptions(context, { assembly, lake, log }, onCommit)),
          signal,
          isComplete: forever,
        }),
      async (signal) => refineLoop(stages, { bell, signal, isComplete: forever, onBatch }),
      async (signal) => {
        const { goldEverySeconds, goldSchedule, goldDelaySeconds } = config.lake;
        const everyMs = goldEverySeconds * 1000;
        if (everyMs > 0) return goldLoop({ ...stages, everyMs, onMade }, signal);
        const times = present(parseCron(goldSchedule), "the schedule, which was checked");
        return daysOverLoop({ ...stages, times, delayMs: goldDelaySeconds * 1000, onMade }, signal);
      },
      async (signal) => {
        const everyMs = config.upkeep.everySeconds * 1000;
        if (everyMs > 0) await upkeepLoop({ ...stages, ...upkeepRules(context), everyMs }, signal);
      },
      async (signal) => serveUntil(context, { lake, metrics }, signal),
    ]);
    return 0;
  },
});

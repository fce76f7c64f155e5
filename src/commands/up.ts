// `atrium up`: all stages, scheduled gold and the API as one long-lived process.

import { ingest } from "../lakehouse/bronze/ingest.ts";
import { goldLoop, refineLoop, together, upkeepLoop } from "../pipeline.ts";
import { isAtriumError } from "../support/errors.ts";
import { makeWake } from "../support/wake.ts";
import { defineCommand, switchFlag } from "./command.ts";
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
    "Runs everything in one process until it is stopped: replay at its pace, ingest, refine, gold every\n" +
    "GOLD_EVERY_SECONDS, upkeep every UPKEEP_EVERY_SECONDS, API.\n" +
    "Without SOURCE_URL nothing is replayed: messages come into the log from elsewhere.",
  flags: { restart: switchFlag("Sends files again from their beginning; silver leaves out what it holds.") },
  settings: [
    ...SOURCE_SETTINGS,
    ...PACE_SETTINGS,
    ...LAKE_SETTINGS,
    ...LOG_SETTINGS,
    ...BATCH_SETTINGS,
    ...UPKEEP_SETTINGS,
    "GOLD_EVERY_SECONDS",
    "UPKEEP_EVERY_SECONDS",
    "API_HOST",
    "API_PORT",
  ],
  examples: ["up --raw ./raw --lake ./lake --replay-mode timewarp --timewarp-factor 600"],
  run: async (context) => {
    const { config, logger } = context;
    await using assembly = parts(context);
    if (config.source.url !== undefined) await checkSource(context, assembly);
    const lake = await assembly.lake({ create: true });
    const log = await assembly.log();
    await prepareTopics(context, log);
    const bell = makeWake(context.clock);
    const stages = stageOptions(context, lake);
    const forever = (): boolean => false;
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
          ...(await ingestOptions(context, { assembly, lake, log })),
          signal,
          isComplete: forever,
          onCommit: () => bell.ring(),
        }),
      async (signal) => refineLoop(stages, { bell, signal, isComplete: forever }),
      async (signal) => goldLoop({ ...stages, everyMs: config.lake.goldEverySeconds * 1000 }, signal),
      async (signal) => {
        const everyMs = config.upkeep.everySeconds * 1000;
        if (everyMs > 0) await upkeepLoop({ ...stages, ...upkeepRules(context), everyMs }, signal);
      },
      async (signal) => serveUntil(context, lake, signal),
    ]);
    return 0;
  },
});

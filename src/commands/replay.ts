// `atrium replay`: raw files into the log, at a pace.

import { defineCommand, switchFlag } from "./command.ts";
import {
  checkSource,
  LOG_SETTINGS,
  PACE_SETTINGS,
  paceOf,
  parts,
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
  settings: [...SOURCE_SETTINGS, ...PACE_SETTINGS, ...LOG_SETTINGS, "LAKE_URL"],
  needs: ["SOURCE_URL"],
  examples: ["replay --raw ./raw --lake ./lake --replay-mode timewarp --timewarp-factor 600"],
  run: async (context) => {
    await using assembly = parts(context);
    await checkSource(context, assembly);
    await assembly.lake({ create: true });
    const log = await assembly.log();
    const { signal } = context;
    const summary = await replayFiles(context, {
      assembly,
      log,
      pace: paceOf(context),
      restart: context.flags.restart,
      signal,
    });
    if (context.flags.json) context.stdout(`${JSON.stringify(summary)}\n`);
    else {
      context.stdout(`${summary.messages.toLocaleString("en")} messages sent from ${summary.files} files.\n`);
    }
    return 0;
  },
});

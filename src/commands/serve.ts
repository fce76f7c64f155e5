// `atrium serve`: the API over the lake's newest versions.

import { defineCommand } from "./command.ts";
import { measureLake, processMetrics, retryCounter } from "./measuring.ts";
import { serveUntil } from "./serving.ts";
import { LAKE_SETTINGS, parts } from "./stages.ts";

/** The command. */
export const serveCommand = defineCommand({
  about: "Answers over HTTP from the newest committed versions of the tables, until it is stopped (Ctrl-C).",
  flags: {},
  settings: [...LAKE_SETTINGS, "API_HOST", "API_PORT"],
  examples: ["serve --lake ./lake --api-port 8000"],
  run: async (context) => {
    const metrics = await processMetrics(context);
    await using assembly = parts(context, { onRetry: retryCounter(metrics) });
    const lake = await assembly.lake({ create: false });
    measureLake(context, metrics, { lake });
    await serveUntil(context, { lake, metrics }, context.signal);
    return 0;
  },
});

// The API as `serve` and `up` run it: opened on the configured address, closed with the signal.

import { once } from "node:events";
import { listen, createServer } from "../api/server.ts";
import { tableReader } from "../api/table-reader.ts";
import type { Lake } from "../lakehouse/lake.ts";
import type { Metrics } from "../support/metrics.ts";
import { VERSION } from "../support/version.ts";
import type { CommandContext } from "./command.ts";

/** Serves the lake, and the metrics, until the signal aborts; requests under way are answered first. @throws PORT_IN_USE, STORE_DENIED */
export async function serveUntil(
  context: CommandContext,
  { lake, metrics }: { readonly lake: Lake; readonly metrics: Metrics },
  signal: AbortSignal,
): Promise<void> {
  const { config, clock, logger } = context;
  const { host, port, keys, queryTimeoutSeconds } = config.api;
  const server = await createServer({
    tables: tableReader(lake),
    clock,
    logger,
    version: VERSION,
    queryTimeoutMs: queryTimeoutSeconds * 1000,
    apiKeys: keys.map((key) => key.reveal()),
    metrics,
  });
  try {
    const address = await listen(server, { host, port });
    context.stdout(`Listening on ${address} (API, and its description at ${address}/docs)\n`);
    if (!signal.aborted) await once(signal, "abort");
  } finally {
    await server.close();
  }
}

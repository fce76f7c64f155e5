// What a long-running command counts: which part feeds which metric, and the port of those that have no API.

import { createMetricsServer, listen } from "../api/server.ts";
import type { SettingName } from "../config/settings.ts";
import type { IngestedBatch } from "../lakehouse/bronze/ingest.ts";
import { lagOf, newestLogTime } from "../lakehouse/bronze/lag.ts";
import type { Lake } from "../lakehouse/lake.ts";
import { setTableGauges } from "../lakehouse/metered-lake.ts";
import type { RefinedBatch } from "../lakehouse/silver/refine.ts";
import type { EventLog } from "../log/event-log.ts";
import { REJECTION_REASONS, type RejectionReason } from "../reading/parse-message.ts";
import { processFacts } from "../support/memory.ts";
import { createMetrics } from "../support/metric-registry.ts";
import type { Metrics } from "../support/metrics.ts";
import { isS3Url } from "../support/s3-url.ts";
import { VERSION } from "../support/version.ts";
import type { CommandContext } from "./command.ts";
import { diskSpace } from "./doctor/disk.ts";
import { topicNames } from "./stages.ts";

/** Settings of the commands that have a port for their metrics alone. */
export const METRICS_SETTINGS: readonly SettingName[] = ["METRICS_PORT", "API_HOST"];

/** Makes the metrics of a command, with those of the process itself. */
export async function processMetrics({ clock, logger }: CommandContext): Promise<Metrics> {
  const metrics = await createMetrics({ clock, logger });
  metrics.set("atrium_build_info", 1, { version: VERSION });
  const { uptimeSeconds } = processFacts();
  metrics.set("process_start_time_seconds", clock.nowMs() / 1000 - uptimeSeconds, {});
  let counted = 0;
  metrics.onRead({
    part: "process",
    gauges: ["process_resident_memory_bytes"],
    look: async () => {
      const { residentBytes, cpuSeconds } = processFacts();
      metrics.set("process_resident_memory_bytes", residentBytes, {});
      metrics.add("process_cpu_seconds_total", Math.max(0, cpuSeconds - counted), {});
      counted = cpuSeconds;
    },
  });
  return metrics;
}

/** Looks at the lake, its disk and, if it is given, the log whenever the metrics are read. */
export function measureLake(
  { config, clock }: CommandContext,
  metrics: Metrics,
  { lake, log }: { readonly lake: Lake; readonly log?: EventLog },
): void {
  const newest = newestLogTime(lake);
  metrics.onRead({
    part: "lake",
    gauges: ["atrium_table_version", "atrium_table_files", "atrium_table_bytes", "atrium_freshness_seconds"],
    look: async () => {
      await setTableGauges(lake, metrics);
      const newestMs = await newest();
      if (newestMs === undefined) return;
      metrics.set("atrium_freshness_seconds", Math.max(0, clock.nowMs() - newestMs) / 1000, {});
    },
  });
  metrics.onRead({
    part: "disk",
    gauges: ["atrium_disk_free_bytes", "atrium_disk_size_bytes"],
    look: async () => {
      const space = await diskSpace(isS3Url(config.lake.url) ? config.cache.folder : config.lake.url);
      if (space === undefined) return;
      metrics.set("atrium_disk_free_bytes", space.freeBytes, {});
      metrics.set("atrium_disk_size_bytes", space.sizeBytes, {});
    },
  });
  if (log === undefined) return;
  metrics.onRead({
    part: "log",
    gauges: ["atrium_lag_messages"],
    look: async () => {
      for (const { topic, partition, messages } of await lagOf(lake, log, topicNames(config.log.topics))) {
        metrics.set("atrium_lag_messages", messages, { topic, partition: String(partition) });
      }
    },
  });
}

/** Counts the batches of ingestion. Reasons begin at 0, so that the first one is a rise too. */
export function ingestCounter(metrics: Metrics): (batch: IngestedBatch) => void {
  for (const reason of Object.keys(REJECTION_REASONS)) {
    metrics.add("atrium_messages_rejected_total", 0, { reason });
  }
  const count = (reason: RejectionReason, messages: number): void =>
    metrics.add("atrium_messages_rejected_total", messages, { reason });
  return ({ readings, reasons, commitMs }) => {
    metrics.add("atrium_readings_ingested_total", readings, {});
    for (const [reason, messages] of reasons) count(reason, messages);
    metrics.observe("atrium_batch_duration_seconds", commitMs / 1000, { stage: "ingest" });
  };
}

/** Counts the batches of refining. */
export function refineCounter(metrics: Metrics): (batch: RefinedBatch, tookMs: number) => void {
  return ({ rowsRead, rowsAdded }, tookMs) => {
    metrics.add("atrium_rows_refined_total", rowsAdded, { outcome: "added" });
    metrics.add("atrium_rows_refined_total", rowsRead - rowsAdded, { outcome: "left_out" });
    metrics.observe("atrium_batch_duration_seconds", tookMs / 1000, { stage: "refine" });
  };
}

/** Counts the requests that a store or the log sends again. */
export function retryCounter(metrics: Metrics): (system: "s3" | "kafka") => void {
  for (const system of ["s3", "kafka"]) metrics.add("atrium_retries_total", 0, { system });
  return (system) => metrics.add("atrium_retries_total", 1, { system });
}

/** Does the work with /metrics open on METRICS_PORT meanwhile, if that is set. @throws PORT_IN_USE, and what the work throws */
export async function withMetricsPort<Result>(
  context: CommandContext,
  metrics: Metrics,
  work: () => Promise<Result>,
): Promise<Result> {
  const { config, clock, logger } = context;
  const { host, metricsPort, keys } = config.api;
  if (metricsPort === undefined) return work();
  const apiKeys = keys.map((key) => key.reveal());
  const server = await createMetricsServer({ metrics, clock, logger, apiKeys });
  try {
    const address = await listen(server, { host, port: metricsPort, setting: "METRICS_PORT" });
    context.stderr(`Metrics on ${address}/metrics\n`);
    return await work();
  } finally {
    await server.close();
  }
}

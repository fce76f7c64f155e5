// /metrics: what the process counts about itself, for Prometheus.

import { Type } from "typebox";
import { METRICS_TYPE } from "../../support/metric-registry.ts";
import type { Metrics } from "../../support/metrics.ts";
import { sealRoute } from "../route.ts";

const EXAMPLE = `# HELP atrium_readings_ingested_total Readings committed to bronze/readings.
# TYPE atrium_readings_ingested_total counter
atrium_readings_ingested_total 7865063
`;

/** GET /metrics. */
export const metricsRoute = (metrics: Metrics) =>
  sealRoute({
    url: "/metrics",
    operationId: "metrics",
    tag: "operation",
    summary: "Counts, sizes and durations for Prometheus, in its text format.",
    description: "Of the process that answers. The names are kept from version to version.",
    parameters: {},
    content: { "text/plain": { schema: Type.String(), example: EXAMPLE } },
    problems: [],
    handle: async () => ({
      status: 200,
      headers: { "cache-control": "no-store" },
      contentType: METRICS_TYPE,
      body: await metrics.text(),
    }),
  });

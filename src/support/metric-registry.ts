// The metrics of one process, kept by Prometheus's own client.

import type { Clock } from "./clock.ts";
import { messageOf } from "./errors.ts";
import type { Logger } from "./logger.ts";
import { type Look, type MetricName, type Metrics, METRICS } from "./metrics.ts";

/** The media type of the text. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Upper bounds of the buckets of durations, s: from a query of a few ms to a batch of minutes. */
const BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** A part that answers no faster is left out of the answer; Prometheus itself waits for 10 s. */
const LOOK_MS_MAX = 5000;

/** Makes the metrics of this process, all counters at 0. The client is loaded only here. */
export async function createMetrics({
  clock,
  logger,
}: {
  readonly clock: Clock;
  readonly logger: Logger;
}): Promise<Metrics> {
  const { Counter, Gauge, Histogram, Registry } = await import("@prometheus-io/client");
  const registry = new Registry();
  const counters = new Map<MetricName, InstanceType<typeof Counter<string>>>();
  const gauges = new Map<MetricName, InstanceType<typeof Gauge<string>>>();
  const histograms = new Map<MetricName, InstanceType<typeof Histogram<string>>>();
  for (const name of METRIC_NAMES) {
    const { kind, help, labels } = METRICS[name];
    const shape = { name, help, labelNames: labels, registers: [registry] };
    if (kind === "counter") counters.set(name, new Counter<string>(shape));
    else if (kind === "gauge") gauges.set(name, new Gauge<string>(shape));
    else histograms.set(name, new Histogram<string>({ ...shape, buckets: BUCKETS_SECONDS }));
  }
  // A gauge without labels has the value 0 until it is removed.
  const forget = (names: Iterable<MetricName>): void => {
    for (const name of names) {
      gauges.get(name)?.reset();
      if (METRICS[name].labels.length === 0) gauges.get(name)?.remove();
    }
  };
  forget(gauges.keys());
  const looks: (() => Promise<void>)[] = [];
  const metrics: Metrics = {
    add: (name, count, labels) => counters.get(name)?.inc(labels, count),
    observe: (name, seconds, labels) => histograms.get(name)?.observe(labels, seconds),
    set: (name, value, labels) => gauges.get(name)?.set(labels, value),
    onRead: (look) => {
      const failed = (error: unknown): void => {
        logger.warn("metrics: a part could not be looked at", { part: look.part, error: messageOf(error) });
        metrics.add("atrium_look_failures_total", 1, { part: look.part });
      };
      metrics.add("atrium_look_failures_total", 0, { part: look.part });
      looks.push(lookWithin({ look, forget: () => forget(look.gauges), failed, clock }));
    },
    text: async () => {
      await Promise.all(looks.map(async (look) => look()));
      return registry.metrics();
    },
  };
  return metrics;
}

const METRIC_NAMES = Object.keys(METRICS).filter((name): name is MetricName => Object.hasOwn(METRICS, name));

interface Looking {
  readonly look: Look;
  readonly forget: () => void;
  readonly failed: (error: unknown) => void;
  readonly clock: Clock;
}

/** Looks, but waits for it no longer than the bound; a look that is still under way is not begun a second time. */
function lookWithin({ look, forget, failed, clock }: Looking): () => Promise<void> {
  let underWay: Promise<void> | undefined;
  const begin = async (): Promise<void> => {
    forget();
    try {
      await look.look();
    } catch (error) {
      forget();
      failed(error);
    } finally {
      underWay = undefined;
    }
  };
  return async () => {
    if (underWay === undefined) {
      const begun = begin();
      underWay = begun;
      const ended = new AbortController();
      const end = begun.finally(() => ended.abort());
      await Promise.race([end, clock.sleep(LOOK_MS_MAX, ended.signal)]);
      return;
    }
    await Promise.race([underWay, clock.sleep(LOOK_MS_MAX)]);
  };
}

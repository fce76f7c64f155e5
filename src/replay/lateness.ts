// A histogram of how late messages are: fixed memory, 2 % exact.

/** Lateness in ms: median, 99th percentile, largest. */
export interface Lateness {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Counts of lateness by size. */
export interface LatenessHistogram {
  readonly counts: Float64Array;
  total: number;
  maxMs: number;
}

/** An empty histogram. */
export function newLatenessHistogram(): LatenessHistogram {
  return { counts: new Float64Array(BUCKETS), total: 0, maxMs: 0 };
}

/** Counts one message; below 0 is 0. */
export function addLateness(histogram: LatenessHistogram, ms: number): void {
  const late = Math.max(0, ms);
  const bucket = Math.min(BUCKETS - 1, Math.ceil(Math.log(1 + late / SMALLEST_MS) / LOG_STEP));
  histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + 1;
  histogram.total += 1;
  if (late > histogram.maxMs) histogram.maxMs = late;
}

/** Reads the histogram: upper bounds, at most 2 % and 0.05 ms too large; all 0 where nothing was counted. */
export function latenessOf(histogram: LatenessHistogram): Lateness {
  return { p50: quantile(histogram, 0.5), p99: quantile(histogram, 0.99), max: histogram.maxMs };
}

const STEP = 1.02;
const LOG_STEP = Math.log(STEP);
const SMALLEST_MS = 0.05;
/** Enough for 100 days. */
const BUCKETS = 1300;

function quantile(histogram: LatenessHistogram, share: number): number {
  const wanted = Math.ceil(histogram.total * share);
  let seen = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    seen += histogram.counts[bucket] ?? 0;
    if (seen >= wanted) return Math.min(histogram.maxMs, (STEP ** bucket - 1) * SMALLEST_MS);
  }
  return histogram.maxMs;
}

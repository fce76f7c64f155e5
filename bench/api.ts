// How fast the API answers over a lake: each path again and again, one request at a time, by the real `atrium serve`.

import { setTimeout as delay } from "node:timers/promises";
import type { Dataset } from "./dataset.ts";
import { quantile } from "./figures.ts";
import { ATRIUM, start, type MeasureOptions, type Running, type Say } from "./measure.ts";

/** Latency of one path, ms. */
export interface Latency {
  readonly path: string;
  readonly requests: number;
  readonly p50: number;
  readonly p99: number;
  /** Of one answer. */
  readonly bytes: number;
}

/** What serving took. */
export interface Served {
  readonly latencies: readonly Latency[];
  readonly peakMemoryMb: number;
}

/** The floor of HTTP: it looks at nothing. */
export const API_FLOOR = "/health/live";

const REQUESTS = 200;
const WARM_UPS = 10;
/** One path takes no longer, ms: a slow one is measured by fewer requests. */
const PATH_MS_MAX = 8_000;
const READY_MS_MAX = 15_000;
const ANSWER_MS_MAX = 10_000;

/** Serves the lake, asks, and stops the server. */
export async function measureApi(
  dataset: Dataset,
  lake: string,
  options: MeasureOptions & { readonly say: Say },
): Promise<Served> {
  options.say("api");
  const server = start(ATRIUM, ["serve", "--lake", lake, "--api-port", "0"], options);
  try {
    const base = await addressOf(server);
    const day = await oneDay(base);
    const room = encodeURIComponent(dataset.rooms[0] ?? "");
    const latencies: Latency[] = [];
    for (const path of [
      API_FLOOR,
      "/v1/kpis/daily",
      `/v1/readings?room=${room}&from=${day}&to=${day}`,
      "/silver/rooms",
      `/silver/readings?date=${day}&room=${room}&limit=1000`,
    ]) {
      latencies.push(await latencyOf(base, path, options.signal));
    }
    server.child.kill("SIGTERM");
    const { peakMemoryMb } = await server.ended;
    return { latencies, peakMemoryMb };
  } finally {
    server.child.kill("SIGKILL");
    await server.ended.catch(() => undefined);
  }
}

/** Waits for the line with the address. */
async function addressOf({ output, ended }: Running): Promise<string> {
  const endMs = performance.now() + READY_MS_MAX;
  while (performance.now() < endMs) {
    const address = /http:\/\/[\w.:[\]-]+/.exec(output())?.[0];
    if (address !== undefined) return address;
    // A server that ends already says why.
    await Promise.race([delay(20), ended]);
  }
  throw new Error(`the API did not say within ${READY_MS_MAX / 1000} s where it listens`);
}

/** A day with readings: the middle one of those that have KPIs. */
async function oneDay(base: string): Promise<string> {
  const text = await answerOf(`${base}/v1/kpis/daily?limit=1000`);
  const days = [...new Set(text.match(/\d{4}-\d\d-\d\d/g) ?? [])].toSorted();
  const day = days[Math.floor(days.length / 2)];
  if (day === undefined) throw new Error(`no day in /v1/kpis/daily: ${text.slice(0, 200)}`);
  return day;
}

async function latencyOf(base: string, path: string, signal: AbortSignal): Promise<Latency> {
  const times: number[] = [];
  let bytes = 0;
  for (let request = 0; request < WARM_UPS; request += 1) bytes = (await answerOf(base + path)).length;
  const endMs = performance.now() + PATH_MS_MAX;
  while (times.length < REQUESTS && performance.now() < endMs) {
    signal.throwIfAborted();
    const startMs = performance.now();
    await answerOf(base + path);
    times.push(performance.now() - startMs);
  }
  return { path, requests: times.length, p50: quantile(times, 0.5), p99: quantile(times, 0.99), bytes };
}

async function answerOf(url: string): Promise<string> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`GET ${url} answered ${answer.status}: ${text.slice(0, 200)}`);
  return text;
}

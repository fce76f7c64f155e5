// How long a query for one room and one day takes over HTTP on a lake on S3, with its days not in the cache and in it, beside
// the same lake in a folder.

import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { S3 } from "../services/s3.ts";
import { quantile } from "./figures.ts";
import { ATRIUM, measure, type MeasureOptions, type Say, start } from "./measure.ts";

/** The queries of one kind. */
export interface QueryTimes {
  readonly what: string;
  readonly queries: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What is measured on a gateway. */
export interface GatewayOptions extends MeasureOptions {
  readonly gateway: S3;
  readonly say: Say;
}

const LAKE = "s3://lake/bench";
const SIZE = ["--rooms", "10", "--days", "14", "--seed", "1"];
const ROUNDS = 5;

/** Makes a lake on the gateway and asks it for single rooms and days. */
export async function measureS3({ gateway, say, ...options }: GatewayOptions): Promise<QueryTimes[]> {
  const env = {
    ...gateway.settings,
    LOG_PATH: join(options.cwd, "log-of-s3.db"),
    CACHE_DIR: join(options.cwd, "cache-of-s3"),
  };
  const inS3 = { ...options, env };
  say("a lake on S3");
  const raw = join(options.cwd, "raw-of-s3");
  await measure(ATRIUM, ["generate", ...SIZE, "--out", raw], options);
  await measure(ATRIUM, ["run", "--raw", raw, "--lake", LAKE], inS3);
  await measure(ATRIUM, ["table", "compact", "--lake", LAKE], inS3);
  say("queries on S3");
  const cold = { ...inS3, env: { ...env, CACHE_DIR: join(options.cwd, "cache-empty") } };
  const onS3 = await timesOf(LAKE, cold);
  const folder = join(options.cwd, "lake-from-s3");
  await measure(ATRIUM, ["table", "copy", "--lake", LAKE, "--into", folder], inS3);
  const inFolder = await timesOf(folder, options);
  return [
    queryTimes("on S3, not in the cache", onS3.first),
    queryTimes("on S3, in the cache", onS3.again),
    queryTimes("in a folder", inFolder.again),
  ];
}

interface Times {
  readonly first: readonly number[];
  readonly again: readonly number[];
}

async function timesOf(lake: string, options: MeasureOptions): Promise<Times> {
  const server = start(ATRIUM, ["serve", "--lake", lake, "--api-port", "0"], options);
  try {
    const base = await baseOf(server);
    // Starts the engine and reads the tables' logs; the days of silver are still cold.
    const kpis = await answerOf(`${base}/v1/kpis/daily?limit=1000`);
    const days = [...new Set(kpis.match(/\d{4}-\d\d-\d\d/g))].toSorted();
    const room = /"room":\s*"([^"]+)"/.exec(kpis)?.[1] ?? "";
    const urls = days.map((day) => `${base}/silver/readings?date=${day}&room=${room}&limit=1000`);
    await answerOf(urls[0] ?? base);
    const first: number[] = [];
    const again: number[] = [];
    for (const url of urls.slice(1)) first.push(await timed(url));
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const url of urls.slice(1)) again.push(await timed(url));
    }
    return { first, again };
  } finally {
    server.child.kill("SIGTERM");
    await server.ended;
  }
}

async function baseOf({ output, ended }: ReturnType<typeof start>): Promise<string> {
  let base: string | undefined;
  while (base === undefined) {
    await Promise.race([delay(20), ended.then(() => Promise.reject(new Error("the server has ended")))]);
    base = /http:\/\/[\w.:[\]-]+/.exec(output())?.[0];
  }
  return base;
}

function queryTimes(what: string, times: readonly number[]): QueryTimes {
  return { what, queries: times.length, p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99) };
}

async function timed(url: string): Promise<number> {
  const startMs = performance.now();
  await answerOf(url);
  return performance.now() - startMs;
}

async function answerOf(url: string): Promise<string> {
  const answer = await fetch(url);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`GET ${url} answered ${answer.status}: ${text.slice(0, 200)}`);
  return text;
}

// How long a query for one room and one day takes on S3, with an empty cache and with a full one: `node bench/s3.ts [--delay MS]`.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startS3 } from "../services/s3.ts";
import { done, start } from "../test/support/program.ts";
import { s3Proxy } from "../test/support/s3-proxy.ts";
import { quantile } from "./figures.ts";

const { values } = parseArgs({ options: { delay: { type: "string", default: "0" } } });
const LAKE = "s3://lake/bench";
const [ROOMS, DAYS] = [10, 14];
const CACHED_ROUNDS = 5;

const folder = await mkdtemp(join(tmpdir(), "atrium-bench-"));
const gateway = await startS3({ folder: join(folder, "s3") });
const proxy = await s3Proxy(gateway.endpoint, { delayMs: Number(values.delay) });
try {
  const env: Record<string, string> = {
    ...gateway.settings,
    LOG_LEVEL: "error",
    LOG_PATH: join(folder, "log.db"),
    CACHE_DIR: join(folder, "cache"),
  };
  const raw = join(folder, "raw");
  await done(["generate", "--rooms", `${ROOMS}`, "--days", `${DAYS}`, "--seed", "1", "--out", raw]);
  await done(["run", "--raw", raw, "--lake", LAKE], { env });
  await done(["table", "compact", "--lake", LAKE], { env });
  const far = { ...env, S3_ENDPOINT: proxy.endpoint, CACHE_DIR: join(folder, "cold") };
  delete (far as Record<string, string>)["AWS_ENDPOINT_URL_S3"];
  console.log(`on S3, ${values.delay} ms away`);
  await measure(LAKE, far);
  const local = join(folder, "lake");
  await done(["table", "copy", "--lake", LAKE, "--into", local], { env });
  console.log("in a folder");
  await measure(local, env);
} finally {
  await proxy[Symbol.asyncDispose]();
  await gateway.stop();
  await rm(folder, { recursive: true, force: true });
}

async function measure(lake: string, env: Record<string, string>): Promise<void> {
  const server = start(["serve", "--lake", lake, "--api-port", "0"], { env });
  try {
    let base: string | undefined;
    while (base === undefined) {
      base = /http:\/\/[\w.:[\]-]+/.exec(server.output())?.[0];
      await Promise.race([delay(20), server.ended]);
    }
    // Starts the engine and reads the tables' logs; the days of silver are still cold.
    const kpis = await answerOf(`${base}/v1/kpis/daily?limit=1000`);
    const days = [...new Set(kpis.match(/\d{4}-\d\d-\d\d/g) ?? [])].toSorted();
    const room = /"room":\s*"([^"]+)"/.exec(kpis)?.[1] ?? "";
    const path = (day: string): string => `${base}/silver/readings?date=${day}&room=${room}&limit=1000`;
    await answerOf(path(days[0] ?? ""));
    const cold: number[] = [];
    const cached: number[] = [];
    for (const day of days.slice(1)) cold.push(await timed(path(day)));
    for (let round = 0; round < CACHED_ROUNDS; round += 1) {
      for (const day of days.slice(1)) cached.push(await timed(path(day)));
    }
    for (const [name, times] of Object.entries({ cold, cached })) {
      const [p50, p99] = [quantile(times, 0.5), quantile(times, 0.99)];
      console.log(`${name}: ${times.length} queries, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);
    }
  } finally {
    server.child.kill("SIGTERM");
    await server.ended;
  }
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

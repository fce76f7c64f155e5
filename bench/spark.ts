// Messages a second of bronze and silver on Spark beside DuckDB, and what a small batch costs: `node bench/spark.ts [--rooms N] [--days N]`.
// Both take the same messages from one broker, by the program itself; starting it counts.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startKafka } from "../services/kafka.ts";
import { startSpark } from "../services/spark.ts";
import { done } from "../test/support/program.ts";

const { values } = parseArgs({
  options: { rooms: { type: "string", default: "10" }, days: { type: "string", default: "5" } },
});
const folder = await mkdtemp(join(tmpdir(), "atrium-bench-"));
const broker = await startKafka({ folder: join(folder, "kafka"), topics: [] });
const spark = await startSpark({ folder: join(folder, "spark") });
try {
  const kafka = {
    LOG: "kafka",
    KAFKA_BOOTSTRAP: broker.bootstrap,
    LOG_LEVEL: "error",
    BATCH_ROWS: "2000000",
  };
  const engines = {
    duckdb: kafka,
    spark: { ...kafka, ENGINE: "spark", SPARK_REMOTE: spark.remote },
  } as const;
  await send("large", ["--rooms", values.rooms, "--days", values.days]);
  const rates: Record<string, readonly number[]> = {};
  for (const [name, env] of Object.entries(engines)) rates[name] = await measure(name, env);
  const [bronze = 0, silver = 0] = (rates["spark"] ?? []).map(
    (rate, index) => rate / (rates["duckdb"]?.[index] ?? 1),
  );
  console.log(`spark / duckdb: bronze ${bronze.toFixed(2)}, silver ${silver.toFixed(2)}`);
  // The lake is there and the server is warm: what is left is what every batch costs.
  await send("small", ["--rooms", "1", "--days", "1", "--start", "2014-01-01"]);
  for (const [name, env] of Object.entries(engines)) await measure(name, env);

  async function send(name: string, more: readonly string[]): Promise<void> {
    const raw = join(folder, name);
    await done(["generate", "--seed", "1", "--out", raw, ...more]);
    await done(["replay", "--raw", raw, "--restart"], { env: kafka });
  }
} finally {
  await spark.stop();
  await broker.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
}

async function measure(name: string, env: Record<string, string>): Promise<readonly number[]> {
  const lake = ["--lake", join(folder, `lake-${name}`)];
  const rates: number[] = [];
  for (const stage of ["ingest", "refine"]) {
    const startMs = performance.now();
    const report = await done([stage, ...lake, "--once", "--json"], { env });
    const seconds = (performance.now() - startMs) / 1000;
    const { readings, rowsRead } = JSON.parse(report) as { readings?: number; rowsRead?: number };
    const rows = readings ?? rowsRead ?? 0;
    rates.push(rows / seconds);
    console.log(
      `${name} ${stage}: ${rows.toLocaleString("en")} rows in ${seconds.toFixed(1)} s, ${Math.round(rows / seconds).toLocaleString("en")}/s`,
    );
  }
  return rates;
}

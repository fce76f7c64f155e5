// /metrics and the log of a real `up`: every name is there and documented, the figures are true, and ids lead from line to line.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { samplesOf, sumOf, typesOf } from "../support/exposition.ts";
import { ask, generateRaw, QUIET } from "../support/lake-folder.ts";
import { mustReach } from "../support/moments.ts";
import { type Running, start, temporaryFolder } from "../support/program.ts";

/** About five minutes of looking, 100 ms apart: nothing here depends on speed. */
const LOOKS_MAX = 3000;
const DOCUMENT = join(import.meta.dirname, "../../docs/operate/metrics.md");
const ADDRESS = /(?:Listening|Metrics) on (http:\/\/127\.0\.0\.1:\d+)/;

type Line = Readonly<Record<string, unknown>>;

test("a running up has the documented metrics and no others; their figures are those of the lake, and ids join its log lines", async () => {
  await using folder = await temporaryFolder();
  const [raw, lake] = ["raw", "lake"].map((name) => join(folder.path, name));
  await generateRaw(raw!, ["--rooms", "1", "--days", "1", "--seed", "5", "--faults"]);
  const args = ["up", "--raw", raw!, "--lake", lake!, "--api-port", "0", "--replay-mode", "max"];
  const rhythm = ["--batch-seconds", "0.3", "--gold-every-seconds", "1"];
  const up = start([...args, ...rhythm], { env: { LOG_LEVEL: "debug", LOG_FORMAT: "json" } });
  let text = "";
  let requestId = "";
  try {
    await mustReach(up, () => ADDRESS.test(up.output()));
    const address = ADDRESS.exec(up.output())?.[1] ?? "";
    await mustReach(up, () => up.output().includes('"replay ended"'));
    const missing = await fetch(`${address}/v1/rooms/nowhere`, { headers: { "x-request-id": "mine-1" } });
    const problem = (await missing.json()) as Line;
    requestId = missing.headers.get("x-request-id") ?? "";
    assert.deepEqual([missing.status, problem["request_id"], requestId], [404, "mine-1", "mine-1"]);

    text = await textWhen(up, `${address}/metrics`, (samples) => {
      const taken = sumOf(samples, "atrium_log_messages_appended_total");
      return (
        taken > 0 &&
        sumOf(samples, "atrium_lag_messages") === 0 &&
        sumOf(samples, "atrium_rows_refined_total") === sumOf(samples, "atrium_readings_ingested_total") &&
        (samples.get('atrium_table_version{table="gold/room_daily"}') ?? 0) > 0
      );
    });
  } finally {
    up.child.kill("SIGTERM");
  }
  const ended = await up.ended;
  assert.deepEqual([ended.code, ended.signal], [0, null]);

  const documented = [...readFileSync(DOCUMENT, "utf8").matchAll(/^\| ((?:atrium|process)_\w+) +\| (\w+)/gm)];
  assert.ok(documented.length > 20);
  assert.deepEqual(
    Object.fromEntries(typesOf(text)),
    Object.fromEntries(documented.map(([, name, type]) => [name, type])),
  );
  const samples = samplesOf(text);
  const rows = async (table: string): Promise<number> =>
    Number((await ask(lake!, `select count(*) as rows from ${table}`))[0]?.["rows"]);
  const rejected = await rows("bronze_rejected");
  assert.ok(rejected > 0);
  assert.equal(sumOf(samples, "atrium_readings_ingested_total"), await rows("bronze_readings"));
  assert.equal(sumOf(samples, "atrium_messages_rejected_total"), rejected);
  for (const { reason, count } of await ask(
    lake!,
    "select reason, count(*) as count from bronze_rejected group by all",
  )) {
    assert.equal(samples.get(`atrium_messages_rejected_total{reason="${reason}"}`), Number(count));
  }
  assert.equal(samples.get('atrium_rows_refined_total{outcome="added"}'), await rows("silver_readings"));
  assert.equal(samples.get('atrium_http_requests_total{route="/v1/rooms/:room",status="404"}'), 1);
  assert.equal(samples.get('atrium_look_failures_total{part="log"}'), 0);
  assert.ok(sumOf(samples, "atrium_freshness_seconds") < 3600);
  for (const series of samples.keys()) assert.doesNotMatch(series, /room="|nowhere/);

  const lines = linesOf(ended.stderr);
  await assertCommitsAreLogged(lake!, lines);
  const request = lines.find(({ msg, requestId: id }) => msg === "request" && id === requestId);
  assert.deepEqual([request?.["status"], request?.["url"]], [404, "/v1/rooms/nowhere"]);
});

test("ingest answers /metrics on METRICS_PORT, and asks for a key where the API does", async () => {
  await using folder = await temporaryFolder();
  const lake = join(folder.path, "lake");
  const ingest = start(["ingest", "--lake", lake, "--metrics-port", "0"], {
    env: { ...QUIET, API_KEYS: "a-key-of-a-test" },
  });
  try {
    await mustReach(ingest, () => ADDRESS.test(ingest.output()));
    const url = `${ADDRESS.exec(ingest.output())?.[1]}/metrics`;
    const refused = await fetch(url);
    assert.equal(((await refused.json()) as Line)["code"], "UNAUTHORIZED");
    const authorization = "Bearer a-key-of-a-test";
    const answer = await fetch(url, { headers: { authorization } });
    assert.equal(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    const samples = samplesOf(await answer.text());
    assert.equal(samples.get('atrium_lag_messages{topic="iot.co2",partition="0"}'), 0);
    assert.equal(samples.has("atrium_freshness_seconds"), false, "nothing is in bronze");
  } finally {
    ingest.child.kill("SIGTERM");
  }
  assert.equal((await ingest.ended).code, 0);
});

/** Every commit file of the lake but the creations has its line, with the ids that are in the file. */
async function assertCommitsAreLogged(lake: string, lines: readonly Line[]): Promise<void> {
  const logged = lines.filter(({ msg }) => msg === "committed");
  const batches = new Map<unknown, Set<unknown>>();
  for (const { table, batchId } of logged) {
    batches.set(batchId, (batches.get(batchId) ?? new Set()).add(table));
  }
  let commits = 0;
  for (const table of ["bronze/readings", "bronze/rejected", "silver/readings", "gold/room_daily"]) {
    const folder = join(lake, table, "_delta_log");
    for (const name of (await readdir(folder)).filter((entry) => /^\d{20}\.json$/.test(entry))) {
      const [first = "{}"] = (await readFile(join(folder, name), "utf8")).split("\n");
      const info = (JSON.parse(first) as { commitInfo: Line }).commitInfo;
      if (info["operation"] === "CREATE TABLE") continue;
      const version = Number.parseInt(name, 10);
      const line = logged.find((entry) => entry["table"] === table && entry["version"] === version);
      assert.deepEqual(
        [line?.["operation"], line?.["commitId"], line?.["batchId"]],
        [info["operation"], info["txnId"], info["batchId"] ?? info["txnId"]],
        `${table} ${version}`,
      );
      commits += 1;
    }
  }
  assert.ok(commits > 3);
  const together = [...batches.values()].map((tables) => [...tables].map(String).toSorted().join(" "));
  assert.ok(together.includes("bronze/readings bronze/rejected"), together.join("\n"));
  assert.ok(together.includes("gold/room_daily gold/sensor_daily gold/sensor_hourly"), together.join("\n"));
  const ingested = lines.filter(({ msg }) => msg === "ingested");
  assert.ok(ingested.length > 0);
  for (const { batchId } of ingested) assert.ok(batches.get(batchId)?.has("bronze/readings"));
}

async function textWhen(
  up: Running,
  url: string,
  isWanted: (samples: ReadonlyMap<string, number>) => boolean,
): Promise<string> {
  let text = "";
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    text = await (await fetch(url)).text();
    if (isWanted(samplesOf(text))) return text;
    await pause(100);
  }
  return assert.fail(`never as wanted: ${text}\n${up.output().slice(-2000)}`);
}

function linesOf(stderr: string): readonly Line[] {
  return stderr
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Line);
}

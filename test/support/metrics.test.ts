// The registry: what was counted is in the text, and what cannot be looked at is left out.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Clock, systemClock } from "../../src/support/clock.ts";
import { silentLogger } from "../../src/support/logger.ts";
import { createMetrics } from "../../src/support/metric-registry.ts";
import { METRICS } from "../../src/support/metrics.ts";
import { samplesOf, typesOf } from "./exposition.ts";

const keyed = (row: readonly string[]) => [row[0] ?? "", row.join(" | ")] as const;
const parts = { clock: systemClock, logger: silentLogger };
/** Every wait is over at once. */
const hasty: Clock = { ...systemClock, sleep: async () => undefined };

test("docs/operate/metrics.md lists the metrics of the table, with their facts", () => {
  const text = readFileSync(join(import.meta.dirname, "../../docs/operate/metrics.md"), "utf8");
  const rows = [...text.matchAll(/^\| ((?:atrium|process)_\w+) .*$/gm)].map(([row]) =>
    row
      .split("|")
      .map((cell) => cell.trim())
      .filter((cell) => cell !== ""),
  );
  const expected = Object.entries(METRICS).map(([name, { kind, labels, unit, help }]) => [
    name,
    kind,
    labels.length === 0 ? "-" : labels.join(", "),
    unit,
    help,
  ]);
  assert.equal(rows.length, expected.length);
  assert.deepEqual(Object.fromEntries(rows.map(keyed)), Object.fromEntries(expected.map(keyed)));
});

test("no label can have a value a room", () => {
  for (const [name, { labels }] of Object.entries(METRICS)) {
    for (const label of labels) assert.doesNotMatch(label, /room|sensor|url|path/, name);
  }
});

test("the text has every metric with its type, also before anything was counted", async () => {
  const metrics = await createMetrics(parts);
  const expected = Object.entries(METRICS).map(([name, { kind }]) => [name, kind] as const);
  assert.deepEqual(Object.fromEntries(typesOf(await metrics.text())), Object.fromEntries(expected));
});

test("counters add up, gauges are replaced, durations fall into buckets", async () => {
  const metrics = await createMetrics(parts);
  metrics.add("atrium_commits_total", 2, { table: "silver/readings" });
  metrics.add("atrium_commits_total", 3, { table: "silver/readings" });
  metrics.set("atrium_table_files", 7, { table: 'odd "name"\n\\' });
  metrics.set("atrium_freshness_seconds", 9, {});
  metrics.set("atrium_freshness_seconds", 4.5, {});
  for (const seconds of [0.004, 0.02, 400]) {
    metrics.observe("atrium_batch_duration_seconds", seconds, { stage: "gold" });
  }
  const samples = samplesOf(await metrics.text());
  assert.equal(samples.get('atrium_commits_total{table="silver/readings"}'), 5);
  assert.equal(samples.get(String.raw`atrium_table_files{table="odd \"name\"\n\\"}`), 7);
  assert.equal(samples.get("atrium_freshness_seconds"), 4.5);
  const bucket = (le: string): number | undefined =>
    samples.get(`atrium_batch_duration_seconds_bucket{le="${le}",stage="gold"}`);
  assert.deepEqual([bucket("0.005"), bucket("0.025"), bucket("300"), bucket("+Inf")], [1, 2, 2, 3]);
  assert.equal(samples.get('atrium_batch_duration_seconds_count{stage="gold"}'), 3);
});

test("a part that fails has no old values, is counted, and does not keep the others from answering", async () => {
  const metrics = await createMetrics(parts);
  let isAway = false;
  metrics.onRead({
    part: "lake",
    gauges: ["atrium_table_files"],
    look: async () => {
      if (isAway) throw new Error("away");
      metrics.set("atrium_table_files", 7, { table: "silver/readings" });
    },
  });
  metrics.onRead({
    part: "disk",
    gauges: ["atrium_disk_free_bytes"],
    look: async () => metrics.set("atrium_disk_free_bytes", 5, {}),
  });
  metrics.onRead({
    part: "log",
    gauges: ["atrium_freshness_seconds"],
    look: async () => {
      if (!isAway) metrics.set("atrium_freshness_seconds", 2, {});
    },
  });
  const key = 'atrium_table_files{table="silver/readings"}';
  const before = samplesOf(await metrics.text());
  assert.deepEqual([before.get(key), before.get('atrium_look_failures_total{part="lake"}')], [7, 0]);
  isAway = true;
  const after = samplesOf(await metrics.text());
  assert.deepEqual([after.get(key), after.get('atrium_look_failures_total{part="lake"}')], [undefined, 1]);
  assert.equal(after.get("atrium_disk_free_bytes"), 5);
  // A figure that nobody knows is not 0.
  assert.deepEqual(
    [before, after].map((samples) => samples.get("atrium_freshness_seconds")),
    [2, undefined],
  );
  assert.equal(after.has("atrium_disk_size_bytes"), false);
});

test("a part that does not answer is not waited for, nor asked a second time meanwhile", async () => {
  const metrics = await createMetrics({ ...parts, clock: hasty });
  const answer = Promise.withResolvers<void>();
  let looks = 0;
  metrics.onRead({
    part: "log",
    gauges: ["atrium_lag_messages"],
    look: async () => {
      looks += 1;
      await answer.promise;
      metrics.set("atrium_lag_messages", 3, { topic: "iot.co2", partition: "0" });
    },
  });
  const key = 'atrium_lag_messages{topic="iot.co2",partition="0"}';
  assert.equal(samplesOf(await metrics.text()).get(key), undefined);
  assert.equal(samplesOf(await metrics.text()).get(key), undefined);
  assert.equal(looks, 1);
  answer.resolve();
  await new Promise((done) => setImmediate(done));
  await metrics.text();
  assert.equal(looks, 2);
});

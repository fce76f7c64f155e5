// Ratios, promises and tables out of measurements that are made up here.

import assert from "node:assert/strict";
import { test } from "node:test";
import { goalsOf, type Measurements, ratiosOf } from "../../bench/goals.ts";
import type { PaceKept } from "../../bench/pace.ts";
import { reportJson, reportText } from "../../bench/report.ts";
import { NO_SERVICE_FIGURES } from "../../bench/services.ts";
import type { StageUsage } from "../../bench/stages.ts";
import { number, tableText } from "../../bench/table.ts";

function usage(readings: number, wallSeconds: number, more: Partial<StageUsage> = {}): StageUsage {
  return { readings, wallSeconds, cpuSeconds: 2 * wallSeconds, peakMemoryMb: 100, ...more };
}

function rate(wanted: number, measured: number): PaceKept {
  return { mode: "rate", wanted, messages: 100, measured, latenessMs: { p50: 1, p99: 60, max: 70 } };
}

function measured(more: Partial<Measurements> = {}): Measurements {
  return {
    floor: usage(1000, 1),
    stages: new Map(),
    memory: new Map(),
    paces: [],
    api: undefined,
    services: NO_SERVICE_FIGURES,
    ...more,
  };
}

const latency = (path: string, p50: number) => ({ path, requests: 10, p50, p99: 2 * p50, bytes: 5 });

test("a stage's ratios are its times a reading to those of the floor", () => {
  const stages = new Map([
    ["run", usage(1000, 6, { cpuSeconds: 18 })],
    ["generate", usage(4000, 2)],
  ]);
  assert.deepEqual(ratiosOf(measured({ stages })), {
    "run.wall": 6,
    "run.cpu": 9,
    "generate.wall": 0.5,
    "generate.cpu": 0.5,
  });
});

test("a path's ratio is its median to that of the path that does nothing, whatever its parameters", () => {
  const latencies = [latency("/health/live", 0.5), latency("/v1/readings?room=413", 10)];
  assert.deepEqual(ratiosOf(measured({ api: { latencies, peakMemoryMb: 100 } })), { "/v1/readings.p50": 20 });
});

test("speed and memory of run are promises on the whole KETI folder only", () => {
  const stages = new Map([["run", usage(4_000_000, 10.1, { peakMemoryMb: 1199 })]]);
  assert.deepEqual(goalsOf(measured({ stages }), false), []);
  const held = goalsOf(measured({ stages }), true).map(({ what, isHeld }) => [what, isHeld]);
  assert.deepEqual(held, [
    ["run, readings/s", false],
    ["run, peak memory MB", true],
  ]);
});

test("a run that was measured for its memory only counts for the promises, too", () => {
  const memory = new Map([
    [14, usage(4_000_000, 9)],
    [1, usage(1, 9)],
  ]);
  assert.equal(goalsOf(measured({ memory }), true)[0]?.isHeld, true);
});

test("a rate holds within 1 %, timewarp with a p99 lateness of at most 50 ms", () => {
  const warp = (p99: number): PaceKept => ({
    ...rate(10_000, 9_000),
    mode: "timewarp",
    latenessMs: { p50: 1, p99, max: 90 },
  });
  const paces = [
    rate(100, 99),
    rate(100, 98.9),
    rate(100, 101.1),
    rate(100, Number.NaN),
    warp(50),
    warp(50.1),
  ];
  const held = goalsOf(measured({ paces }), false).map(({ isHeld }) => isHeld);
  assert.deepEqual(held, [true, false, false, false, true, false]);
});

test("the report shows each stage with its ratios, the stored ones and a verdict, and each promise", () => {
  const stages = new Map([["run", usage(1000, 6, { cpuSeconds: 18 })]]);
  const report = {
    about: "made up",
    measurements: measured({ stages, paces: [rate(100, 110)] }),
    stored: { "run.wall": 6.1, "run.cpu": 7 },
    isWholeKeti: false,
  };
  const text = reportText(report);
  assert.match(text, /^made up\n/);
  assert.match(text, /^floor +1,000 +1,000 +1\.00 +2\.00 +100 +1\.00 +1\.00$/m);
  assert.match(text, /^run +1,000 +167 +6\.00 +18\.00 +100 +6\.00 +9\.00 +6\.10 \/ 7\.00 +worse$/m);
  assert.match(text, /^rate 100\/s +10\.00 % off \(at most 1 %\) +NO$/m);
  assert.doesNotMatch(text, /^path/m);
  const json = reportJson(report);
  assert.deepEqual(json.verdicts, { "run.wall": "same", "run.cpu": "worse" });
  assert.equal(json.stages["run"]?.cpuSeconds, 18);
});

test("the figures of services are shown and held against their promises; what could not run is said", () => {
  const flow = (what: string, wallSeconds: number) => ({
    what,
    messages: 160_000,
    bytes: 1e7,
    usage: usage(0, wallSeconds, { peakMemoryMb: 601 }),
  });
  const services = {
    throughput: [flow("Kafka to bronze", 1), flow("replay to Kafka", 2)],
    freshness: [],
    queries: [{ what: "on S3, in the cache", queries: 5, p50Ms: 30, p99Ms: 90 }],
    leftOut: ["no Go"],
  };
  const held = goalsOf(measured({ services }), false).map(({ what, isHeld }) => [what, isHeld]);
  assert.deepEqual(held, [
    ["Kafka to bronze, messages/s", true],
    ["Kafka to bronze, peak MB", false],
    ["replay to Kafka, messages/s", false],
    ["one room, one day on S3, in the cache, p50 ms", true],
  ]);
  const report = { about: "", measurements: measured({ services }), stored: {}, isWholeKeti: false };
  const text = reportText(report);
  assert.match(text, /^Kafka to bronze +160,000 +160,000 +10\.0 +1\.0 +2 +601$/m);
  assert.match(text, /^left out: no Go$/m);
  assert.doesNotMatch(text, /^at 5,000/m);
});

test("a table is as wide as its widest cells, with numbers to the right", () => {
  const text = tableText(
    ["name", "rows", "note"],
    [
      ["a", number(1234.5, 1), "x"],
      ["longer", number(7), ""],
    ],
  );
  assert.equal(text, "name       rows  note\n------  -------  ----\na       1,234.5  x\nlonger        7\n");
});

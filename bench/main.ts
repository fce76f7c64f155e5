// `make bench`: measures speed and memory of each stage beside a floor, and compares the ratios with those stored.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { measureApi } from "./api.ts";
import { type Baseline, baselineText, parseBaseline, withRatios } from "./baseline.ts";
import { type Dataset, openDataset } from "./dataset.ts";
import { measureGenerate } from "./generate.ts";
import { type Measurements, ratiosOf } from "./goals.ts";
import { type MeasureOptions, removeFolder, ROOT, temporaryFolder } from "./measure.ts";
import { measurePaces } from "./pace.ts";
import { type Plan, planOf, roomCountsOf, stagesOf, USAGE } from "./plan.ts";
import { type Report, reportJson, reportText } from "./report.ts";
import { measureServices } from "./services.ts";
import {
  measureMemory,
  measureRound,
  medianUsage,
  type Round,
  type Stage,
  type StageUsage,
} from "./stages.ts";

const BASELINE = join(ROOT, "bench/baseline.json");

const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => stopping.abort(new Error(`${signal} received`)));
}
// Whoever read our output may go away, as `head` does: the folders are still to be removed.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
const say = (what: string): void => void process.stderr.write(`bench: ${what}\n`);

try {
  const plan = planOf(process.argv.slice(2));
  if (plan.help) process.stdout.write(USAGE);
  else await bench(plan);
} catch (error) {
  const causes = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
  say(`${error instanceof Error ? error.message : String(error)}${causes}`);
  process.exitCode = 1;
}

async function bench(plan: Plan): Promise<void> {
  const load = loadavg()[0] ?? 0;
  const stored = existsSync(BASELINE) ? parseBaseline(readFileSync(BASELINE, "utf8")) : {};
  await using folder = await temporaryFolder();
  const options = { cwd: folder.path, signal: stopping.signal };
  const dataset = await openDataset(plan.rooms, options);
  const measurements = await measureAll(plan, dataset, options);
  const report: Report = {
    about: aboutOf({ plan, dataset, load, readings: measurements.floor.readings }),
    measurements,
    stored: stored[dataset.name] ?? {},
    isWholeKeti: dataset.name === "keti",
  };
  process.stdout.write(
    plan.json ? `${JSON.stringify(reportJson(report), undefined, 2)}\n` : reportText(report),
  );
  if (plan.save) save(stored, dataset, measurements);
}

async function measureAll(plan: Plan, dataset: Dataset, options: MeasureOptions): Promise<Measurements> {
  const runLake = join(options.cwd, "lake-of-run");
  const rounds: Round[] = [];
  for (let round = 1; round <= plan.rounds; round += 1) {
    const inRound = (what: string): void => say(plan.rounds === 1 ? what : `round ${round}: ${what}`);
    await removeFolder(runLake);
    rounds.push(await measureRound(dataset, stagesOf(plan), { ...options, runLake, say: inRound }));
  }
  const stages = new Map<string, StageUsage>(medianStages(rounds));
  const api = plan.parts.includes("api")
    ? await measureApi(dataset, runLake, { ...options, say })
    : undefined;
  await removeFolder(runLake);
  const memory = await memoryOf(plan, dataset, { ...options, run: stages.get("run") });
  if (plan.parts.includes("generate")) {
    say("generate");
    stages.set("generate", await measureGenerate(options));
  }
  const paces = plan.parts.includes("pace") ? await measurePaces(dataset, { ...options, say }) : [];
  const services = await measureServices(plan.parts, { ...options, say });
  return { floor: medianUsage(rounds.map((round) => round.floor)), stages, memory, paces, api, services };
}

function medianStages(rounds: readonly Round[]): readonly (readonly [Stage, StageUsage])[] {
  const names = [...(rounds[0]?.stages.keys() ?? [])];
  return names.map((name) => [name, medianUsage(rounds.flatMap((round) => round.stages.get(name) ?? []))]);
}

async function memoryOf(
  plan: Plan,
  dataset: Dataset,
  { run, ...options }: MeasureOptions & { readonly run: StageUsage | undefined },
): Promise<ReadonlyMap<number, StageUsage>> {
  if (!plan.parts.includes("memory")) return new Map();
  const counts = roomCountsOf(plan, dataset.rooms.length);
  const memory = new Map(await measureMemory(dataset, counts, { ...options, say }));
  if (run !== undefined) memory.set(dataset.rooms.length, run);
  return memory;
}

function aboutOf(facts: {
  readonly plan: Plan;
  readonly dataset: Dataset;
  readonly load: number;
  readonly readings: number;
}): string {
  const { plan, dataset, load, readings } = facts;
  return [
    `${dataset.name}: ${dataset.rooms.length} rooms, ${readings.toLocaleString("en")} readings`,
    `${availableParallelism()} cores, load ${load.toFixed(1)} at the start`,
    `Node ${process.versions.node}`,
    plan.rounds === 1 ? "1 round" : `medians of ${plan.rounds} rounds`,
  ].join("; ");
}

function save(stored: Baseline, dataset: Dataset, measurements: Measurements): void {
  writeFileSync(BASELINE, baselineText(withRatios(stored, dataset.name, ratiosOf(measurements))));
  say(`stored the ratios of ${dataset.name} in bench/baseline.json`);
}

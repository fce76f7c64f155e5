// Each stage by the real command line, one process after the other, and beside them the floor.

import { join } from "node:path";
import { filesOf, someRooms, sourceArguments, type Dataset } from "./dataset.ts";
import { median, numbersIn } from "./figures.ts";
import { ATRIUM, measure, ROOT, removeFolder, type MeasureOptions, type Say, type Usage } from "./measure.ts";

/** The stages one by one, in the order in which each needs the one before, and all of them in one process. */
export const STAGES = ["replay", "ingest", "refine", "gold", "run"] as const;

/** A stage that can be measured. */
export type Stage = (typeof STAGES)[number];

/** What a stage used for how many readings. */
export interface StageUsage extends Usage {
  readonly readings: number;
}

/** One round: the floor and the stages that were asked for. */
export interface Round {
  readonly floor: StageUsage;
  readonly stages: ReadonlyMap<Stage, StageUsage>;
}

/** The floor is short: it is measured this often a round, and the median taken. */
const FLOORS_A_ROUND = 3;

/** Measures a round. The stages before one that was asked for run too; the lake of `run` stays behind in `runLake`. */
export async function measureRound(
  dataset: Dataset,
  wanted: readonly Stage[],
  options: MeasureOptions & { readonly runLake: string; readonly say: Say },
): Promise<Round> {
  options.say("floor");
  const floor = await measureFloor(dataset, options);
  const stages = new Map<Stage, StageUsage>();
  const chain = STAGES.slice(
    0,
    STAGES.findLastIndex((stage) => stage !== "run" && wanted.includes(stage)) + 1,
  );
  const lake = join(options.cwd, "lake-of-stages");
  const readings = floor.readings;
  try {
    for (const stage of chain) {
      options.say(stage);
      const usage = await measureStage(stage, { dataset, lake, readings }, options);
      if (wanted.includes(stage)) stages.set(stage, usage);
    }
    if (wanted.includes("run")) {
      options.say("run");
      const work = { dataset, lake: options.runLake, readings };
      stages.set("run", await measureStage("run", work, options));
    }
  } finally {
    // Only now: many deleted files make a file system slow at making new ones for some seconds.
    await removeFolder(lake);
  }
  return { floor, stages };
}

/** Runs everything on some of the rooms, to see what the memory does with the number of readings. */
export async function measureMemory(
  dataset: Dataset,
  roomCounts: readonly number[],
  options: MeasureOptions & { readonly say: Say },
): Promise<ReadonlyMap<number, StageUsage>> {
  const measured = new Map<number, StageUsage>();
  const lake = join(options.cwd, "lake-of-memory");
  for (const count of roomCounts) {
    options.say(`memory of run on ${count} room${count === 1 ? "" : "s"}`);
    const some = someRooms(dataset, dataset.rooms.slice(0, count));
    try {
      measured.set(count, await measureStage("run", { dataset: some, lake }, options));
    } finally {
      await removeFolder(lake);
    }
  }
  return measured;
}

/** The median of each measure over rounds. */
export function medianUsage(usages: readonly StageUsage[]): StageUsage {
  const of = (field: keyof StageUsage): number => median(usages.map((usage) => usage[field]));
  return {
    readings: of("readings"),
    wallSeconds: of("wallSeconds"),
    cpuSeconds: of("cpuSeconds"),
    peakMemoryMb: of("peakMemoryMb"),
  };
}

async function measureFloor(dataset: Dataset, options: MeasureOptions): Promise<StageUsage> {
  const out = join(options.cwd, "floor.parquet");
  const args = [
    "--disable-warning=ExperimentalWarning",
    join(ROOT, "bench/floor.ts"),
    out,
    ...filesOf(dataset),
  ];
  const usages: StageUsage[] = [];
  for (let round = 0; round < FLOORS_A_ROUND; round += 1) {
    const { stdout, ...usage } = await measure(process.execPath, args, options);
    usages.push({ ...usage, ...numbersIn(stdout, ["readings"]) });
    await removeFolder(out);
  }
  return medianUsage(usages);
}

interface Work {
  readonly dataset: Dataset;
  readonly lake: string;
  /** How many there are, as far as that is known before. */
  readonly readings?: number;
}

async function measureStage(stage: Stage, work: Work, options: MeasureOptions): Promise<StageUsage> {
  const { stdout, ...usage } = await measure(ATRIUM, argumentsOf(stage, work), options);
  const readings = readingsOf(stage, stdout) ?? work.readings ?? 0;
  if (work.readings !== undefined && readings !== work.readings) {
    throw new Error(`${stage} took ${readings} readings, but there are ${work.readings}`);
  }
  return { ...usage, readings };
}

function argumentsOf(stage: Stage, { dataset, lake }: Work): readonly string[] {
  const to = ["--lake", lake, "--json"];
  switch (stage) {
    case "replay":
      return ["replay", ...sourceArguments(dataset), ...to, "--replay-mode", "max"];
    case "run":
      return ["run", ...sourceArguments(dataset), ...to];
    case "gold":
      return ["gold", ...to];
    default:
      return [stage, ...to, "--once"];
  }
}

/** The readings that a stage says it has taken; gold does not say. */
function readingsOf(stage: Stage, summary: string): number | undefined {
  if (stage === "gold") return undefined;
  if (stage === "refine") return numbersIn(summary, ["rowsRead"]).rowsRead;
  if (stage === "ingest") return numbersIn(summary, ["readings"]).readings;
  if (stage === "replay") return numbersIn(summary, ["messages"]).messages;
  // What reached the far end: the sets that are measured hold no duplicate and no malformed line.
  return numbersIn(summary, ["silver"]).silver;
}

// Pure: what was promised, held against what was measured.

import { API_FLOOR, type Served } from "./api.ts";
import type { Ratios } from "./baseline.ts";
import type { PaceKept } from "./pace.ts";
import { serviceGoals } from "./service-report.ts";
import type { ServiceFigures } from "./services.ts";
import type { StageUsage } from "./stages.ts";

/** All that one call of the bench has measured; what was not asked for is left out. */
export interface Measurements {
  readonly floor: StageUsage;
  /** By name: the stages and `generate`. */
  readonly stages: ReadonlyMap<string, StageUsage>;
  /** `run` by number of rooms. */
  readonly memory: ReadonlyMap<number, StageUsage>;
  readonly paces: readonly PaceKept[];
  readonly api: Served | undefined;
  readonly services: ServiceFigures;
}

/** A promise and whether it held. */
export interface Goal {
  readonly what: string;
  readonly measured: string;
  readonly isHeld: boolean;
}

const RUN_READINGS_PER_SECOND_MIN = 400_000;
const RUN_MEMORY_MB_MAX = 1_200;
const GENERATE_ROWS_PER_SECOND_MIN = 1_000_000;
const RATE_ERROR_MAX = 0.01;
const LATENESS_P99_MS_MAX = 50;

/** The promises that these measurements can say something of; those on speed and memory only for the whole KETI folder. */
export function goalsOf(
  { stages, memory, paces, services }: Measurements,
  isWholeKeti: boolean,
): readonly Goal[] {
  const run = isWholeKeti ? (stages.get("run") ?? memory.get(Math.max(...memory.keys()))) : undefined;
  const generate = stages.get("generate");
  return [
    ...(run === undefined ? [] : runGoals(run)),
    ...(generate === undefined
      ? []
      : [atLeast("generate, rows/s", perSecond(generate), GENERATE_ROWS_PER_SECOND_MIN)]),
    ...paces.map(paceGoal),
    ...serviceGoals(services),
  ];
}

/** Messages or rows a second of wall time. */
export function perSecond({ readings, wallSeconds }: StageUsage): number {
  return readings / wallSeconds;
}

/** How far a measured rate is from the wanted one, as a share of it; without sense for timewarp, which has no rate. */
export function rateError({ measured, wanted }: PaceKept): number {
  return Math.abs(measured - wanted) / wanted;
}

/** Ratios to the floor: wall and CPU time a reading of each stage; p50 of each path of the API to that of one that does nothing. */
export function ratiosOf({ floor, stages, api }: Measurements): Ratios {
  const ofStages = [...stages].flatMap(([name, usage]) => [
    [`${name}.wall`, ratio(usage, floor, "wallSeconds")] as const,
    [`${name}.cpu`, ratio(usage, floor, "cpuSeconds")] as const,
  ]);
  const httpFloor = api?.latencies.find(({ path }) => path === API_FLOOR)?.p50 ?? Number.NaN;
  const ofApi = (api?.latencies ?? []).flatMap(({ path, p50 }) =>
    path === API_FLOOR ? [] : [[`${pathName(path)}.p50`, p50 / httpFloor] as const],
  );
  return Object.fromEntries([...ofStages, ...ofApi]);
}

/** A path without its parameters. */
export function pathName(path: string): string {
  return path.split("?")[0] ?? path;
}

function ratio(usage: StageUsage, floor: StageUsage, field: "wallSeconds" | "cpuSeconds"): number {
  return usage[field] / usage.readings / (floor[field] / floor.readings);
}

function runGoals(run: StageUsage): readonly Goal[] {
  const measured = `${Math.round(run.peakMemoryMb)} (at most ${RUN_MEMORY_MB_MAX})`;
  return [
    atLeast("run, readings/s", perSecond(run), RUN_READINGS_PER_SECOND_MIN),
    { what: "run, peak memory MB", measured, isHeld: run.peakMemoryMb < RUN_MEMORY_MB_MAX },
  ];
}

function atLeast(what: string, value: number, least: number): Goal {
  const text = (n: number): string => Math.round(n).toLocaleString("en");
  return { what, measured: `${text(value)} (at least ${text(least)})`, isHeld: value >= least };
}

function paceGoal(kept: PaceKept): Goal {
  const what = `${kept.mode} ${kept.wanted.toLocaleString("en")}/s`;
  if (kept.mode === "rate") {
    const error = rateError(kept);
    return {
      what,
      measured: `${(100 * error).toFixed(2)} % off (at most 1 %)`,
      isHeld: error <= RATE_ERROR_MAX,
    };
  }
  const { p99 } = kept.latenessMs;
  const measured = `p99 ${p99.toFixed(1)} ms late (at most ${LATENESS_P99_MS_MAX})`;
  return { what, measured, isHeld: p99 <= LATENESS_P99_MS_MAX };
}

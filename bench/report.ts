// Pure: measurements as tables for people and as one object for machines.

import { type Ratios, type Verdict, verdictOf, verdictOfAll } from "./baseline.ts";
import { type Goal, goalsOf, type Measurements, pathName, perSecond, rateError, ratiosOf } from "./goals.ts";
import { serviceTables } from "./service-report.ts";
import type { StageUsage } from "./stages.ts";
import { type Cell, number, tableText } from "./table.ts";

/** What is reported: the measurements, and what they are held against. */
export interface Report {
  /** One line: readings, machine, versions. */
  readonly about: string;
  readonly measurements: Measurements;
  /** The stored ratios of this data set. */
  readonly stored: Ratios;
  readonly isWholeKeti: boolean;
}

/** The tables, in the order of measuring; those without rows are left out. */
export function reportText({ about, measurements, stored, isWholeKeti }: Report): string {
  const { memory, paces, api, services } = measurements;
  const goals = goalsOf(measurements, isWholeKeti);
  const parts = [
    `${about}\n`,
    tableText(STAGE_HEADER, stageRows(measurements, stored)),
    memory.size === 0 ? "" : tableText(["run on", "readings", "peak MB", "wall s"], memoryRows(memory)),
    paces.length === 0 ? "" : tableText(PACE_HEADER, paceRows(measurements)),
    api === undefined ? "" : tableText(API_HEADER, apiRows(measurements, stored)),
    ...serviceTables(services),
    goals.length === 0 ? "" : tableText(["promise", "measured", "held"], goals.map(goalRow)),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

/** The same as one object; ratios are wall, CPU (of stages) and p50 (of paths) to the floor. */
export function reportJson({ about, measurements, stored, isWholeKeti }: Report) {
  const { floor, stages, memory, paces, api, services } = measurements;
  const ratios = ratiosOf(measurements);
  const verdicts: Record<string, Verdict> = {};
  for (const [name, ratio] of Object.entries(ratios)) verdicts[name] = verdictOf(ratio, stored[name]);
  return {
    about,
    floor,
    stages: Object.fromEntries(stages),
    memory: [...memory].map(([rooms, usage]) => ({ rooms, ...usage })),
    paces,
    api,
    services,
    ratios,
    stored,
    verdicts,
    goals: goalsOf(measurements, isWholeKeti),
  };
}

const STAGE_HEADER = [
  "stage",
  "readings",
  "readings/s",
  "wall s",
  "CPU s",
  "peak MB",
  "wall/floor",
  "CPU/floor",
  "stored",
  "verdict",
];
const PACE_HEADER = ["pace", "messages", "messages/s", "% off", "p50 ms late", "p99 ms late", "max ms late"];
const API_HEADER = ["path", "requests", "p50 ms", "p99 ms", "bytes", "p50/floor", "stored", "verdict"];

function stageRows(measurements: Measurements, stored: Ratios): readonly (readonly Cell[])[] {
  const ratios = ratiosOf(measurements);
  const rows = [...measurements.stages].map(([name, usage]) => {
    const names = [`${name}.wall`, `${name}.cpu`];
    return [
      ...usageCells(name, usage),
      ...names.map((ratio) => number(ratios[ratio] ?? Number.NaN, 2)),
      names.map((ratio) => stored[ratio]?.toFixed(2) ?? "-").join(" / "),
      verdictOfAll(names.map((ratio) => verdictOf(ratios[ratio] ?? Number.NaN, stored[ratio]))),
    ];
  });
  return [[...usageCells("floor", measurements.floor), number(1, 2), number(1, 2)], ...rows];
}

function usageCells(name: string, usage: StageUsage): readonly Cell[] {
  const { readings, wallSeconds, cpuSeconds, peakMemoryMb } = usage;
  return [
    name,
    number(readings),
    number(perSecond(usage)),
    number(wallSeconds, 2),
    number(cpuSeconds, 2),
    number(peakMemoryMb),
  ];
}

function memoryRows(memory: Measurements["memory"]): readonly (readonly Cell[])[] {
  return [...memory].map(([rooms, { readings, peakMemoryMb, wallSeconds }]) => [
    `${rooms} room${rooms === 1 ? "" : "s"}`,
    number(readings),
    number(peakMemoryMb),
    number(wallSeconds, 2),
  ]);
}

function paceRows({ paces }: Measurements): readonly (readonly Cell[])[] {
  return paces.map((kept) => [
    `${kept.mode} ${kept.mode === "timewarp" ? "~" : ""}${kept.wanted.toLocaleString("en")}/s`,
    number(kept.messages),
    number(kept.measured, 2),
    kept.mode === "rate" ? number(100 * rateError(kept), 2) : "",
    number(kept.latenessMs.p50, 1),
    number(kept.latenessMs.p99, 1),
    number(kept.latenessMs.max, 1),
  ]);
}

function apiRows(measurements: Measurements, stored: Ratios): readonly (readonly Cell[])[] {
  const ratios = ratiosOf(measurements);
  return (measurements.api?.latencies ?? []).map(({ path, requests, p50, p99, bytes }) => {
    const name = `${pathName(path)}.p50`;
    const ratio = ratios[name];
    const cells = [path, number(requests), number(p50, 2), number(p99, 2), number(bytes)];
    if (ratio === undefined) return [...cells, number(1, 2)];
    return [...cells, number(ratio, 2), stored[name]?.toFixed(2) ?? "-", verdictOf(ratio, stored[name])];
  });
}

function goalRow({ what, measured, isHeld }: Goal): readonly Cell[] {
  return [what, measured, isHeld ? "yes" : "NO"];
}

// Pure: the stored baseline, which holds ratios to the floor and no times, and what a new measurement is against it.

import { isRecord } from "./figures.ts";

/** Ratios by name, smaller is better: `run.wall`, `run.cpu` … */
export type Ratios = Readonly<Record<string, number>>;

/** The ratios of each set of readings, by its name. */
export type Baseline = Readonly<Record<string, Ratios>>;

/** What a ratio is against the stored one; `new` where none is stored. */
export type Verdict = "better" | "same" | "worse" | "new";

/** A ratio that differs by no more is the same. */
export const TOLERANCE = 0.15;

/** Judges one ratio. */
export function verdictOf(now: number, stored: number | undefined): Verdict {
  if (stored === undefined) return "new";
  if (now > stored * (1 + TOLERANCE)) return "worse";
  return now < stored * (1 - TOLERANCE) ? "better" : "same";
}

/** One verdict of several: the worst decides, and better counts only where nothing is worse. */
export function verdictOfAll(verdicts: readonly Verdict[]): Verdict {
  const order = ["worse", "better", "same"] as const;
  return order.find((verdict) => verdicts.includes(verdict)) ?? "new";
}

/** Reads a stored baseline. Throws if it is none. */
export function parseBaseline(text: string): Baseline {
  const parsed: unknown = JSON.parse(text);
  if (!isRecord(parsed)) {
    throw new Error("the baseline is no object of data sets: save a new one with --save");
  }
  return Object.fromEntries(Object.entries(parsed).map(([name, ratios]) => [name, ratiosOf(name, ratios)]));
}

/** The baseline with new ratios of one data set; those that were not measured stay. */
export function withRatios(baseline: Baseline, dataset: string, ratios: Ratios): Baseline {
  return { ...baseline, [dataset]: { ...baseline[dataset], ...ratios } };
}

/** The baseline as it is stored: in the order of names, ratios to three decimals. */
export function baselineText(baseline: Baseline): string {
  const byName = Object.entries(baseline).toSorted(inOrder);
  const rounded = byName.map(([dataset, ratios]) => [dataset, inThousandths(ratios)] as const);
  return `${JSON.stringify(Object.fromEntries(rounded), undefined, 2)}
`;
}

function inThousandths(ratios: Ratios): Ratios {
  const byName = Object.entries(ratios).toSorted(inOrder);
  return Object.fromEntries(byName.map(([name, ratio]) => [name, Math.round(ratio * 1000) / 1000]));
}

function inOrder([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

function ratiosOf(dataset: string, value: unknown): Ratios {
  if (!isRecord(value)) {
    throw new Error(`the baseline of ${dataset} is no object of ratios: save a new one with --save`);
  }
  const entries = Object.entries(value).map(([name, ratio]) => {
    if (typeof ratio === "number" && ratio > 0) return [name, ratio] as const;
    throw new Error(`${name} in the baseline of ${dataset} is no ratio: save a new one with --save`);
  });
  return Object.fromEntries(entries);
}

// The shapes measured in the KETI data set, and the arithmetic to follow them.

import type { Chance } from "../support/chance.ts";

/** Points of a line, x rising. */
export type Points = readonly (readonly [x: number, y: number])[];

const MINUTES_OF_DAY = 1440;
const HOUR_SECONDS = 3600;

/**
 * What the building's air adds to a room's CO2 by local hour on a weekday, ppm: the mean deviation in the KETI set
 * (-12, -6, +30, +102, +137, +148, +101, +22, +1) less what the rooms' own visits make of it.
 */
export const AIR_BY_HOUR: Points = [
  [3, -14],
  [7, -6],
  [9, 15],
  [11, 65],
  [13, 87],
  [15, 92],
  [17, 45],
  [19, -20],
  [21, -25],
];

/** Deviation from the room's median by local hour on a weekday, °C. Source: KETI, mean over 51 rooms. */
export const TEMPERATURE_BY_HOUR: Points = [
  [3, -0.35],
  [7, -0.26],
  [9, -0.08],
  [11, 0.29],
  [13, 0.57],
  [15, 0.62],
  [17, 0.58],
  [19, 0.58],
  [21, 0.28],
];

/** Deviation from the room's median by local hour on a weekday, % relative humidity. Source: KETI. */
export const HUMIDITY_BY_HOUR: Points = [
  [3, 0.7],
  [7, 0.6],
  [9, 0.5],
  [11, 0.3],
  [13, -0.3],
  [15, -0.8],
  [17, -2.1],
  [19, -2.1],
  [21, -1.3],
];

/** Share of minutes with motion by local hour on a weekday, %. Source: KETI. */
export const MOTION_BY_HOUR: Points = [
  [3, 0.1],
  [7, 2.1],
  [9, 13.6],
  [11, 20.3],
  [13, 21],
  [15, 21.6],
  [17, 11.9],
  [19, 4.3],
  [21, 0.7],
];

/** The y at `x` on the line through the points; outside them the first or last y. */
export function along(points: Points, x: number): number {
  const next = points.findIndex(([pointX]) => pointX >= x);
  const right = next < 0 ? points.at(-1) : points[next];
  const left = next <= 0 ? right : points[next - 1];
  if (left === undefined || right === undefined) return 0;
  if (left === right) return right[1];
  return left[1] + ((x - left[0]) / (right[0] - left[0])) * (right[1] - left[1]);
}

/** A daily shape by minute of the local day (1440 values), joined from the last hour to the first. */
export function byMinute(hourly: Points): Float64Array {
  const first = hourly[0] ?? [0, 0];
  const last = hourly.at(-1) ?? first;
  const wrapped: Points = [[last[0] - 24, last[1]], ...hourly, [first[0] + 24, first[1]]];
  return Float64Array.from({ length: MINUTES_OF_DAY }, (_, minute) => along(wrapped, minute / 60));
}

/** A level that is worked out once a minute: `levelOf` gets any second of it, in order of time. */
export function oncePerMinute(levelOf: (seconds: number) => number): (seconds: number) => number {
  let nextMinuteAt = 0;
  let level = 0;
  return (seconds) => {
    if (seconds < nextMinuteAt) return level;
    nextMinuteAt = seconds - (seconds % 60) + 60;
    level = levelOf(seconds);
    return level;
  };
}

/** A wandering value: each step keeps `memory` (0..1) of the last one; standard deviation `deviation` in the long run. */
export function wandering(chance: Chance, memory: number, deviation: number): () => number {
  const step = deviation * Math.sqrt(1 - memory * memory);
  let value = deviation * chance.normal();
  return () => {
    value = memory * value + step * chance.normal();
    return value;
  };
}

/** A wandering value with a step each hour (see `wandering`) and straight lines between; asked for in order of time. */
export function drifting(
  chance: Chance,
  memoryOfHour: number,
  deviation: number,
): (seconds: number) => number {
  const nextKnot = wandering(chance, memoryOfHour, deviation);
  let hour = 0;
  let from = nextKnot();
  let to = nextKnot();
  return (seconds) => {
    while (seconds >= (hour + 1) * HOUR_SECONDS) {
      hour += 1;
      from = to;
      to = nextKnot();
    }
    return from + (to - from) * (seconds / HOUR_SECONDS - hour);
  };
}

/** Tells whether a time lies in one of the stretches; they are in order, and so are the times asked for. */
export function insideOf(
  stretches: readonly { readonly from: number; readonly to: number }[],
): (seconds: number) => boolean {
  let index = 0;
  let from = stretches[0]?.from ?? Infinity;
  let to = stretches[0]?.to ?? Infinity;
  return (seconds) => {
    while (seconds >= to) {
      index += 1;
      from = stretches[index]?.from ?? Infinity;
      to = stretches[index]?.to ?? Infinity;
    }
    return seconds >= from;
  };
}

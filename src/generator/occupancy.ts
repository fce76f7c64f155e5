// When people are in a room: visits, and within a visit the sessions of motion that the PIR sees.
//
//   visit     |------------------------------------|     drives CO2
//   session     |====motion====|      |==motion==|       drives PIR and the lamp
//   PIR > 0     |==============+290 s||==========+290 s|

import type { Chance } from "../support/chance.ts";
import { type Calendar, DAY_SECONDS, isWeekend, LOCAL_OFFSET_SECONDS, type Stretch } from "./calendar.ts";
import { along, byMinute, MOTION_BY_HOUR, type Points } from "./shapes.ts";

/** The use of one room, in seconds since the first UTC midnight, in order and without overlap. */
export interface Occupancy {
  /** Somebody is in the room. */
  readonly visits: readonly Stretch[];
  /** From the first to the last motion of a session; both ends are moments of motion. */
  readonly sessions: readonly Stretch[];
}

/** What the use of a room depends on. */
export interface OccupancyOptions {
  readonly calendar: Calendar;
  readonly days: number;
  /** Use of the room; 1 is the building's mean. */
  readonly activity: number;
  readonly chance: Chance;
}

/** The PIR stays above 0 for this long after the last motion, seconds. */
export const COUNTDOWN_SECONDS = 290;

// Source of the figures below: KETI (sessions a room and weekday; p10/50/75/90 of their length with the countdown;
// median gap in working hours). Sessions come in visits, or the median gap would be near the mean one.
const SESSIONS_PER_WEEKDAY = 5.9;
const SESSIONS_PER_VISIT = 2.4;
/** Visits start about this long before their motion is half over. */
const VISIT_LEAD_SECONDS = 2700;
const WEEKEND_SHARE = 0.06;
const SESSION_LOG_SECONDS: Points = [
  [0, Math.log(290)],
  [0.1, Math.log(290)],
  [0.5, Math.log(490)],
  [0.75, Math.log(1027)],
  [0.9, Math.log(2353)],
  [1, Math.log(11_000)],
];
const GAP_LOG_SECONDS = { mean: Math.log(270), deviation: 0.6 };
const GAP_SECONDS_MIN = 20;

const motionCumulated = cumulated(byMinute(MOTION_BY_HOUR));

/** Draws the visits and sessions of `days` days; the first days are the same whatever `days` is. */
export function drawOccupancy(options: OccupancyOptions): Occupancy {
  const visits: Stretch[] = [];
  const sessions: Stretch[] = [];
  let free = 0;
  // The local day -1 is under way when the first UTC day begins.
  for (let day = -1; day < options.days; day += 1) {
    for (const wanted of visitStarts(options, day)) {
      if (wanted < 0 || wanted >= options.days * DAY_SECONDS) continue;
      const from = Math.max(wanted, free);
      const drawn = drawSessions(options.chance, from);
      const to = drawn.at(-1)?.to ?? from;
      sessions.push(...drawn);
      visits.push({ from, to });
      free = to + COUNTDOWN_SECONDS + GAP_SECONDS_MIN + options.chance.below(900);
    }
  }
  return { visits, sessions };
}

/** Starts of the visits that one local day wants, in order; they may fall into an earlier visit. */
function visitStarts({ calendar, activity, chance }: OccupancyOptions, day: number): number[] {
  const weekdayMean = (SESSIONS_PER_WEEKDAY / SESSIONS_PER_VISIT) * activity;
  const count = poisson(chance, isWeekend(calendar, day) ? weekdayMean * WEEKEND_SHARE : weekdayMean);
  const midnight = day * DAY_SECONDS - LOCAL_OFFSET_SECONDS - VISIT_LEAD_SECONDS;
  const starts = Array.from(
    { length: count },
    () => midnight + minuteOfVisit(chance.next()) * 60 + chance.below(60),
  );
  return starts.toSorted((a, b) => a - b);
}

function drawSessions(chance: Chance, start: number): Stretch[] {
  const sessions: Stretch[] = [];
  let from = start;
  do {
    const length = Math.round(Math.exp(along(SESSION_LOG_SECONDS, chance.next())));
    const to = from + Math.max(0, length - COUNTDOWN_SECONDS);
    sessions.push({ from, to });
    const gap = Math.round(Math.exp(GAP_LOG_SECONDS.mean + GAP_LOG_SECONDS.deviation * chance.normal()));
    from = to + COUNTDOWN_SECONDS + Math.max(GAP_SECONDS_MIN, gap);
  } while (chance.next() < 1 - 1 / SESSIONS_PER_VISIT);
  return sessions;
}

/** The minute of the day below which the share `part` (0..1) of the day's motion lies. */
function minuteOfVisit(part: number): number {
  const wanted = part * (motionCumulated.at(-1) ?? 0);
  return Math.max(
    0,
    motionCumulated.findIndex((sum) => sum > wanted),
  );
}

function cumulated(values: Float64Array): Float64Array {
  let sum = 0;
  return values.map((value) => (sum += value));
}

/** A count of rare events with this mean (0..20). Source: Knuth, The Art of Computer Programming 2, 3.4.1. */
function poisson(chance: Chance, mean: number): number {
  const limit = Math.exp(-mean);
  let product = chance.next();
  let count = 0;
  while (product > limit) {
    product *= chance.next();
    count += 1;
  }
  return count;
}

// PIR: a countdown, not a flag. Motion sets 30 at once; without motion it falls by 1 every 10 s, down to 0.
//
//   motion    10 s    10 s   motion   10 s
//     30  ->   29  ->  28  ->  30  ->  29 …      the 10 s start anew at each motion

import type { Chance } from "../support/chance.ts";
import { DAY_SECONDS } from "./calendar.ts";
import type { Occupancy } from "./occupancy.ts";
import { jitterOf, LOST_SHARE, pushRow, type RoomContext, type Series } from "./series.ts";
import { streamOf } from "./streams.ts";

/** What motion sets the countdown to. */
export const PIR_FULL = 30;

/** Seconds between two rows without motion. */
export const PIR_SECONDS = 10;

const RETRIGGER_SECONDS_MIN = 2;
const RETRIGGER_SECONDS_MEAN = 30;
const RETRIGGER_SECONDS_MAX = 280;

/** The PIR readings of a room: a row every 10 s, and one at each motion. Rows of motion are never lost. */
export function pirSeries(context: RoomContext): Series {
  const chance = streamOf(context.seed, context.roomIndex, "pir");
  // A stream of its own, so that the samples of a day do not depend on how many days follow.
  const motions = motionsOf(context.occupancy, streamOf(context.seed, context.roomIndex, "motion"));
  const { startUnix } = context.calendar;
  let motionIndex = 0;
  let ticks = PIR_FULL;
  let nominalTick = chance.below(PIR_SECONDS);
  let nextTick = nominalTick;
  let tickIsLost = false;

  /** Plans the next tick, 10 s after `base`. */
  const planTick = (base: number): void => {
    const fate = chance.next();
    tickIsLost = fate < LOST_SHARE;
    nominalTick = base + PIR_SECONDS;
    nextTick = nominalTick + (tickIsLost ? 0 : jitterOf(fate - LOST_SHARE));
  };
  const fillDay: Series["fillDay"] = (day, rows) => {
    rows.count = 0;
    const end = (day + 1) * DAY_SECONDS;
    for (;;) {
      const motion = motions[motionIndex] ?? Infinity;
      if (Math.min(motion, nextTick) >= end) return;
      if (motion <= nextTick) {
        pushRow(rows, startUnix + motion, 100 * PIR_FULL);
        motionIndex += 1;
        ticks = 0;
        planTick(motion);
      } else {
        ticks = Math.min(PIR_FULL, ticks + 1);
        if (!tickIsLost) pushRow(rows, startUnix + nextTick, 100 * (PIR_FULL - ticks));
        planTick(nominalTick);
      }
    }
  };
  return { fillDay };
}

/** The moments of motion, in order and at least 2 s apart: both ends of each session and some between. */
function motionsOf(occupancy: Occupancy, chance: Chance): number[] {
  const motions: number[] = [];
  for (const { from, to } of occupancy.sessions) {
    let at = from;
    while (at <= to - RETRIGGER_SECONDS_MIN) {
      motions.push(at);
      const pause = Math.round(-RETRIGGER_SECONDS_MEAN * Math.log(1 - chance.next()));
      at += Math.min(RETRIGGER_SECONDS_MAX, Math.max(RETRIGGER_SECONDS_MIN, pause));
    }
    motions.push(to);
  }
  return motions;
}

// CO2: a mass balance driven by the visits, under the sensor's noise.

import { type RoomContext, SAMPLE_SECONDS, sampledSeries, type Series } from "./series.ts";
import { AIR_BY_HOUR, byMinute, insideOf, oncePerMinute, wandering } from "./shapes.ts";
import { streamOf } from "./streams.ts";
import { weeklyShape } from "./weekly-shape.ts";

/** Share of the excess that ventilation takes away, 1/min. Source: KETI. */
const DECAY_PER_MINUTE = 0.0061;
const SAMPLE_MINUTES = SAMPLE_SECONDS / 60;
const airByMinute = byMinute(AIR_BY_HOUR);
const airAtWeekend = airByMinute.map((ppm) => Math.min(0, ppm));
const PPM_MIN = 20;
const PPM_MAX = 4900;

/** The CO2 readings of a room: dC/dt = a·occupied - k·(C - base), and the building's air; whole ppm, 20..4900. */
export function co2Series(context: RoomContext): Series {
  const { co2Base, co2Rise } = context.traits;
  const chance = streamOf(context.seed, context.roomIndex, "co2");
  // Source: KETI, night noise at 5 s.
  const noise = wandering(chance, 0.72, 6.8);
  const isOccupied = insideOf(context.occupancy.visits);
  const air = oncePerMinute(weeklyShape(context.calendar, airByMinute, airAtWeekend));
  let level = co2Base;
  return sampledSeries(context, chance, (seconds) => {
    const rise = isOccupied(seconds) ? co2Rise : 0;
    level += SAMPLE_MINUTES * (rise - DECAY_PER_MINUTE * (level - co2Base));
    return 100 * Math.min(PPM_MAX, Math.max(PPM_MIN, Math.round(level + air(seconds) + noise())));
  });
}

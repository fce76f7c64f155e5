// Light: the dark room, the lamp while there is motion, and daylight in rooms with a window.

import { localSecondOfDay } from "./calendar.ts";
import { COUNTDOWN_SECONDS } from "./occupancy.ts";
import { type RoomContext, sampledSeries, type Series } from "./series.ts";
import { insideOf, oncePerMinute, wandering } from "./shapes.ts";
import { BUILDING, streamOf } from "./streams.ts";

/** Daylight lasts from 06:30 to 19:30 local time. Source: KETI. */
const SUNRISE_HOUR = 6.5;
const SUNSET_HOUR = 19.5;
const LUX_MAX = 2400;

/** The light readings of a room, whole lux, 0..2400. */
export function lightSeries(context: RoomContext): Series {
  const { lightDark, lightLamp, daylightPeak } = context.traits;
  const chance = streamOf(context.seed, context.roomIndex, "luminosity");
  // Source: KETI, night noise at 5 s.
  const noise = wandering(chance, 0.22, 0.83);
  const lampIsOn = insideOf(
    context.occupancy.sessions.map(({ from, to }) => ({ from, to: to + COUNTDOWN_SECONDS })),
  );
  const daylight = daylightPeak > 0 ? daylightOf(context) : () => 0;
  return sampledSeries(context, chance, (seconds) => {
    const lux = lightDark + (lampIsOn(seconds) ? lightLamp : 0) + daylight(seconds) + noise();
    return 100 * Math.min(LUX_MAX, Math.max(0, Math.round(lux)));
  });
}

/** Daylight, worked out once a minute; the clouds are the same for the whole building. */
function daylightOf(context: RoomContext): (seconds: number) => number {
  const { daylightPeak, daylightPeakHour } = context.traits;
  const byMinute = Float64Array.from(
    { length: 1440 },
    (_, minute) => daylightPeak * sunAt(minute / 60, daylightPeakHour),
  );
  const clouds = wandering(streamOf(context.seed, BUILDING, "weather"), 0.98, 0.35);
  return oncePerMinute((seconds) => {
    return (byMinute[Math.floor(localSecondOfDay(seconds) / 60)] ?? 0) * Math.exp(clouds());
  });
}

/** Share of the peak, 0..1: a smooth hump from sunrise over the window's own best hour to sunset. */
function sunAt(hour: number, peakHour: number): number {
  if (hour <= SUNRISE_HOUR || hour >= SUNSET_HOUR) return 0;
  const part =
    hour < peakHour
      ? (hour - SUNRISE_HOUR) / (peakHour - SUNRISE_HOUR)
      : (SUNSET_HOUR - hour) / (SUNSET_HOUR - peakHour);
  return Math.sin((Math.PI / 2) * part);
}

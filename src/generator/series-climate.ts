// Temperature and humidity: a daily shape, a slow drift of the room and the sensor's noise.

import { type RoomContext, sampledSeries, type Series } from "./series.ts";
import {
  byMinute,
  drifting,
  HUMIDITY_BY_HOUR,
  oncePerMinute,
  TEMPERATURE_BY_HOUR,
  wandering,
} from "./shapes.ts";
import { streamOf } from "./streams.ts";
import { weeklyShape } from "./weekly-shape.ts";

/** What of the people's part in the daily shape (warmer, drier) is left at weekends. */
const WEEKEND_PART = 0.5;
const temperatureByMinute = byMinute(TEMPERATURE_BY_HOUR);
const humidityByMinute = byMinute(HUMIDITY_BY_HOUR);
const temperatureAtWeekend = temperatureByMinute.map((value) => (value > 0 ? value * WEEKEND_PART : value));
const humidityAtWeekend = humidityByMinute.map((value) => (value < 0 ? value * WEEKEND_PART : value));

/** The temperature readings of a room, steps of 0.01 °C, 12..38. */
export function temperatureSeries(context: RoomContext): Series {
  const chance = streamOf(context.seed, context.roomIndex, "temperature");
  const { temperatureBase: base, temperatureSwing: swing } = context.traits;
  const shape = weeklyShape(context.calendar, temperatureByMinute, temperatureAtWeekend);
  // The drift's memory lasts 4 hours; the noise is KETI's at night.
  const drift = drifting(chance, 0.78, 0.25);
  const noise = wandering(chance, 0.06, 0.006);
  const level = oncePerMinute((seconds) => base + swing * shape(seconds) + drift(seconds));
  return sampledSeries(context, chance, (seconds) => {
    return Math.min(3800, Math.max(1200, Math.round(100 * (level(seconds) + noise()))));
  });
}

/** The humidity readings of a room, steps of 0.03 %, 30..75. */
export function humiditySeries(context: RoomContext): Series {
  const chance = streamOf(context.seed, context.roomIndex, "humidity");
  const { humidityBase: base, humiditySwing: swing } = context.traits;
  const shape = weeklyShape(context.calendar, humidityByMinute, humidityAtWeekend);
  // The drift's memory lasts 12 hours; the noise is KETI's at night.
  const drift = drifting(chance, 0.92, 1.5);
  const noise = wandering(chance, 0.13, 0.013);
  const level = oncePerMinute((seconds) => base + swing * shape(seconds) + drift(seconds));
  return sampledSeries(context, chance, (seconds) => {
    return 3 * Math.min(2500, Math.max(1000, Math.round((level(seconds) + noise()) / 0.03)));
  });
}

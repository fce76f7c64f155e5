// A daily shape with a side for weekdays and one for weekends.

import { type Calendar, isWeekend, localDayAt, localSecondOfDay } from "./calendar.ts";

/** The shape's value at a time; both sides are by minute of the local day (1440 values) and should meet at midnight. */
export function weeklyShape(
  calendar: Calendar,
  weekday: Float64Array,
  weekend: Float64Array,
): (seconds: number) => number {
  return (seconds) => {
    const side = isWeekend(calendar, localDayAt(seconds)) ? weekend : weekday;
    return side[Math.floor(localSecondOfDay(seconds) / 60)] ?? 0;
  };
}

// Days and local hours of the generated building, reckoned without the machine's clock or time zone.

import { AtriumError } from "../support/errors.ts";

/** Seconds of a day. */
export const DAY_SECONDS = 86_400;

/** The building's local time is UTC-7 all year, seconds. */
export const LOCAL_OFFSET_SECONDS = -7 * 3600;

/** A stretch of time in seconds since the first UTC midnight: `from` is inside, `to` is not. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** When the generated time begins. */
export interface Calendar {
  /** First second, UTC midnight, seconds since 1970. */
  readonly startUnix: number;
  /** Weekday of the first UTC day, 0 Sunday to 6 Saturday. */
  readonly startWeekday: number;
}

const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * The calendar that begins at 00:00 UTC of `startDate` (YYYY-MM-DD, 2000-01-01 to 2098-12-31).
 * @throws USAGE_INVALID
 */
export function calendarFrom(startDate: string): Calendar {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(startDate);
  const [year, month, day] = (parts ?? []).slice(1).map(Number);
  if (year === undefined || month === undefined || day === undefined || !isDate(year, month, day)) {
    throw new AtriumError(
      "USAGE_INVALID",
      `startDate is "${startDate}": give a date from 2000-01-01 to 2098-12-31, written YYYY-MM-DD.`,
    );
  }
  const days = daysSince1970(year, month, day);
  return { startUnix: days * DAY_SECONDS, startWeekday: (days + 4) % 7 };
}

/** Second of the local day, 0..86399, at `seconds` since the first UTC midnight. */
export function localSecondOfDay(seconds: number): number {
  return (seconds + LOCAL_OFFSET_SECONDS + DAY_SECONDS) % DAY_SECONDS;
}

/** Number of the local day at `seconds`; -1 is the one that is under way at the first UTC midnight. */
export function localDayAt(seconds: number): number {
  return Math.floor((seconds + LOCAL_OFFSET_SECONDS) / DAY_SECONDS);
}

/** Whether a local day is a Saturday or Sunday. */
export function isWeekend(calendar: Calendar, localDay: number): boolean {
  const weekday = (calendar.startWeekday + localDay + 7) % 7;
  return weekday === 0 || weekday === 6;
}

function isDate(year: number, month: number, day: number): boolean {
  if (year < 2000 || year > 2098) return false;
  const length = month === 2 && year % 4 === 0 ? 29 : DAYS_IN_MONTH[month - 1];
  return length !== undefined && day >= 1 && day <= length;
}

/** Every fourth year from 2000 to 2098 is a leap year, and so is every fourth from 1972 on. */
function daysSince1970(year: number, month: number, day: number): number {
  const years = year - 1970;
  const leapDaysBefore = Math.floor((years + 1) / 4);
  const leapDayThisYear = month > 2 && year % 4 === 0 ? 1 : 0;
  const daysOfMonths = DAYS_IN_MONTH.slice(0, month - 1).reduce((sum, length) => sum + length, 0);
  return years * 365 + leapDaysBefore + leapDayThisYear + daysOfMonths + day - 1;
}

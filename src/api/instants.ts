// Dates and times as clients write them, brought to one form that sorts as text. Pure.

/** A moment in UTC as text of one length, `2013-08-23T08:00:00.000000Z`, so that texts compare as moments do. */
export type Instant = string;

const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;
const TIME =
  /^(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:([Zz])|([+\- ])(\d\d):?(\d\d))?$/;
const LAST_DAY = "9999-12-31";
const SECONDS_MIN = Date.parse("0001-01-01T00:00:00Z") / 1000;
const SECONDS_MAX = Date.parse(`${LAST_DAY}T23:59:59Z`) / 1000;

/** True for a day that exists, as `2013-08-23`, of the years 1 to 9999. */
export function isDate(text: string): boolean {
  if (!DATE.test(text) || text.startsWith("0000")) return false;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
}

/**
 * The moment of an ISO 8601 time, or undefined for other text. Without an offset it is UTC. What is finer than a
 * microsecond is rounded up, so that `time >= text` keeps its meaning. A blank stands for the `+` that a URL lost.
 */
export function parseInstant(text: string): Instant | undefined {
  const parts = TIME.exec(text);
  if (parts === null) return undefined;
  const [
    ,
    date = "",
    hour = "",
    minute = "",
    second = "00",
    fraction = "",
    ,
    sign = "+",
    hours = "0",
    minutes = "0",
  ] = parts;
  const isClockTime = Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60;
  if (!isDate(date) || !isClockTime || Number(hours) > 23 || Number(minutes) > 59) return undefined;
  const offset = (Number(hours) * 60 + Number(minutes)) * 60 * (sign === "-" ? -1 : 1);
  const micros = Number(fraction.slice(0, 6).padEnd(6, "0")) + (/[1-9]/.test(fraction.slice(6)) ? 1 : 0);
  return instantOf(Date.parse(`${date}T${hour}:${minute}:${second}Z`) / 1000 - offset, micros);
}

/** The first moment of a day. */
export function startOfDay(date: string): Instant {
  return `${date}T00:00:00.000000Z`;
}

/** The first moment after a day; undefined after the last day that can be written. */
export function endOfDay(date: string): Instant | undefined {
  if (date === LAST_DAY) return undefined;
  return instantOf(Date.parse(`${date}T00:00:00Z`) / 1000 + 86_400, 0);
}

/** The moment so many ms after 1970. */
export function instantOfMs(ms: number): Instant {
  return new Date(ms).toISOString().replace("Z", "000Z");
}

function instantOf(seconds: number, micros: number): Instant | undefined {
  const whole = micros === 1_000_000 ? seconds + 1 : seconds;
  if (whole < SECONDS_MIN || whole > SECONDS_MAX) return undefined;
  const text = new Date(whole * 1000).toISOString().slice(0, 19);
  return `${text}.${String(micros % 1_000_000).padStart(6, "0")}Z`;
}

// The parameters of the paths: what each means, in which form it comes, and its bounds. Pure.

import { Type } from "typebox";
import { REJECTION_REASONS } from "../reading/parse-message.ts";
import { SENSOR_TRAITS, SENSOR_TYPES, sensorTypeNamed, type SensorType } from "../reading/terms.ts";
import { endOfDay, isDate, parseInstant, startOfDay, type Instant } from "./instants.ts";
import { FORMATS, type Format } from "./negotiation.ts";
import { count, many, required, single } from "./parameter-kinds.ts";
import type { DateRange, InstantRange } from "./queries.ts";
import { parametersInvalid, shown, type Parameter, type Parsed } from "./query-string.ts";
import { oneOfTexts } from "./row-schemas.ts";

/** Quality flags of silver. */
export const QUALITY_FLAGS = ["OK", "MISSING", "OUT_OF_RANGE"] as const;

/** A quality flag of silver. */
export type QualityFlag = (typeof QUALITY_FLAGS)[number];

/** A `from` or `to` as it was given: a whole day or a moment. */
export type TimeValue = { readonly date: string } | { readonly instant: Instant };

const ROOM_LENGTH_MAX = 100;
const CURSOR_LENGTH_MAX = 2000;
const SENSOR_NAMES = [
  ...new Set(
    SENSOR_TYPES.flatMap((type) => [type, SENSOR_TRAITS[type].fileName, ...SENSOR_TRAITS[type].aliases]),
  ),
];

const REASONS: readonly string[] = Object.keys(REJECTION_REASONS);

const TIME_SCHEMA = [Type.String({ format: "date" }), Type.String({ format: "date-time" })];
const TIME_FORM =
  "expected a date such as 2013-08-23 or a time such as 2013-08-23T08:00:00Z, of the years 1 to 9999.";

/** Start of a time range. */
export const from: Parameter<TimeValue | undefined> = single({
  schema: Type.Union(TIME_SCHEMA, {
    description: "From this day or moment on. A time without an offset is UTC.",
    examples: ["2013-08-23", "2013-08-23T08:00:00Z"],
  }),
  parse: parseTime,
});

/** End of a time range. */
export const to: Parameter<TimeValue | undefined> = single({
  schema: Type.Union(TIME_SCHEMA, {
    description: "Until the end of this day, or up to but not including this moment.",
    examples: ["2013-08-24", "2013-08-23T09:00:00Z"],
  }),
  parse: parseTime,
});

/** First day. */
export const fromDate: Parameter<string | undefined> = single({
  schema: Type.String({ format: "date", description: "First UTC day.", examples: ["2013-08-23"] }),
  parse: parseDate,
});

/** Last day. */
export const toDate: Parameter<string | undefined> = single({
  schema: Type.String({ format: "date", description: "Last UTC day, included.", examples: ["2013-08-25"] }),
  parse: parseDate,
});

/** A day, if any. */
export const date: Parameter<string | undefined> = single({
  schema: Type.String({ format: "date", description: "A UTC day.", examples: ["2013-08-23"] }),
  parse: parseDate,
});

/** A day that must be given. */
export const requiredDate: Parameter<string> = required(date);

/** Rooms; none is all. */
export const rooms: Parameter<readonly string[]> = many({
  item: Type.String({ minLength: 1, maxLength: ROOM_LENGTH_MAX, pattern: "^[^\\s,]([^,]*[^\\s,])?$" }),
  description: "Only these rooms: repeat the parameter, or separate them by commas.",
  example: ["413"],
  parse: (text) =>
    text.length <= ROOM_LENGTH_MAX
      ? { value: text }
      : { problem: `is ${shown(text)}: a room has at most ${ROOM_LENGTH_MAX} characters.` },
});

/** One room, if any. */
export const room: Parameter<string | undefined> = single({
  schema: Type.String({
    minLength: 1,
    maxLength: ROOM_LENGTH_MAX,
    description: "Only this room.",
    examples: ["413"],
  }),
  parse: (text) =>
    text !== "" && text.length <= ROOM_LENGTH_MAX
      ? { value: text }
      : { problem: `is ${shown(text)}: expected 1 to ${ROOM_LENGTH_MAX} characters.` },
});

/** Sensor types; none is all. */
export const sensorTypes: Parameter<readonly SensorType[]> = many({
  item: oneOfTexts(SENSOR_NAMES),
  description: "Only these sensor types, by name or alias: repeat the parameter, or separate them by commas.",
  example: ["co2"],
  parse: parseSensorType,
});

/** One sensor type, if any. */
export const sensorType: Parameter<SensorType | undefined> = single({
  schema: oneOfTexts(SENSOR_NAMES, {
    description: "Only this sensor type, by name or alias.",
    examples: ["co2"],
  }),
  parse: parseSensorType,
});

/** Quality flags; none is all. */
export const quality: Parameter<readonly QualityFlag[]> = many({
  item: oneOfTexts(QUALITY_FLAGS),
  description: "Only readings with these quality flags: repeat the parameter, or separate them by commas.",
  example: ["OK"],
  parse: (text) => oneOf(QUALITY_FLAGS, text.toUpperCase(), text),
});

/** Reasons why a message is no reading; none is all. */
export const reasons: Parameter<readonly string[]> = many({
  item: oneOfTexts(REASONS),
  description: "Only these reasons: repeat the parameter, or separate them by commas.",
  example: ["not_json"],
  parse: (text) => oneOf(REASONS, text.toLowerCase(), text),
});

/** Topics of the log; none is all. */
export const topics: Parameter<readonly string[]> = many({
  item: Type.String({ pattern: "^[a-zA-Z0-9._-]{1,249}$" }),
  description: "Only these topics: repeat the parameter, or separate them by commas.",
  example: ["iot.co2"],
  parse: (text) =>
    /^[a-zA-Z0-9._-]{1,249}$/.test(text)
      ? { value: text }
      : { problem: `is ${shown(text)}: expected a topic such as iot.co2.` },
});

/** Rows of a page. */
export const limit: Parameter<number> = count({ max: 10_000, fallback: 1000 });

/** Rows of an answer on the original's paths. */
export const originalLimit: Parameter<number> = count({ max: 1000, fallback: 100 });

/** Where the page before ended. */
export const cursor: Parameter<string | undefined> = single({
  schema: Type.String({
    pattern: "^[A-Za-z0-9_-]+$",
    maxLength: CURSOR_LENGTH_MAX,
    description: "The next_cursor of the page before, with the same filters.",
  }),
  parse: (text) =>
    /^[A-Za-z0-9_-]+$/.test(text) && text.length <= CURSOR_LENGTH_MAX
      ? { value: text }
      : { problem: `is ${shown(text)}: expected the next_cursor of the page before.` },
});

/** Form of the answer. */
export const format: Parameter<Format | undefined> = single({
  schema: oneOfTexts(FORMATS, {
    description: "Form of the answer; without it the Accept header decides.",
    examples: ["json", "csv"],
  }),
  parse: (text) => oneOf(FORMATS, text.toLowerCase(), text),
});

/** The moments that `from` and `to` enclose: a day as `from` begins with it, as `to` ends with it. @throws PARAMETER_INVALID if nothing lies between */
export function instantRange(values: {
  readonly from: TimeValue | undefined;
  readonly to: TimeValue | undefined;
}): InstantRange {
  const start = values.from && ("date" in values.from ? startOfDay(values.from.date) : values.from.instant);
  const end = values.to && ("date" in values.to ? endOfDay(values.to.date) : values.to.instant);
  if (start !== undefined && end !== undefined && start >= end) {
    throw emptyRange(`to ends at ${end} and from starts at ${start}: to must be later.`);
  }
  return { from: start, before: end };
}

/** The days from `from` to `to`. @throws PARAMETER_INVALID if there are none */
export function dateRange(values: {
  readonly from: string | undefined;
  readonly to: string | undefined;
}): DateRange {
  if (values.from !== undefined && values.to !== undefined && values.from > values.to) {
    throw emptyRange(`to is ${values.to} and from is ${values.from}: to must not be earlier.`);
  }
  return { from: values.from, to: values.to };
}

function emptyRange(message: string): Error {
  return parametersInvalid([{ parameter: "to", message }]);
}

function parseTime(text: string): Parsed<TimeValue> {
  if (isDate(text)) return { value: { date: text } };
  const instant = parseInstant(text);
  return instant === undefined ? { problem: `is ${shown(text)}: ${TIME_FORM}` } : { value: { instant } };
}

function parseDate(text: string): Parsed<string> {
  return isDate(text)
    ? { value: text }
    : { problem: `is ${shown(text)}: expected a date such as 2013-08-23, of the years 1 to 9999.` };
}

function parseSensorType(text: string): Parsed<SensorType> {
  const known = SENSOR_NAMES.includes(text.toLowerCase()) ? sensorTypeNamed(text) : undefined;
  return known === undefined
    ? { problem: `is ${shown(text)}: expected one of ${SENSOR_NAMES.join(", ")}.` }
    : { value: known };
}

function oneOf<Value extends string>(values: readonly Value[], wanted: string, text: string): Parsed<Value> {
  const found = values.find((value) => value === wanted);
  return found === undefined
    ? { problem: `is ${shown(text)}: expected one of ${values.join(", ")}.` }
    : { value: found };
}

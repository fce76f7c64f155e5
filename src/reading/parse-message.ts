// The rules of the wire format: a message is a reading, or it is rejected with a reason.

import { SENSOR_TYPES, type SensorType } from "./terms.ts";

/** A reading as it stands in a message. */
export interface Reading {
  readonly room: string;
  readonly sensorType: SensorType;
  /** Event time, µs since 1970; a whole number below 2^53. */
  readonly eventUs: number;
  /** In the type's unit. */
  readonly value: number;
  /** The message's other fields as a JSON object, digits as they were sent; left out where there are none. */
  readonly attributes?: string;
}

/** Why a message is no reading, with what each reason means. */
export const REJECTION_REASONS = {
  not_utf8: "The message is not valid UTF-8.",
  not_json: "The message is not valid JSON.",
  not_an_object: "The message is JSON, but no object.",
  nested_too_deep: "The message is nested more than 100 levels deep.",
  room_missing: "There is no field room.",
  room_invalid: "The room is no text of 1 to 100 printable characters (200 bytes when percent-encoded).",
  sensor_missing: "There is no field sensor.",
  unknown_sensor_type: "The sensor is not co2, humidity, luminosity, pir or temperature.",
  timestamp_missing: "There is no field ts.",
  timestamp_invalid: "The field ts is no number.",
  timestamp_before_1970: "The event time is negative.",
  timestamp_in_future: "The event time is more than a day after the log time.",
  value_missing: "There is no field value, or it is null.",
  value_not_a_number: "The value is no number.",
  value_not_finite: "The value is infinite or NaN.",
} as const;

/** A reason of the list. */
export type RejectionReason = keyof typeof REJECTION_REASONS;

/** A message that is no reading: a value, not an error. */
export interface Rejection {
  readonly reason: RejectionReason;
  /** In words, with what was found. */
  readonly detail: string;
}

/** An event time may be ahead of its log time by this much (clocks differ), ms. */
export const FUTURE_TOLERANCE_MS = 24 * 3600 * 1000;

const ROOM_LENGTH_MAX = 100;
/** A folder's name has at most 255 bytes, `room=` included. */
const ROOM_ENCODED_LENGTH_MAX = 200;
const DETAIL_LENGTH_MAX = 200;
/** Deeper ones would exhaust the stack where they are written again. */
const NESTING_MAX = 100;
const READING_FIELDS: ReadonlySet<string> = new Set(["room", "sensor", "ts", "value"]);
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Judges one message by the wire format; `logTimeMs` is when it entered the log (ms since 1970). */
export function parseMessage(bytes: Uint8Array, logTimeMs: number): Reading | Rejection {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return reject("not_utf8", `${bytes.length} bytes that are no UTF-8`);
  }
  const parsed = parseJson(text);
  if ("reason" in parsed) return parsed;
  return readFields(parsed.fields, text, logTimeMs);
}

/** True for the outcome that is no reading. */
export function isRejection(outcome: Reading | Rejection): outcome is Rejection {
  return "reason" in outcome;
}

function parseJson(text: string): Rejection | { readonly fields: Readonly<Record<string, unknown>> } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    if (/"value"\s*:\s*-?(NaN|Infinity)\b/i.test(text)) {
      return reject("value_not_finite", `the value is not finite: ${text}`);
    }
    return reject("not_json", `no JSON: ${text}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return reject("not_an_object", `JSON, but no object: ${text}`);
  }
  if (isDeeper(value, NESTING_MAX)) {
    return reject("nested_too_deep", `more than ${NESTING_MAX} levels: ${text}`);
  }
  return { fields: value as Readonly<Record<string, unknown>> };
}

function readFields(
  fields: Readonly<Record<string, unknown>>,
  text: string,
  logTimeMs: number,
): Reading | Rejection {
  const { room, sensor, ts, value } = fields;
  if (room === undefined || room === null) return reject("room_missing", `no room: ${text}`);
  if (!isRoomName(room)) return reject("room_invalid", `room is ${JSON.stringify(room)}`);
  if (sensor === undefined || sensor === null) return reject("sensor_missing", `no sensor: ${text}`);
  const sensorType = SENSOR_TYPES.find((known) => known === sensor);
  if (sensorType === undefined) return reject("unknown_sensor_type", `sensor is ${JSON.stringify(sensor)}`);
  const eventUs = readTimestamp(ts, logTimeMs);
  if (typeof eventUs !== "number") return eventUs;
  const number = readValue(value);
  if (typeof number !== "number") return number;
  const attributes = otherFields(fields, text);
  return { room, sensorType, eventUs, value: number, ...(attributes === undefined ? {} : { attributes }) };
}

function isRoomName(room: unknown): room is string {
  if (typeof room !== "string" || room.length > ROOM_LENGTH_MAX) return false;
  if (room.trim() === "" || UNPRINTABLE.test(room)) return false;
  return encodeURIComponent(room).length <= ROOM_ENCODED_LENGTH_MAX;
}

/** Seconds, milliseconds or microseconds since 1970, told apart by size: 1e11 s is the year 5138, 1e11 ms is 1973. */
function readTimestamp(ts: unknown, logTimeMs: number): number | Rejection {
  if (ts === undefined || ts === null) return reject("timestamp_missing", "no ts");
  if (typeof ts !== "number") return reject("timestamp_invalid", `ts is ${JSON.stringify(ts)}`);
  if (ts < 0) return reject("timestamp_before_1970", `ts is ${ts}`);
  const unitUs = ts < 1e11 ? 1e6 : ts < 1e14 ? 1e3 : 1;
  const eventUs = Math.round(ts * unitUs);
  if (eventUs > (logTimeMs + FUTURE_TOLERANCE_MS) * 1000) return reject("timestamp_in_future", `ts is ${ts}`);
  return eventUs;
}

function readValue(value: unknown): number | Rejection {
  if (value === undefined || value === null) return reject("value_missing", "no value");
  if (typeof value !== "number") return reject("value_not_a_number", `value is ${JSON.stringify(value)}`);
  if (!Number.isFinite(value)) return reject("value_not_finite", "the value is beyond the range of a double");
  return value + 0;
}

/** The fields that are no part of a reading, with numbers written as they were sent (a 64-bit id stays whole). */
function otherFields(fields: Readonly<Record<string, unknown>>, text: string): string | undefined {
  const names = Object.keys(fields).filter((name) => !READING_FIELDS.has(name));
  if (names.length === 0) return undefined;
  const mayDiffer = ODD_NUMBER.test(text) && names.some((name) => holdsNumber(fields[name]));
  const whole = mayDiffer ? (JSON.parse(text, keepDigits) as Readonly<Record<string, unknown>>) : fields;
  return JSON.stringify(Object.fromEntries(names.map((name) => [name, whole[name]])));
}

/**
 * What a number may hold that is not written again as it stands: an exponent, more than 15 digits, a zero at the end of a
 * fraction, a minus zero, or a fraction so small that it is written with an exponent. Texts may hold it as well.
 */
const ODD_NUMBER = /\d[eE]|[\d.]{16}|\.\d*0(?!\d)|-0|0\.000000/;

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isDeeper(member, levels - 1));
}

function holdsNumber(value: unknown): boolean {
  if (typeof value === "number") return true;
  return typeof value === "object" && value !== null && Object.values(value).some(holdsNumber);
}

/** A reviver for JSON.parse that keeps numbers as they were written, for JSON.stringify: a 64-bit id stays whole. */
export function keepDigits(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || context?.source === undefined || String(value) === context.source) {
    return value;
  }
  return rawJson(context.source);
}

/** JSON.rawJSON of the language's 2025 edition, which the type library does not know yet. */
function rawJson(source: string): unknown {
  const json = JSON as unknown as { rawJSON(text: string): unknown };
  return json.rawJSON(source);
}

function reject(reason: RejectionReason, detail: string): Rejection {
  return {
    reason,
    detail: detail.length > DETAIL_LENGTH_MAX ? `${detail.slice(0, DETAIL_LENGTH_MAX)}…` : detail,
  };
}

// Writes messages as JSON bytes into a growing buffer: `{"room":"413","sensor":"co2","ts":1377299108,"value":495}`.

import type { SensorType } from "../reading/terms.ts";
import type { ScannedLine } from "./csv-scanner.ts";

/** Bytes that grow as needed; those below `length` count. */
export interface MessageBuffer {
  bytes: Uint8Array;
  length: number;
}

/** The bytes of a message up to its event time, the same for all of one sensor; the room is escaped as JSON wants it. */
export function messagePrefix(room: string, sensorType: SensorType): Uint8Array {
  return Buffer.from(`{"room":${JSON.stringify(room)},"sensor":"${sensorType}","ts":`, "utf8");
}

/** Appends the message of a well-formed line of `source`, and an LF. Hot path. */
export function writeMessage(
  out: MessageBuffer,
  prefix: Uint8Array,
  source: Uint8Array,
  line: ScannedLine,
): void {
  const bytes = room(out, prefix.length + (line.end - line.start) + FRAME_BYTES_MAX);
  let at = copy(bytes, out.length, prefix, 0, prefix.length);
  if (line.secondsNegative) bytes[at++] = MINUS;
  at = copy(bytes, at, source, line.secondsStart, line.secondsEnd);
  at = copy(bytes, at, VALUE_FIELD, 0, VALUE_FIELD.length);
  if (line.valueNegative) bytes[at++] = MINUS;
  at = copy(bytes, at, source, line.valueStart, line.valueEnd);
  bytes[at] = CLOSING_BRACE;
  bytes[at + 1] = LINE_FEED;
  out.length = at + 2;
}

/** Appends a malformed line of `source` as it is, without its line end, and an LF. */
export function writeRawLine(out: MessageBuffer, source: Uint8Array, line: ScannedLine): void {
  const size = line.end - line.start;
  const bytes = room(out, size + 1);
  bytes.set(source.subarray(line.start, line.end), out.length);
  bytes[out.length + size] = LINE_FEED;
  out.length += size + 1;
}

const MINUS = 45;
const CLOSING_BRACE = 125;
const LINE_FEED = 10;
const VALUE_FIELD = Buffer.from(',"value":', "utf8");
/** The value's name, two signs, the closing brace and LF, with some to spare. */
const FRAME_BYTES_MAX = 16;

/** Makes sure that `more` bytes fit behind those that are there. */
function room(out: MessageBuffer, more: number): Uint8Array {
  const wanted = out.length + more;
  if (wanted <= out.bytes.length) return out.bytes;
  const grown = new Uint8Array(Math.max(wanted, out.bytes.length * 2));
  grown.set(out.bytes.subarray(0, out.length));
  out.bytes = grown;
  return grown;
}

/** Hot path: a loop, because a call of TypedArray.set costs more than these few bytes. */
function copy(target: Uint8Array, to: number, source: Uint8Array, start: number, end: number): number {
  let at = to;
  for (let from = start; from < end; from += 1) {
    target[at] = source[from] ?? 0;
    at += 1;
  }
  return at;
}

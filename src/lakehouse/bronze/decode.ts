// From record batches to staged readings and rejected messages: the hot path of ingestion.
//
// Nearly all messages are written as our own replay writes them. Those are read byte by byte, without a string or an
// object each: the fields before the numbers are compared with what the key promises. Any message that differs in
// the least goes the general way (parse-message.ts), which alone decides. So the short way never judges: it knows
// one shape, or it steps aside.

import type { RecordBatch } from "../../log/event-log.ts";
import {
  FUTURE_TOLERANCE_MS,
  isRejection,
  parseMessage,
  type RejectionReason,
} from "../../reading/parse-message.ts";
import { splitKey, type StagedReadings } from "./staged-readings.ts";

/** A message as it lies in the log. */
export interface WholeMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly logTimeMs: number;
  readonly key: string | null;
  readonly value: Uint8Array;
}

/** A message that is no reading, whole. */
export interface RejectedMessage extends WholeMessage {
  readonly reason: RejectionReason;
  readonly detail: string;
}

/** Where decoded records go. */
export interface DecodeTarget {
  readonly staged: StagedReadings;
  readonly rejected: RejectedMessage[];
}

const LF = 10;
const ZERO = 48;
const NINE = 57;
const MINUS = 45;
const POINT = 46;
const CLOSE = 125;
const VALUE_FIELD = Buffer.from(',"value":');
const POWERS_OF_TEN = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
/** Up to this many digits a decimal fraction is exact: both its parts are whole doubles, and one division rounds once. */
const DIGITS_MAX = 15;
/** Seconds with ten digits lie in 2001 to 2286: the range of the short way. */
const SECONDS_DIGITS = 10;

/** What the short way expects of a key's messages, up to the digits of `ts`. */
interface Expected {
  readonly prefix: Uint8Array;
  readonly sensor: number;
}

/** Decodes the records of a batch from offset `fromOffset` on (those below it are dropped) into the target. */
export function decodeBatch(batch: RecordBatch, fromOffset: bigint, target: DecodeTarget): void {
  const { records } = batch;
  const scanner = new ValueScanner(records.values, records.valueEnds);
  const expected = records.keys.map((key) => expectedOf(key, target.staged));
  const origin = {
    source: target.staged.sourceCode(batch.topic, batch.partition),
    offset: 0,
    logTimeMs: batch.logTimeMs,
  };
  const base = Number(batch.baseOffset);
  const first = Number(fromOffset);
  let secondsMax = secondsMaxOf(batch.logTimeMs);
  for (let index = 0; index < records.count; index += 1) {
    origin.offset = base + (batch.offsetDeltas?.[index] ?? index);
    if (batch.logTimeDeltasMs) origin.logTimeMs = batch.logTimeMs + (batch.logTimeDeltasMs[index] ?? 0);
    if (origin.offset < first) {
      scanner.skip(index);
      continue;
    }
    const sensor = expected[records.keyIndexes[index] ?? -1];
    if (batch.logTimeDeltasMs) secondsMax = secondsMaxOf(origin.logTimeMs);
    if (sensor !== undefined && scanner.readShort(sensor.prefix, index, secondsMax)) {
      target.staged.add(sensor.sensor, scanner.seconds * 1e6, scanner.value, origin);
    } else {
      judge(
        {
          topic: batch.topic,
          partition: batch.partition,
          offset: BigInt(origin.offset),
          logTimeMs: origin.logTimeMs,
          key: records.keys[records.keyIndexes[index] ?? -1] ?? null,
          value: scanner.take(index),
        },
        target,
      );
    }
  }
}

/** The latest event time that a message of this log time may have, s. */
function secondsMaxOf(logTimeMs: number): number {
  return Math.floor((logTimeMs + FUTURE_TOLERANCE_MS) / 1000);
}

/** The general way, for one message: it becomes a staged reading or a rejected message. */
export function judge(message: WholeMessage, { staged, rejected }: DecodeTarget): void {
  const { topic, partition, offset, logTimeMs, value } = message;
  const outcome = parseMessage(value, logTimeMs);
  if (isRejection(outcome)) {
    rejected.push({ ...message, value: value.slice(), ...outcome });
    return;
  }
  const source = staged.sourceCode(topic, partition);
  staged.addReading(outcome, { source, offset: Number(offset), logTimeMs });
}

function expectedOf(key: string | null, staged: StagedReadings): Expected | undefined {
  const parts = key === null ? undefined : splitKey(key);
  if (parts === undefined || !/^[\w .-]{1,100}$/.test(parts.room) || parts.room.trim() === "") {
    return undefined;
  }
  const prefix = Buffer.from(`{"room":${JSON.stringify(parts.room)},"sensor":"${parts.sensorType}","ts":`);
  return { prefix, sensor: staged.sensorCode(parts.room, parts.sensorType) };
}

/** Walks over the values of a batch; holds what the short way has read last. */
class ValueScanner {
  readonly #bytes: Uint8Array;
  readonly #ends: Uint32Array | undefined;
  #at = 0;
  seconds = 0;
  value = 0;

  constructor(bytes: Uint8Array, ends: Uint32Array | undefined) {
    this.#bytes = bytes;
    this.#ends = ends;
  }

  /** Reads the value at hand if it has exactly the expected shape, and steps over it; else stays where it is. */
  readShort(prefix: Uint8Array, index: number, secondsMax: number): boolean {
    const bytes = this.#bytes;
    let at = this.#at;
    for (let i = 0; i < prefix.length; i += 1, at += 1) if (bytes[at] !== prefix[i]) return false;
    let seconds = 0;
    for (let i = 0; i < SECONDS_DIGITS; i += 1, at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte < ZERO || byte > NINE) return false;
      seconds = seconds * 10 + (byte - ZERO);
    }
    if (bytes[at - SECONDS_DIGITS] === ZERO || seconds > secondsMax) return false;
    for (let i = 0; i < VALUE_FIELD.length; i += 1, at += 1) if (bytes[at] !== VALUE_FIELD[i]) return false;
    at = this.#readNumber(at);
    if (at < 0 || bytes[at] !== CLOSE || bytes[at + 1] !== LF) return false;
    if (this.#ends !== undefined && this.#ends[index] !== at + 1) return false;
    this.seconds = seconds;
    this.#at = at + 2;
    return true;
  }

  /** Reads a plain decimal number into `value`; returns the index behind it, or -1 for any other shape. */
  #readNumber(start: number): number {
    const bytes = this.#bytes;
    let at = start;
    const negative = bytes[at] === MINUS;
    if (negative) at += 1;
    const firstDigit = at;
    let whole = 0;
    let byte = bytes[at] ?? 0;
    for (; byte >= ZERO && byte <= NINE; byte = bytes[at] ?? 0) {
      whole = whole * 10 + (byte - ZERO);
      at += 1;
    }
    if (at === firstDigit || (bytes[firstDigit] === ZERO && at - firstDigit > 1)) return -1;
    let digits = at - firstDigit;
    let fraction = 0;
    if (byte === POINT) {
      const point = at;
      at += 1;
      for (byte = bytes[at] ?? 0; byte >= ZERO && byte <= NINE; byte = bytes[at] ?? 0) {
        whole = whole * 10 + (byte - ZERO);
        at += 1;
      }
      fraction = at - point - 1;
      digits += fraction;
      if (fraction === 0) return -1;
    }
    const power = POWERS_OF_TEN[fraction];
    if (digits > DIGITS_MAX || power === undefined) return -1;
    this.value = (negative ? -whole : whole) / power + 0;
    return at;
  }

  /** Returns the value at hand, without its LF, and steps over it. */
  take(index: number): Uint8Array {
    const end = this.#ends?.[index] ?? this.#bytes.indexOf(LF, this.#at);
    const value = this.#bytes.subarray(this.#at, end);
    this.#at = end + 1;
    return value;
  }

  /** Steps over the value at hand. */
  skip(index: number): void {
    this.take(index);
  }
}

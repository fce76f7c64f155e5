// From records of the port to the bytes of Kafka's records: a batch after the other into one buffer, no object a record.
// The format is drawn in record-reader.ts.

import type { Records } from "../../log/event-log.ts";
import { keyAt, valuesOf } from "../../log/records.ts";

/** Records for one batch. */
export interface EncodedRun {
  /** Holds until the next run is asked for. */
  readonly bytes: Buffer;
  readonly count: number;
  /** Key of the first record, to name it in an error. */
  readonly firstKey: string;
}

/** Attributes, time delta, number of headers: a byte each. */
const FIXED_BYTES = 3;
const VARINT_BYTES_MAX = 5;

/** Splits records into runs of at most `bytesMax` bytes; a record that is larger makes a run of its own. */
export function* encodedRuns(records: Records, bytesMax: number): Generator<EncodedRun> {
  const keys = records.keys.map((key) => (key === null ? null : Buffer.from(key, "utf8")));
  let writer = new RunWriter(Math.min(bytesMax, records.values.byteLength * 2 + 4096));
  let index = 0;
  let first = 0;
  for (const value of valuesOf(records)) {
    const key = keys[records.keyIndexes[index] ?? -1] ?? null;
    if (writer.count > 0 && writer.length + sizeOf(key, value) > bytesMax) {
      yield { bytes: writer.bytes(), count: writer.count, firstKey: keyAt(records, first) ?? "" };
      writer = writer.emptied();
      first = index;
    }
    writer.add(key, value);
    index += 1;
  }
  if (writer.count > 0) {
    yield { bytes: writer.bytes(), count: writer.count, firstKey: keyAt(records, first) ?? "" };
  }
}

/** Bytes of a record, at most. */
function sizeOf(key: Uint8Array | null, value: Uint8Array): number {
  return (key?.byteLength ?? 0) + value.byteLength + FIXED_BYTES + 4 * VARINT_BYTES_MAX;
}

/** Writes records one after the other; its buffer grows. */
class RunWriter {
  #buffer: Buffer;
  length = 0;
  count = 0;

  constructor(bytes: number) {
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(bytes, 64));
  }

  add(key: Uint8Array | null, value: Uint8Array): void {
    this.#reserve(sizeOf(key, value));
    const keyBytes = key === null ? 0 : key.byteLength;
    const keyLength = key === null ? -1 : keyBytes;
    const lengths = varintBytes(this.count) + varintBytes(keyLength) + varintBytes(value.byteLength);
    this.#varint(FIXED_BYTES + lengths + keyBytes + value.byteLength);
    this.#byte(0);
    this.#byte(0);
    this.#varint(this.count);
    this.#varint(keyLength);
    if (key !== null) this.#copy(key);
    this.#varint(value.byteLength);
    this.#copy(value);
    this.#byte(0);
    this.count += 1;
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }

  emptied(): this {
    this.length = 0;
    this.count = 0;
    return this;
  }

  #byte(byte: number): void {
    this.#buffer[this.length] = byte;
    this.length += 1;
  }

  #copy(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.length);
    this.length += bytes.byteLength;
  }

  /** Zigzag; lengths and counts have 32 bits. */
  #varint(value: number): void {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    for (; rest >= 128; rest >>>= 7) this.#byte((rest & 0x7f) | 0x80);
    this.#byte(rest);
  }

  #reserve(bytes: number): void {
    if (this.length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.length + bytes));
    this.#buffer.copy(larger, 0, 0, this.length);
    this.#buffer = larger;
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = ((value << 1) ^ (value >> 31)) >>> 0; rest >= 128; rest >>>= 7) bytes += 1;
  return bytes;
}

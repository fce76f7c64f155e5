// Making and taking apart Records: small pure functions over the framed buffer.

import { invariant, present } from "../support/assert.ts";
import type { Position, RecordBatch, Records } from "./event-log.ts";

/** Most records of one batch. */
export const RECORDS_PER_BATCH_MAX = 65_535;
/** Most bytes of the values of one batch (64 MiB): 1,024 a record in a full batch. */
export const BATCH_BYTES_MAX = 67_108_864;
/** Most bytes of a key as UTF-8. */
export const KEY_BYTES_MAX = 65_535;

const LF = 10;

/** A record as a small producer or a test has it: text is written as UTF-8. */
export interface KeyedValue {
  readonly key: string;
  readonly value: string | Uint8Array;
}

/** Frames 1 to 65,535 values as Records, with `valueEnds` only if a value holds an LF. @throws INTERNAL */
export function recordsOf(items: readonly KeyedValue[]): Records {
  const values = items.map(({ value }) => (typeof value === "string" ? Buffer.from(value, "utf8") : value));
  const buffer = new Uint8Array(values.reduce((sum, value) => sum + value.byteLength + 1, 0));
  const valueEnds = new Uint32Array(values.length);
  let end = 0;
  for (const [i, value] of values.entries()) {
    buffer.set(value, end);
    end += value.byteLength;
    valueEnds[i] = end;
    buffer[end] = LF;
    end += 1;
  }
  const holdsLf = values.some((value) => value.includes(LF));
  const framed = { count: items.length, values: buffer, ...indexedKeys(items) };
  const records = holdsLf ? { ...framed, valueEnds } : framed;
  checkRecords(records);
  return records;
}

/** Every value in order, without its LF: a view into `values`, not a copy. */
export function* valuesOf(records: Records): Generator<Uint8Array> {
  const { count, values, valueEnds } = records;
  let start = 0;
  for (let i = 0; i < count; i += 1) {
    const end = valueEnds?.[i] ?? values.indexOf(LF, start);
    yield values.subarray(start, end);
    start = end + 1;
  }
}

/**
 * The value of record `i`, 0 to `count` - 1, without its LF: a view, not a copy.
 * Goes through all of them where there are no `valueEnds`: use `valuesOf` to see them all. @throws INTERNAL
 */
export function valueAt(records: Records, i: number): Uint8Array {
  const { valueEnds } = records;
  if (valueEnds === undefined) return present([...valuesOf(records)][i], `record ${i}`);
  const start = i === 0 ? 0 : present(valueEnds[i - 1], `record ${i - 1}`) + 1;
  return records.values.subarray(start, present(valueEnds[i], `record ${i}`));
}

/** The key of record `i`, 0 to `count` - 1; null if it has none. @throws INTERNAL */
export function keyAt(records: Records, i: number): string | null {
  const key = records.keys[present(records.keyIndexes[i], `record ${i}`)];
  return key === null ? null : present(key, `key of record ${i}`);
}

/** Bytes that the records take in memory, about: for limits, not for framing. */
export function byteSize(records: Records): number {
  const keyBytes = records.keys.reduce((sum, key) => sum + (key?.length ?? 0), 0);
  const indexBytes = records.keyIndexes.byteLength + (records.valueEnds?.byteLength ?? 0);
  return records.values.byteLength + indexBytes + keyBytes;
}

/** Offset of record `i` of a batch. */
export function offsetAt(batch: RecordBatch, i: number): bigint {
  return batch.baseOffset + BigInt(batch.offsetDeltas?.[i] ?? i);
}

/** Where reading goes on behind a batch. */
export function positionAfter(batch: RecordBatch): Position {
  const { topic, partition, endOffset } = batch;
  return { topic, partition, offset: endOffset ?? offsetAt(batch, batch.records.count - 1) + 1n };
}

/** Throws INTERNAL unless the parts of `records` fit together. Does not look for LFs inside values: that would cost as much as appending. */
export function checkRecords(records: Records): void {
  const { count, values, valueEnds, keys, keyIndexes } = records;
  invariant(count >= 1 && count <= RECORDS_PER_BATCH_MAX, `a batch has ${count} records, not 1 to 65,535`);
  invariant(values.byteLength <= BATCH_BYTES_MAX, `a batch has ${values.byteLength} bytes, more than 64 MiB`);
  invariant(values.byteLength >= count && values.at(-1) === LF, "the values of a batch do not end with LF");
  invariant(keyIndexes.length === count, `a batch of ${count} records has ${keyIndexes.length} key indexes`);
  invariant(
    keyIndexes.every((index) => index < keys.length),
    "a record has a key index without a key",
  );
  if (valueEnds === undefined) return;
  invariant(valueEnds.length === count, `a batch of ${count} records has ${valueEnds.length} value ends`);
  invariant(
    valueEnds.every((end, i) => values[end] === LF && end > (valueEnds[i - 1] ?? -1)),
    "a value end is not at an LF or out of order",
  );
  invariant(valueEnds.at(-1) === values.byteLength - 1, "the last value end is not the end of the values");
}

function indexedKeys(items: readonly KeyedValue[]): Pick<Records, "keys" | "keyIndexes"> {
  const places = new Map<string, number>();
  const keyIndexes = Uint16Array.from(items, ({ key }) => {
    const place = places.get(key) ?? places.size;
    places.set(key, place);
    return place;
  });
  return { keys: [...places.keys()], keyIndexes };
}

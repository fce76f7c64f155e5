// From the bytes of Kafka's records to record batches of the port: one buffer a batch, no object a record.
//
//   record = length, attributes (i8), time delta, offset delta, key length, key, value length, value, headers
//   (lengths and deltas are zigzag varints; a length of -1 means null)

import type { RecordBatch } from "../../log/event-log.ts";
import { RECORDS_PER_BATCH_MAX } from "../../log/records.ts";
import { corrupt, logTimeOf, recordBytes, type StoredBatch } from "./record-batch.ts";

const LF = 10;

/** A partition. */
export interface Place {
  readonly topic: string;
  readonly partition: number;
}

/**
 * The records of a batch in pieces of at most 65,535, in order; the last says how far reading has come. A batch without
 * records gives one piece without any. @throws LOG_CORRUPT, LOG_REFUSED
 */
export function readablePieces(batch: StoredBatch, place: Place): readonly RecordBatch[] {
  const where = `${place.topic}/${place.partition}`;
  if (batch.recordCount <= 0) return [emptyPiece(place, batch.baseOffset, batch.endOffset)];
  const bytes = recordBytes(batch, where);
  const cursor = new Cursor(bytes, where);
  const pieces: RecordBatch[] = [];
  for (let left = batch.recordCount; left > 0; left -= RECORDS_PER_BATCH_MAX) {
    pieces.push(pieceOf(cursor, { batch, place, count: Math.min(left, RECORDS_PER_BATCH_MAX) }));
  }
  const last = pieces.pop();
  return last === undefined ? pieces : [...pieces, { ...last, endOffset: batch.endOffset }];
}

/** Offsets without a record for readers, up to `endOffset`. */
export function emptyPiece(place: Place, baseOffset: bigint, endOffset: bigint): RecordBatch {
  const records = { count: 0, values: new Uint8Array(0), keys: [], keyIndexes: new Uint16Array(0) };
  return { ...place, baseOffset, endOffset, logTimeMs: 0, records };
}

interface Piece {
  readonly batch: StoredBatch;
  readonly place: Place;
  readonly count: number;
}

/** Takes `count` records: first where they lie, then their values into one buffer. */
function pieceOf(cursor: Cursor, { batch, place, count }: Piece): RecordBatch {
  const starts = new Int32Array(count);
  const lengths = new Int32Array(count);
  const keyIndexes = new Uint16Array(count);
  const offsetDeltas = new Uint32Array(count);
  const logTimeDeltasMs = new Float64Array(count);
  const keys = new KeyTable();
  let [bytesOfValues, hasGaps, timesDiffer, firstOffset, firstTime] = [count, false, false, 0, 0];
  for (let index = 0; index < count; index += 1) {
    cursor.next();
    if (index === 0) [firstOffset, firstTime] = [cursor.offsetDelta, cursor.timeDelta];
    starts[index] = cursor.valueStart;
    lengths[index] = cursor.valueLength;
    bytesOfValues += cursor.valueLength;
    keyIndexes[index] = keys.indexOf(cursor.bytes, cursor.keyStart, cursor.keyLength);
    const offsetDelta = cursor.offsetDelta - firstOffset;
    offsetDeltas[index] = offsetDelta;
    hasGaps ||= offsetDelta !== index;
    const timeDelta = cursor.timeDelta - firstTime;
    logTimeDeltasMs[index] = timeDelta;
    timesDiffer ||= timeDelta !== 0;
  }
  const time = logTimeOf(batch);
  return {
    ...place,
    baseOffset: batch.baseOffset + BigInt(firstOffset),
    logTimeMs: time.isShared ? time.ms : time.ms + firstTime,
    records: {
      count,
      ...joined(cursor.bytes, { starts, lengths, bytesOfValues }),
      keys: keys.keys,
      keyIndexes,
    },
    ...(hasGaps ? { offsetDeltas } : {}),
    ...(timesDiffer && !time.isShared ? { logTimeDeltasMs } : {}),
  };
}

interface Values {
  readonly starts: Int32Array;
  readonly lengths: Int32Array;
  readonly bytesOfValues: number;
}

function joined(
  bytes: Buffer,
  { starts, lengths, bytesOfValues }: Values,
): { readonly values: Uint8Array; readonly valueEnds?: Uint32Array } {
  const values = Buffer.allocUnsafeSlow(bytesOfValues);
  const valueEnds = new Uint32Array(starts.length);
  let end = 0;
  for (let index = 0; index < starts.length; index += 1) {
    const start = starts[index] ?? 0;
    end += bytes.copy(values, end, start, start + (lengths[index] ?? 0));
    valueEnds[index] = end;
    values[end] = LF;
    end += 1;
  }
  return holdsLf(values, valueEnds) ? { values, valueEnds } : { values };
}

/** True if there are more LFs than those behind the values. */
function holdsLf(values: Buffer, valueEnds: Uint32Array): boolean {
  let at = -1;
  for (const end of valueEnds) {
    at = values.indexOf(LF, at + 1);
    if (at !== end) return true;
  }
  return false;
}

/** The distinct keys of a batch, found again by their bytes: neighbours often have the same. */
class KeyTable {
  readonly keys: (string | null)[] = [];
  readonly #places = new Map<string, number>();
  #null = -1;

  indexOf(bytes: Buffer, start: number, length: number): number {
    if (length < 0) {
      if (this.#null < 0) this.#null = this.keys.push(null) - 1;
      return this.#null;
    }
    // One character a byte: quick to make, and different for different bytes.
    const name = bytes.toString("latin1", start, start + length);
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    const place = this.keys.push(bytes.toString("utf8", start, start + length)) - 1;
    this.#places.set(name, place);
    return place;
  }
}

/** Walks over records; holds what the last one is made of. */
class Cursor {
  readonly bytes: Buffer;
  readonly #where: string;
  #at = 0;
  timeDelta = 0;
  offsetDelta = 0;
  keyStart = 0;
  /** -1 without a key. */
  keyLength = 0;
  valueStart = 0;
  /** 0 without a value too: such a record is no reading either way. */
  valueLength = 0;

  constructor(bytes: Buffer, where: string) {
    this.bytes = bytes;
    this.#where = where;
  }

  next(): void {
    const length = this.#varint();
    const end = this.#at + length;
    this.#at += 1;
    this.timeDelta = this.#varint();
    this.offsetDelta = this.#varint();
    this.keyLength = this.#varint();
    this.keyStart = this.#at;
    if (this.keyLength > 0) this.#at += this.keyLength;
    this.valueLength = Math.max(0, this.#varint());
    this.valueStart = this.#at;
    if (length < 0 || end > this.bytes.length || this.valueStart + this.valueLength > end) {
      throw corrupt(this.#where, "a record does not fit into its batch");
    }
    // Headers are for others.
    this.#at = end;
  }

  /** Zigzag, up to 64 bits; what is beyond 2^53 does not come back exactly, and no record has it. */
  #varint(): number {
    let byte = this.bytes[this.#at] ?? 0;
    this.#at += 1;
    let value = byte & 0x7f;
    for (let factor = 128; byte >= 128; factor *= 128) {
      byte = this.bytes[this.#at] ?? 0;
      this.#at += 1;
      value += (byte & 0x7f) * factor;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}

/** What a mark says: 0 its transaction was aborted, 1 it was committed; -1 for a mark of another kind. */
export function controlTypeOf(batch: StoredBatch, where: string): number {
  if (batch.recordCount <= 0) return -1;
  const cursor = new Cursor(recordBytes(batch, where), where);
  cursor.next();
  return cursor.keyLength < 4 ? -1 : cursor.bytes.readInt16BE(cursor.keyStart + 2);
}

// From Kafka's record batches to record batches of the port: what is for readers, framed, and how far that reaches.

import type { KafkaRecord, RecordsBatch } from "@platformatic/kafka";
import type { RecordBatch } from "../../log/event-log.ts";
import { RECORDS_PER_BATCH_MAX } from "../../log/records.ts";
import type { Fetched } from "./fetching.ts";

const TRANSACTIONAL = 16;
const CONTROL = 32;
const ABORT = 0;
const LF = 10;

/**
 * The batches of one answer, in order. Marks of transactions and records of aborted ones are left out, and the batch
 * before them says how far reading has come (`endOffset`). Records below the offset that was asked for may come first.
 */
export function readableBatches(fetched: Fetched): readonly RecordBatch[] {
  const { topic, partition } = fetched.place;
  const read: RecordBatch[] = [];
  for (const { batch, isReadable } of judged(fetched)) {
    const endOffset = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
    if (isReadable && batch.records.length > 0) {
      for (const some of inPieces(batch, topic.name, partition)) read.push(some);
    }
    const last = read.at(-1) ?? nothing(topic.name, partition, batch.firstOffset);
    if (read.length === 0) read.push(last);
    read[read.length - 1] = { ...last, endOffset };
  }
  return read;
}

/** Source: Kafka's own consumer: a producer's records are aborted from the first offset of a transaction to its mark. */
function* judged({
  batches,
  aborted,
}: Fetched): Generator<{ readonly batch: RecordsBatch; readonly isReadable: boolean }> {
  const coming = aborted.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const underWay = new Set<bigint>();
  let next = 0;
  for (const batch of batches) {
    const lastOffset = batch.firstOffset + BigInt(batch.lastOffsetDelta);
    for (; next < coming.length; next += 1) {
      const transaction = coming[next];
      if (transaction === undefined || transaction.firstOffset > lastOffset) break;
      underWay.add(transaction.producerId);
    }
    const isControl = (batch.attributes & CONTROL) !== 0;
    if (isControl && batch.records[0]?.key?.readInt16BE(2) === ABORT) underWay.delete(batch.producerId);
    const isAborted = (batch.attributes & TRANSACTIONAL) !== 0 && underWay.has(batch.producerId);
    yield { batch, isReadable: !isControl && !isAborted };
  }
}

function* inPieces(batch: RecordsBatch, topic: string, partition: number): Generator<RecordBatch> {
  for (let start = 0; start < batch.records.length; start += RECORDS_PER_BATCH_MAX) {
    const records = batch.records.slice(start, start + RECORDS_PER_BATCH_MAX);
    yield framed(batch, records, { topic, partition });
  }
}

/** The records of a batch in one buffer. */
function framed(
  batch: RecordsBatch,
  records: readonly KafkaRecord[],
  place: { readonly topic: string; readonly partition: number },
): RecordBatch {
  const count = records.length;
  const firstDelta = records[0]?.offsetDelta ?? 0;
  const values = new Uint8Array(records.reduce((sum, { value }) => sum + (value?.byteLength ?? 0) + 1, 0));
  const valueEnds = new Uint32Array(count);
  const keyIndexes = new Uint16Array(count);
  const places = new Map<string | null, number>();
  const keys: (string | null)[] = [];
  const offsetDeltas = new Uint32Array(count);
  const logTimeDeltasMs = new Int32Array(count);
  let [end, holdsLf, hasGaps, timesDiffer] = [0, false, false, false];
  for (const [index, record] of records.entries()) {
    const { value, key } = record;
    if (value !== null) {
      values.set(value, end);
      holdsLf ||= value.includes(LF);
      end += value.byteLength;
    }
    valueEnds[index] = end;
    values[end] = LF;
    end += 1;
    const name = key === null ? null : key.toString("latin1");
    let at = places.get(name);
    if (at === undefined) {
      at = keys.push(key === null ? null : key.toString("utf8")) - 1;
      places.set(name, at);
    }
    keyIndexes[index] = at;
    offsetDeltas[index] = record.offsetDelta - firstDelta;
    hasGaps ||= offsetDeltas[index] !== index;
    logTimeDeltasMs[index] = Number(record.timestampDelta);
    timesDiffer ||= logTimeDeltasMs[index] !== 0;
  }
  return {
    ...place,
    baseOffset: batch.firstOffset + BigInt(firstDelta),
    logTimeMs: logTimeOf(batch),
    records: { count, values, keys, keyIndexes, ...(holdsLf ? { valueEnds } : {}) },
    ...(hasGaps ? { offsetDeltas } : {}),
    ...(timesDiffer && !isLogAppendTime(batch) ? { logTimeDeltasMs } : {}),
  };
}

const LOG_APPEND_TIME = 8;

function isLogAppendTime({ attributes }: RecordsBatch): boolean {
  return (attributes & LOG_APPEND_TIME) !== 0;
}

/** With the topic's LogAppendTime the broker's own time holds for all records, and the batch has it as its largest. */
function logTimeOf(batch: RecordsBatch): number {
  return Number(isLogAppendTime(batch) ? batch.maxTimestamp : batch.firstTimestamp);
}

function nothing(topic: string, partition: number, baseOffset: bigint): RecordBatch {
  const records = { count: 0, values: new Uint8Array(0), keys: [], keyIndexes: new Uint16Array(0) };
  return { topic, partition, baseOffset, logTimeMs: 0, records };
}

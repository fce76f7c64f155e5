// Which batches of an answer are for readers: not the marks of transactions, and nothing of those that were aborted.

import type { AbortedTransaction, Fetched } from "./fetching.ts";
import { type StoredBatch, storedBatches } from "./record-batch.ts";
import { controlTypeOf } from "./record-reader.ts";

/** A batch, and whether its records are for readers. */
export interface Judged {
  readonly batch: StoredBatch;
  readonly isReadable: boolean;
}

const ABORT = 0;

/**
 * The whole batches of an answer that reach beyond the offset asked for, in order. A producer's records are aborted from
 * the first offset of its transaction to the mark. Source: Kafka's own consumer (CompletedFetch). @throws LOG_CORRUPT, LOG_REFUSED
 */
export function judgedBatches({
  bytes,
  aborted,
  place,
}: Pick<Fetched, "bytes" | "aborted" | "place">): readonly Judged[] {
  const where = `${place.topic.name}/${place.partition}`;
  const coming = aborted.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const underWay = new Set<bigint>();
  const judged: Judged[] = [];
  for (const batch of storedBatches(bytes, where)) {
    begin(coming, batch.endOffset, underWay);
    if (batch.isControl && controlTypeOf(batch, where) === ABORT) underWay.delete(batch.producerId);
    const isAborted = batch.isTransactional && underWay.has(batch.producerId);
    if (batch.endOffset > place.offset) judged.push({ batch, isReadable: !batch.isControl && !isAborted });
  }
  return judged;
}

/** Moves the transactions that begin below an offset to those under way. */
function begin(coming: AbortedTransaction[], endOffset: bigint, underWay: Set<bigint>): void {
  for (let next = coming[0]; next !== undefined && next.firstOffset < endOffset; next = coming[0]) {
    underWay.add(next.producerId);
    coming.shift();
  }
}

// A producer's notes on how far it is: records of a compacted topic, written in the same transaction as its messages.

import type { Progress, RecordBatch, Records } from "../../log/event-log.ts";
import { keyAt, recordsOf, valuesOf } from "../../log/records.ts";
import type { Clock } from "../../support/clock.ts";
import { AtriumError } from "../../support/errors.ts";
import type { Cluster, NewTopic, TopicFacts } from "./cluster.ts";
import { fetchOnce } from "./fetching.ts";
import { judgedBatches } from "./judging.ts";
import { readablePieces } from "./record-reader.ts";

/** The topic of all notes. */
export const NOTES_TOPIC = "atrium.progress";
/** The note that every append leaves: its own token. It tells whether an append whose answer was lost is there. */
export const LAST_APPEND = "#append";
/** The note of whoever appends under the name: a token of its process. */
export const SESSION = "#session";

const OWN_NOTES = [LAST_APPEND, SESSION];
const FETCH = { waitMs: 250, bytesMax: 8 * 1024 * 1024, partitionBytesMax: 8 * 1024 * 1024 };
/** Longer than any transaction may stay open. */
const WAIT_MS_MAX = 70_000;
const UNKNOWN_TOPIC_ID = 100;

/** The topic as it is made. */
export function notesTopic(replicas: number): NewTopic {
  const configs = {
    "cleanup.policy": "compact",
    // Only closed segments are compacted: small ones keep reading the notes a matter of moments.
    "segment.bytes": String(16 * 1024 * 1024),
    "segment.ms": "86400000",
    "min.cleanable.dirty.ratio": "0.1",
  };
  return { name: NOTES_TOPIC, partitions: 1, replicas, configs };
}

/** Notes as records. */
export function noteRecords(producer: string, notes: Progress): Records {
  return recordsOf(Array.from(notes, ([name, value]) => ({ key: JSON.stringify([producer, name]), value })));
}

/** The notes without those that the adapter keeps for itself. */
export function ownNotes(notes: Progress): Progress {
  return new Map([...notes].filter(([name]) => !OWN_NOTES.includes(name)));
}

/**
 * The last notes of a producer, of appends that are committed; waits for open transactions of other producers, because
 * notes may lie behind theirs. @throws STORE_FAILED, and what the client throws
 */
export async function readNotes(
  { cluster, clock }: { readonly cluster: Cluster; readonly clock: Clock },
  topic: TopicFacts,
  producer: string,
): Promise<Progress> {
  const notes = new Map<string, string>();
  const [range] = await cluster.ranges([topic], "all");
  const { start = 0n, end = 0n } = range ?? {};
  const endMs = clock.monotonicMs() + WAIT_MS_MAX;
  for (let offset = start; offset < end;) {
    const [answer] = await fetchOnce(cluster, [{ topic, partition: 0, offset }], FETCH);
    if (answer?.errorCode !== 0) throw notRead(answer?.errorCode);
    const place = { topic: topic.name, partition: 0 };
    for (const { batch, isReadable } of judgedBatches(answer)) {
      const pieces = isReadable ? readablePieces(batch, place) : [];
      for (const piece of pieces) noteAll(piece, producer, notes);
      offset = batch.endOffset;
    }
    if (offset < end && clock.monotonicMs() > endMs) throw notRead();
  }
  return notes;
}

function notRead(code?: number): AtriumError {
  const what = code === UNKNOWN_TOPIC_ID ? "the topic was made again" : `Kafka answers ${code ?? "nothing"}`;
  return new AtriumError(
    "STORE_FAILED",
    `Kafka: the notes in ${NOTES_TOPIC} cannot be read: ${what}. Try again.`,
  );
}

function noteAll({ records }: RecordBatch, producer: string, notes: Map<string, string>): void {
  let index = 0;
  for (const value of valuesOf(records)) {
    const [owner, name] = namesIn(keyAt(records, index) ?? "");
    if (owner === producer && name !== undefined) notes.set(name, Buffer.from(value).toString("utf8"));
    index += 1;
  }
}

function namesIn(key: string): readonly (string | undefined)[] {
  try {
    const names: unknown = JSON.parse(key);
    return Array.isArray(names) ? names.map(String) : [];
  } catch {
    // Somebody else's record.
    return [];
  }
}

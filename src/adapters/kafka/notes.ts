// A producer's notes on how far it is: records of a compacted topic, written in the same transaction as its messages.

import type { MessageToProduce } from "@platformatic/kafka";
import type { Progress, RecordBatch } from "../../log/event-log.ts";
import { keyAt, positionAfter, valuesOf } from "../../log/records.ts";
import { readableBatches } from "./batches.ts";
import type { Cluster, NewTopic } from "./cluster.ts";
import { fetchOnce } from "./fetching.ts";

/** The topic of all notes. */
export const NOTES_TOPIC = "atrium.progress";
/** The note that every append leaves: its own token. It tells whether an append whose answer was lost is there. */
export const LAST_APPEND = "#append";

const FETCH_BYTES_MAX = 8 * 1024 * 1024;

/** The topic as it is made; `replicas` as for the topics of messages. */
export function notesTopic(replicas: number): NewTopic {
  const configs = {
    "cleanup.policy": "compact",
    "segment.ms": "86400000",
    "min.cleanable.dirty.ratio": "0.1",
  };
  return { name: NOTES_TOPIC, partitions: 1, replicas, configs };
}

/** Notes as messages. */
export function noteMessages(
  producer: string,
  notes: Iterable<readonly [string, string]>,
): readonly MessageToProduce[] {
  return Array.from(notes, ([name, note]) => ({
    topic: NOTES_TOPIC,
    partition: 0,
    key: Buffer.from(JSON.stringify([producer, name])),
    value: Buffer.from(note),
  }));
}

/** The last notes of a producer, of appends that are committed. */
export async function readNotes(cluster: Cluster, producer: string): Promise<Progress> {
  const notes = new Map<string, string>();
  if (!(await cluster.topicNames()).includes(NOTES_TOPIC)) return notes;
  const topics = await cluster.topics([NOTES_TOPIC]);
  const topic = topics.get(NOTES_TOPIC);
  const [range] = topic === undefined ? [] : await cluster.ranges([topic]);
  if (topic === undefined || range === undefined) return notes;
  for (let offset = range.start; offset < range.end;) {
    const [answer] = await fetchOnce(cluster, [{ topic, partition: 0, offset }], {
      waitMs: 250,
      bytesMax: FETCH_BYTES_MAX,
    });
    const batches = answer === undefined ? [] : readableBatches(answer);
    for (const batch of batches) noteAll(batch, producer, notes);
    const last = batches.at(-1);
    if (last !== undefined) offset = positionAfter(last).offset;
  }
  return notes;
}

function noteAll({ records }: RecordBatch, producer: string, notes: Map<string, string>): void {
  let index = 0;
  for (const value of valuesOf(records)) {
    const key = keyAt(records, index);
    index += 1;
    const [owner, name] = namesIn(key ?? "");
    if (owner === producer && name !== undefined) notes.set(name, Buffer.from(value).toString("utf8"));
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

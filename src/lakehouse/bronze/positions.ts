// Where ingestion stands: positions come from the table's own commits, never from a consumer group.

import type { PartitionRange, Position, RecordBatch } from "../../log/event-log.ts";
import type { Snapshot } from "../delta/snapshot.ts";

/** The txn appId under which a topic's partition keeps its last committed offset. */
export function ingestAppId(topic: string, partition: number): string {
  return `ingest:${topic}:${partition}`;
}

/** The next offset to ingest of every partition: behind the last one committed, or the log's first for a new one. */
export function nextPositions(snapshot: Snapshot, ranges: readonly PartitionRange[]): readonly Position[] {
  return ranges.map(({ topic, partition, start }) => {
    const committed = snapshot.txns.get(ingestAppId(topic, partition));
    return { topic, partition, offset: committed === undefined ? start : committed + 1n };
  });
}

/** The positions behind these batches, for those partitions that they touch. */
export function positionsAfter(batches: readonly RecordBatch[]): readonly Position[] {
  const ends = new Map<string, Position>();
  for (const { topic, partition, baseOffset, offsetDeltas, records } of batches) {
    const last = baseOffset + BigInt(offsetDeltas?.[records.count - 1] ?? records.count - 1);
    ends.set(ingestAppId(topic, partition), { topic, partition, offset: last + 1n });
  }
  return [...ends.values()];
}

/** `positions` with those of `later` in place of their own. */
export function advance(positions: readonly Position[], later: readonly Position[]): readonly Position[] {
  const moved = new Map(later.map((position) => [ingestAppId(position.topic, position.partition), position]));
  return positions.map((position) => moved.get(ingestAppId(position.topic, position.partition)) ?? position);
}

/** The txn actions that say everything below these positions is committed. */
export function txnsOf(positions: readonly Position[]): ReadonlyMap<string, bigint> {
  return new Map(positions.map(({ topic, partition, offset }) => [ingestAppId(topic, partition), offset - 1n]));
}

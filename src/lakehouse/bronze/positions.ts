// Where ingestion stands: positions come from the table's own commits, never from a consumer group.
//
// They are kept for each log apart (by its identity): a log that took another's place begins at its own first offset.

import type { PartitionRange, Position, RecordBatch } from "../../log/event-log.ts";
import { placeOf } from "../../log/positions.ts";
import { positionAfter } from "../../log/records.ts";
import type { Snapshot } from "../delta/snapshot.ts";

/** The txn appId under which a log's partition keeps its last committed offset. */
export function ingestAppId(
  log: string,
  { topic, partition }: Pick<Position, "topic" | "partition">,
): string {
  return `ingest:${log}:${topic}:${partition}`;
}

/** The next offset to ingest of every partition: behind the last one committed, or the log's first for a new one. */
export function nextPositions(
  snapshot: Snapshot,
  log: string,
  ranges: readonly PartitionRange[],
): readonly Position[] {
  return ranges.map(({ topic, partition, start }) => {
    const committed = snapshot.txns.get(ingestAppId(log, { topic, partition }));
    return { topic, partition, offset: committed === undefined ? start : committed + 1n };
  });
}

/** The positions behind these batches, for those partitions that they touch. */
export function positionsAfter(batches: readonly RecordBatch[]): readonly Position[] {
  return [...new Map(batches.map((batch) => [placeOf(batch), positionAfter(batch)])).values()];
}

/** `positions` with those of `later` in place of their own. */
export function advance(positions: readonly Position[], later: readonly Position[]): readonly Position[] {
  const moved = new Map(later.map((position) => [placeOf(position), position]));
  return positions.map((position) => moved.get(placeOf(position)) ?? position);
}

/** The txn actions that say everything of the log below these positions is committed. */
export function txnsOf(log: string, positions: readonly Position[]): ReadonlyMap<string, bigint> {
  return new Map(positions.map((position) => [ingestAppId(log, position), position.offset - 1n]));
}

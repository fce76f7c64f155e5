// Where ingestion stands: positions come from the table's own commits, never from a consumer group.
//
// They are kept for each log apart (by the identity of its topics): a log, or a topic, that took another's place begins at
// its own first offset.

import type { EventLog, PartitionRange, Position, RecordBatch } from "../../log/event-log.ts";
import { placeOf } from "../../log/positions.ts";
import { positionAfter } from "../../log/records.ts";
import { present } from "../../support/assert.ts";
import type { Snapshot } from "../delta/snapshot.ts";

/** The txn appId under which a log's partition keeps its last committed offset. */
export function ingestAppId(
  log: string,
  { topic, partition }: Pick<Position, "topic" | "partition">,
): string {
  return `ingest:${log}:${topic}:${partition}`;
}

/** Topic -> its identity: see EventLog. */
export type Identities = ReadonlyMap<string, string>;

/** The identities of these topics. @throws NOT_FOUND */
export async function identitiesOf(log: EventLog, topics: readonly string[]): Promise<Identities> {
  return new Map(await Promise.all(topics.map(async (topic) => [topic, await log.identity(topic)] as const)));
}

/** The next offset to ingest of every partition: behind the last one committed, or the log's first for a new one. */
export function nextPositions(
  snapshot: Pick<Snapshot, "txns">,
  identities: Identities,
  ranges: readonly PartitionRange[],
): readonly Position[] {
  return ranges.map(({ topic, partition, start }) => {
    const committed = snapshot.txns.get(appIdIn(identities, { topic, partition }));
    return { topic, partition, offset: committed === undefined ? start : committed + 1n };
  });
}

/** Those of the topics of which bronze has taken messages, but none under the identity that they have now. */
export function replacedTopics(
  snapshot: Snapshot,
  identities: Identities,
  topics: readonly string[],
): readonly string[] {
  const taken = [...snapshot.txns.keys()];
  return topics.filter((topic) => {
    const ofTopic = taken.filter((appId) => appId.startsWith("ingest:") && appId.split(":")[2] === topic);
    const prefix = `ingest:${identities.get(topic) ?? ""}:`;
    return ofTopic.length > 0 && !ofTopic.some((appId) => appId.startsWith(prefix));
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
export function txnsOf(identities: Identities, positions: readonly Position[]): ReadonlyMap<string, bigint> {
  return new Map(positions.map((position) => [appIdIn(identities, position), position.offset - 1n]));
}

/** The txn appId of a partition of a topic whose identity is known. */
export function appIdIn(identities: Identities, place: Pick<Position, "topic" | "partition">): string {
  return ingestAppId(present(identities.get(place.topic), `identity of ${place.topic}`), place);
}

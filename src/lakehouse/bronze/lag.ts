// How far bronze is behind the log: in messages, and in time.

import type { EventLog } from "../../log/event-log.ts";
import { present } from "../../support/assert.ts";
import type { AddFile } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { statsOf } from "../delta/stats.ts";
import type { Lake } from "../lake.ts";
import { identitiesOf, nextPositions } from "./positions.ts";

/** A partition of the log and the messages in it that bronze has not committed. */
export interface PartitionLag {
  readonly topic: string;
  readonly partition: number;
  readonly messages: number;
}

/**
 * For every partition of the topics: the log's end less the committed position. Offsets that hold no message (the marks
 * of Kafka's transactions) count until they are passed. @throws NOT_FOUND for a topic that is not there
 */
export async function lagOf(
  lake: Lake,
  log: EventLog,
  topics: readonly string[],
): Promise<readonly PartitionLag[]> {
  const bronze = await lake.table("bronze/readings").snapshot();
  const [identities, ranges] = await Promise.all([identitiesOf(log, topics), log.ranges(topics)]);
  const next = nextPositions(bronze ?? { txns: new Map() }, identities, ranges);
  return ranges.map(({ topic, partition, end }, index) => {
    const { offset } = present(next[index], "the position of the partition");
    return { topic, partition, messages: Math.max(0, Number(end - offset)) };
  });
}

/** Gives the log time of the newest message that bronze holds, ms since 1970; undefined if it holds none. */
export function newestLogTime(lake: Lake): () => Promise<number | undefined> {
  // A file's statistics are read once: versions share the files that they have in common.
  const known = new WeakMap<AddFile, number>();
  return async () => {
    const readings = await lake.table("bronze/readings").snapshot();
    const rejected = await lake.table("bronze/rejected").snapshot();
    const newestMs = Math.max(newestIn(readings, known), newestIn(rejected, known));
    return Number.isFinite(newestMs) ? newestMs : undefined;
  };
}

function newestIn(snapshot: Snapshot | undefined, known: WeakMap<AddFile, number>): number {
  let newestMs = Number.NEGATIVE_INFINITY;
  for (const file of snapshot?.files.values() ?? []) {
    const fileMs = known.get(file) ?? newestOf(file);
    known.set(file, fileMs);
    newestMs = Math.max(newestMs, fileMs);
  }
  return newestMs;
}

function newestOf(file: AddFile): number {
  const max = statsOf(file)?.maxValues?.["log_ts"];
  const maxMs = typeof max === "string" ? Date.parse(max) : Number.NaN;
  return Number.isNaN(maxMs) ? Number.NEGATIVE_INFINITY : maxMs;
}

// What is wrong with a position or topic, and how to say so: the same words for every adapter.

import { AtriumError } from "../support/errors.ts";
import type { PartitionRange, Position } from "./event-log.ts";

const ADVICE = "See docs/operate/errors.md, LOG_OFFSET_LOST.";
const PARTITIONS_MAX = 1024;
const TOPIC_NAME = /^[a-zA-Z0-9._-]{1,249}$/;

/** A topic's partition as the key of a map. */
export function placeOf({ topic, partition }: Pick<Position, "topic" | "partition">): string {
  return `${topic}:${partition}`;
}

/** Throws LOG_OFFSET_LOST unless the log still holds `position` or will give it to its next record. */
export function checkPosition(position: Position, range: Pick<PartitionRange, "start" | "end">): void {
  const { topic, partition, offset } = position;
  const details = {
    topic,
    partition,
    offset: String(offset),
    start: String(range.start),
    end: String(range.end),
  };
  if (offset < range.start) {
    const lost = `${range.start - offset} records from offset ${offset} on are gone: the log now starts at ${range.start}`;
    const advice =
      "Replay the source into this log again, or bring back the log that this lake was fed from.";
    throw new AtriumError("LOG_OFFSET_LOST", `${topic}/${partition}: ${lost}. ${advice} ${ADVICE}`, {
      details,
    });
  }
  if (offset > range.end) {
    const lost = `offset ${offset} is wanted, but the log ends at ${range.end}: it was cut short or replaced`;
    const advice = "Bring back the log that this lake was fed from.";
    throw new AtriumError("LOG_OFFSET_LOST", `${topic}/${partition}: ${lost}. ${advice} ${ADVICE}`, {
      details,
    });
  }
}

/** The error for a topic or partition that the log does not have. */
export function partitionMissing(topic: string, partition?: number): AtriumError {
  const name = partition === undefined ? topic : `${topic}/${partition}`;
  const message = `The log has no ${name}. Topics are made when replay or ingest starts: check the TOPIC_ settings.`;
  return new AtriumError("NOT_FOUND", message, { details: { topic, partition } });
}

/** Throws USAGE_INVALID unless the name follows Kafka's rule and there are 1 to 1,024 partitions. */
export function checkNewTopic(name: string, partitions: number): void {
  if (!TOPIC_NAME.test(name) || name === "." || name === "..") {
    throw new AtriumError(
      "USAGE_INVALID",
      `"${name}" is no name for a topic: use 1 to 249 of a-z A-Z 0-9 . _ -`,
    );
  }
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > PARTITIONS_MAX) {
    throw new AtriumError(
      "USAGE_INVALID",
      `Topic ${name} cannot have ${partitions} partitions: use 1 to 1024.`,
    );
  }
}

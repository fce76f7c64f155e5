// The partitions of the embedded log: their ids and how far each one goes.

import type { DatabaseSync } from "node:sqlite";
import type { Position } from "../../log/event-log.ts";
import { checkPosition, partitionMissing } from "../../log/positions.ts";
import { numberOf, textOf, type Row } from "./rows.ts";

/** A row of topic_partition. */
export interface PartitionRow {
  readonly id: number;
  readonly topic: string;
  readonly partition: number;
  readonly start: number;
  readonly end: number;
  readonly released: number;
}

/** Access to the partitions; each call sees the transaction it is made in. */
export interface Partitions {
  /** All of them, in the order they were made. */
  all(): readonly PartitionRow[];
  /** Adds a topic, unless it is there. */
  create(topic: string, partitions: number): void;
  /** The id of a partition. @throws NOT_FOUND */
  idOf(topic: string, partition: number): number;
  /** Takes the next `count` offsets and returns the first of them. */
  advance(id: number, count: number): number;
  /** Says that the records below `start` are gone. */
  setStart(id: number, start: number): void;
  /** Raises the released offset. @throws NOT_FOUND, LOG_OFFSET_LOST */
  release(position: Position): void;
}

/** Prepares the statements on the partitions of an open database. */
export function makePartitions(db: DatabaseSync): Partitions {
  const selectAll = db.prepare("select * from topic_partition order by id");
  const selectOne = db.prepare("select * from topic_partition where topic = ? and partition = ?");
  const insert = db.prepare("insert into topic_partition (topic, partition) values (?, ?)");
  const updateNext = db.prepare(
    "update topic_partition set next_offset = next_offset + ? where id = ? returning next_offset",
  );
  const updateStart = db.prepare("update topic_partition set start_offset = ? where id = ?");
  const updateReleased = db.prepare(
    "update topic_partition set released_offset = max(released_offset, ?) where id = ?",
  );
  const ids = new Map<string, number>();

  const find = (topic: string, partition: number): PartitionRow => {
    const row: Row = selectOne.get(topic, partition);
    if (row === undefined) throw partitionMissing(topic, partition);
    return partitionRow(row);
  };
  return {
    all: () => selectAll.all().map(partitionRow),
    create: (topic, partitions) => {
      if (selectOne.get(topic, 0) !== undefined) return;
      for (let partition = 0; partition < partitions; partition += 1) insert.run(topic, partition);
    },
    idOf: (topic, partition) => {
      const name = `${topic}/${partition}`;
      const id = ids.get(name) ?? find(topic, partition).id;
      ids.set(name, id);
      return id;
    },
    advance: (id, count) => numberOf(updateNext.get(count, id), "next_offset") - count,
    setStart: (id, start) => void updateStart.run(start, id),
    release: (position) => {
      const row = find(position.topic, position.partition);
      checkPosition(position, { start: 0n, end: BigInt(row.end) });
      updateReleased.run(position.offset, row.id);
    },
  };
}

function partitionRow(row: Row): PartitionRow {
  return {
    id: numberOf(row, "id"),
    topic: textOf(row, "topic"),
    partition: numberOf(row, "partition"),
    start: numberOf(row, "start_offset"),
    end: numberOf(row, "next_offset"),
    released: numberOf(row, "released_offset"),
  };
}

// The batches of the embedded log: written, found by offset, and read in the order of appending.

import type { DatabaseSync } from "node:sqlite";
import { decodeRecords } from "../../log/batch-codec.ts";
import type { Position, RecordBatch } from "../../log/event-log.ts";
import { inOrder, type Sequenced } from "../../log/in-order.ts";
import { checkPosition, partitionMissing } from "../../log/positions.ts";
import { AtriumError } from "../../support/errors.ts";
import type { PartitionRow } from "./partitions.ts";
import { bytesOf, numberOf, type Row } from "./rows.ts";

/** How many batches of one partition are looked up at once: their places only, not their payloads. */
const PLACES_PER_LOOK = 64;

/** Where a batch is; all of it stands in an index, apart from the payload. */
export interface BatchPlace extends Sequenced {
  readonly partition: PartitionRow;
  readonly base: number;
  /** Offset behind its last record. */
  readonly end: number;
  readonly logTimeMs: number;
}

/** A batch on its way into the database. */
export interface StoredBatch {
  readonly partitionId: number;
  readonly base: number;
  readonly count: number;
  readonly logTimeMs: number;
  readonly payload: Uint8Array;
}

/** Access to the batches; each call sees the transaction it is made in. */
export interface Batches {
  insert(batch: StoredBatch): void;
  delete(seq: number): void;
  /** The batches of a partition from the one that holds `offset` on. @throws LOG_CORRUPT where one is missing */
  from(partition: PartitionRow, offset: number): Generator<BatchPlace>;
  /** A batch with its records. @throws LOG_CORRUPT, LAKE_NEWER */
  load(place: BatchPlace): RecordBatch;
}

/** Prepares the statements on the batches of an open database. */
export function makeBatches(db: DatabaseSync): Batches {
  const insert = db.prepare(
    "insert into batch (tp, base_offset, count, log_time_ms, payload) values (?, ?, ?, ?, ?)",
  );
  const remove = db.prepare("delete from batch where seq = ?");
  const selectPayload = db.prepare("select payload from batch where seq = ?");
  const selectPlaces = db.prepare(`
    select seq, base_offset, count, log_time_ms from batch
    where tp = ?1 and base_offset >= coalesce((select max(base_offset) from batch where tp = ?1 and base_offset <= ?2), 0)
    order by base_offset limit ${PLACES_PER_LOOK}`);

  function* from(partition: PartitionRow, offset: number): Generator<BatchPlace> {
    for (let next = offset; next < partition.end;) {
      const rows = selectPlaces.all(partition.id, next);
      if (rows.length === 0) throw batchMissing(partition, next);
      for (const row of rows) {
        const place = placeOf(row, partition);
        if (place.base > next || place.end <= next) throw batchMissing(partition, next);
        yield place;
        next = place.end;
      }
    }
  }

  return {
    insert: (batch) =>
      void insert.run(batch.partitionId, batch.base, batch.count, batch.logTimeMs, batch.payload),
    delete: (seq) => void remove.run(seq),
    from,
    load: (place) => {
      const { topic, partition } = place.partition;
      const where = `The log's batch of ${topic}/${partition} at offset ${place.base}`;
      const records = decodeRecords(bytesOf(selectPayload.get(place.seq), "payload"), where);
      return { topic, partition, records, baseOffset: BigInt(place.base), logTimeMs: place.logTimeMs };
    },
  };
}

/** Reads from the positions on, in the order of appending, until `recordsMax` new records are there. @throws LOG_OFFSET_LOST, NOT_FOUND, LOG_CORRUPT */
export function readBatches(
  batches: Batches,
  partitions: readonly PartitionRow[],
  wanted: { readonly from: readonly Position[]; readonly recordsMax: number },
): RecordBatch[] {
  const starts = new Map(wanted.from.map((position) => startOf(partitions, position)));
  const read: RecordBatch[] = [];
  let records = 0;
  for (const place of inOrder(Array.from(starts, ([row, offset]) => batches.from(row, offset)))) {
    read.push(batches.load(place));
    records += place.end - Math.max(place.base, starts.get(place.partition) ?? 0);
    if (records >= wanted.recordsMax) break;
  }
  return read;
}

function startOf(partitions: readonly PartitionRow[], position: Position): [PartitionRow, number] {
  const row = partitions.find(
    (known) => known.topic === position.topic && known.partition === position.partition,
  );
  if (row === undefined) throw partitionMissing(position.topic, position.partition);
  checkPosition(position, { start: BigInt(row.start), end: BigInt(row.end) });
  return [row, Number(position.offset)];
}

function placeOf(row: Row, partition: PartitionRow): BatchPlace {
  const base = numberOf(row, "base_offset");
  const end = base + numberOf(row, "count");
  return { seq: numberOf(row, "seq"), base, end, logTimeMs: numberOf(row, "log_time_ms"), partition };
}

function batchMissing({ topic, partition }: PartitionRow, offset: number): AtriumError {
  const advice = "What bronze has committed is safe. How to go on: docs/operate/errors.md, LOG_CORRUPT.";
  return new AtriumError(
    "LOG_CORRUPT",
    `The log lacks the batch of ${topic}/${partition} at offset ${offset}. ${advice}`,
  );
}

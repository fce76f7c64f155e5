// What was fetched ahead of the reader: a queue of stored batches for each partition, taken in turns.

import type { Position, RecordBatch } from "../../log/event-log.ts";
import { placeOf } from "../../log/positions.ts";
import { byteSize, positionAfter } from "../../log/records.ts";
import type { Judged } from "./judging.ts";
import { emptyPiece, readablePieces } from "./record-reader.ts";

/** A partition that is read. Its batches stay compressed until they are taken: that bounds what they need. */
export interface Lane {
  readonly topic: string;
  readonly partition: number;
  /** Where the queue begins, and where the next fetch goes on. */
  start: bigint;
  next: bigint;
  /** Up to here records can be read, as far as is known; undefined before the first answer. */
  stable: bigint | undefined;
  readonly queue: Judged[];
  /** Of the queue, as stored. */
  bytes: number;
  /** When it was taken from last, in turns. */
  turn: number;
}

/** One read ends at so many bytes in memory; one batch may go beyond. */
const TAKE_BYTES_MAX = 16 * 1024 * 1024;

/** The lanes of a reader. */
export interface Lanes {
  /** Those of the positions; one that stands elsewhere begins anew there. */
  at(positions: readonly Position[]): readonly Lane[];
  /** Takes batches, one of each lane in turn, until there are so many records. @throws LOG_CORRUPT, LOG_REFUSED */
  take(lanes: readonly Lane[], recordsMax: number): readonly RecordBatch[];
  /** Bytes of all queues. */
  bytes(): number;
}

/** Makes lanes without any. */
export function makeLanes(): Lanes {
  const known = new Map<string, Lane>();
  let turn = 0;
  const laneAt = ({ topic, partition, offset }: Position): Lane => {
    const place = placeOf({ topic, partition });
    const found = known.get(place);
    if (found?.start === offset) return found;
    const made = {
      topic,
      partition,
      start: offset,
      next: offset,
      stable: undefined,
      queue: [],
      bytes: 0,
      turn: 0,
    };
    known.set(place, made);
    return made;
  };
  return {
    at: (positions) => positions.map(laneAt),
    take: (lanes, recordsMax) => {
      const taken = new Map<Lane, RecordBatch[]>();
      let [records, bytes] = [0, 0];
      const isEnough = (): boolean => records >= recordsMax || bytes >= TAKE_BYTES_MAX;
      // Whoever has waited longest comes first, so that a full lane leaves none behind.
      const inTurn = lanes.toSorted((a, b) => a.turn - b.turn);
      for (let isAny = true; isAny && !isEnough();) {
        isAny = false;
        for (const lane of inTurn) {
          if (isEnough()) break;
          const some = takeOne(lane, taken);
          if (some === undefined) continue;
          isAny = true;
          records += some.records;
          bytes += some.bytes;
          turn += 1;
          lane.turn = turn;
        }
      }
      return [...taken.values()].flat();
    },
    bytes: () => [...known.values()].reduce((sum, lane) => sum + lane.bytes, 0),
  };
}

/** Moves a lane's first batch to what is taken of it; returns how much that is, undefined if there is no batch. */
function takeOne(
  lane: Lane,
  taken: Map<Lane, RecordBatch[]>,
): { readonly records: number; readonly bytes: number } | undefined {
  const judged = lane.queue.shift();
  if (judged === undefined) return undefined;
  const { batch, isReadable } = judged;
  const place = { topic: lane.topic, partition: lane.partition };
  const pieces = isReadable
    ? readablePieces(batch, place)
    : [emptyPiece(place, batch.baseOffset, batch.endOffset)];
  const earlier = taken.get(lane) ?? [];
  taken.set(lane, earlier);
  lane.bytes -= batch.bytes.length;
  lane.start = batch.endOffset;
  for (const piece of pieces) add(earlier, piece);
  return {
    records: pieces.reduce((sum, { records }) => sum + records.count, 0),
    bytes: pieces.reduce((sum, { records }) => sum + byteSize(records), 0),
  };
}

/** Adds a piece; one without records only moves the end of the one before it. */
function add(pieces: RecordBatch[], piece: RecordBatch): void {
  const last = pieces.at(-1);
  if (last === undefined || piece.records.count > 0) pieces.push(piece);
  else pieces[pieces.length - 1] = { ...last, endOffset: positionAfter(piece).offset };
}

// The messages of one append: a growing buffer for each topic and partition, used again for the next one.

import type { OutgoingBatch } from "../log/event-log.ts";
import { type MessageBuffer, writeMessage, writeRawLine } from "./message-writer.ts";
import type { ReplayStream } from "./stream.ts";

/** Most records of one append: the port's limit for a batch, so that any one partition may take all of them. */
export const SET_RECORDS_MAX = 65_535;
/** An append is sent when it holds this many bytes, whatever its number of records. */
export const SET_BYTES_MAX = 16_777_216;

/** What goes to one partition. */
export interface Lane extends MessageBuffer {
  readonly topic: string;
  readonly partition: number;
  count: number;
  keys: string[];
  keyIndexes: Uint16Array;
}

/** One append in the making. */
export interface BatchSet {
  readonly lanes: readonly Lane[];
  /** By key number the place of the key in its lane's keys, or -1. */
  readonly keyPlaces: Int32Array;
  /** When each message was due, monotonic ms, in the order of adding; empty where nothing is paced. */
  readonly duesMs: Float64Array;
  count: number;
  bytes: number;
  /** Raw bytes of the lines. */
  rawBytes: number;
  late: number;
  malformed: number;
}

/** How large a batch set is. */
export interface BatchSetShape {
  readonly places: readonly { readonly topic: string; readonly partition: number }[];
  readonly keys: number;
  readonly recordsMax: number;
  readonly paced: boolean;
}

/** Makes an empty batch set. */
export function newBatchSet(shape: BatchSetShape): BatchSet {
  const lanes = shape.places.map(({ topic, partition }): Lane => ({
    topic,
    partition,
    bytes: new Uint8Array(4096),
    length: 0,
    count: 0,
    keys: [],
    keyIndexes: new Uint16Array(64),
  }));
  const keyPlaces = new Int32Array(shape.keys).fill(-1);
  const duesMs = new Float64Array(shape.paced ? shape.recordsMax : 0);
  return { lanes, keyPlaces, duesMs, count: 0, bytes: 0, rawBytes: 0, late: 0, malformed: 0 };
}

/** Adds the head of a stream: its message if it is well-formed, the line as it is otherwise. */
export function addHead(set: BatchSet, lane: Lane, stream: ReplayStream): void {
  const { line } = stream;
  const lengthBefore = lane.length;
  if (line.wellFormed) writeMessage(lane, stream.prefix, stream.buffer, line);
  else writeRawLine(lane, stream.buffer, line);
  const { keyId } = stream.route;
  let place = set.keyPlaces[keyId] ?? -1;
  if (place < 0) {
    place = lane.keys.push(stream.route.key) - 1;
    set.keyPlaces[keyId] = place;
  }
  if (lane.count === lane.keyIndexes.length) lane.keyIndexes = grown(lane.keyIndexes);
  lane.keyIndexes[lane.count] = place;
  lane.count += 1;
  set.count += 1;
  set.bytes += lane.length - lengthBefore;
  set.rawBytes += line.next - line.start;
}

/** The set as the log takes it. The arrays are views: they hold until `clearBatchSet`. */
export function outgoingBatches(set: BatchSet): readonly OutgoingBatch[] {
  return set.lanes
    .filter((lane) => lane.count > 0)
    .map(({ topic, partition, bytes, length, count, keys, keyIndexes }) => ({
      topic,
      partition,
      records: { count, values: bytes.subarray(0, length), keys, keyIndexes: keyIndexes.subarray(0, count) },
    }));
}

/** Empties the set; its buffers stay. */
export function clearBatchSet(set: BatchSet): void {
  for (const lane of set.lanes) {
    if (lane.count === 0) continue;
    lane.length = 0;
    lane.count = 0;
    lane.keys = [];
  }
  set.keyPlaces.fill(-1);
  set.count = 0;
  set.bytes = 0;
  set.rawBytes = 0;
  set.late = 0;
  set.malformed = 0;
}

function grown(indexes: Uint16Array): Uint16Array {
  const larger = new Uint16Array(indexes.length * 2);
  larger.set(indexes);
  return larger;
}

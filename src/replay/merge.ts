// The hot loop: moves rows of all files, in the order of their event times, into a batch set. Nothing here waits or allocates.

import { addHead, type BatchSet, SET_BYTES_MAX } from "./batch-set.ts";
import { type MergeHeap, newMergeHeap, pushStream, removeFirst, replaceFirst } from "./merge-heap.ts";
import type { Timetable } from "./pace.ts";
import { consumeHead, hasEventTime, nextHead, refill, type ReplayStream } from "./stream.ts";

/** A line that is no reading. It is sent as it is; bronze keeps it as rejected. */
export interface MalformedLine {
  /** Path in the source. */
  readonly file: string;
  /** Number of the line, from 1. */
  readonly line: number;
  /** Its first 200 characters. */
  readonly text: string;
}

/** All files on one event-time clock. */
export interface Merge {
  readonly streams: readonly ReplayStream[];
  readonly heap: MergeHeap;
  readonly recordsMax: number;
  /** Left out where nothing is paced. */
  readonly timetable: Timetable | undefined;
  readonly onMalformed: ((line: MalformedLine) => void) | undefined;
  /** The clock: the largest event time so far, seconds; -Infinity before the first. */
  clockSeconds: number;
  /** The smallest event time so far, seconds; Infinity before the first. */
  firstSeconds: number;
  /** When the next message is due, after `fill` has returned "early"; monotonic ms. */
  nextDueMs: number;
}

/** Why `fill` stopped: the set is full, the first stream needs more of its file, the next message is not due yet, all is read. */
export type FillStop = "full" | "refill" | "early" | "done";

/** What a merge needs beside its streams. */
export type MergeOptions = Pick<Merge, "recordsMax" | "timetable" | "onMalformed">;

/** Starts a merge: scans the first row of every stream. @throws SOURCE_UNREADABLE */
export async function newMerge(streams: readonly ReplayStream[], options: MergeOptions): Promise<Merge> {
  const heap = newMergeHeap(streams.length);
  for (const [place, stream] of streams.entries()) {
    if (nextHead(stream) || (await refill(stream))) pushStream(heap, stream.mergeKey, place);
  }
  return { streams, heap, ...options, clockSeconds: -Infinity, firstSeconds: Infinity, nextDueMs: 0 };
}

/** Moves rows into the set until there is a reason to stop. `nowMs` is monotonic. */
export function fill(merge: Merge, set: BatchSet, nowMs: number): FillStop {
  const { heap, streams, recordsMax, timetable } = merge;
  while (heap.size > 0) {
    if (set.count >= recordsMax || set.bytes >= SET_BYTES_MAX) return "full";
    const stream = streams[heap.streams[0] ?? 0];
    if (stream === undefined) break;
    if (timetable !== undefined) {
      const dueMs = timetable.nextDueMs(stream.mergeKey);
      if (dueMs > nowMs) {
        merge.nextDueMs = dueMs;
        return "early";
      }
      set.duesMs[set.count] = dueMs;
      timetable.advance(stream.mergeKey);
    }
    takeHead(merge, set, stream);
    if (!nextHead(stream)) return "refill";
    replaceFirst(heap, stream.mergeKey);
  }
  return "done";
}

/** After `fill` has returned "refill": reads on in the first stream's file, or takes it out at its end. @throws SOURCE_UNREADABLE */
export async function refillFirst(merge: Merge): Promise<void> {
  const { heap, streams } = merge;
  const stream = streams[heap.streams[0] ?? 0];
  if (stream !== undefined && (await refill(stream))) replaceFirst(heap, stream.mergeKey);
  else removeFirst(heap);
}

const TEXT_LENGTH_MAX = 200;

function takeHead(merge: Merge, set: BatchSet, stream: ReplayStream): void {
  const lane = set.lanes[stream.route.lane];
  if (lane !== undefined) addHead(set, lane, stream);
  const { line } = stream;
  if (hasEventTime(stream)) {
    const { seconds } = line;
    if (seconds < merge.clockSeconds) set.late += 1;
    else merge.clockSeconds = seconds;
    if (seconds < merge.firstSeconds) merge.firstSeconds = seconds;
  }
  consumeHead(stream);
  if (line.wellFormed) return;
  set.malformed += 1;
  merge.onMalformed?.(malformedLine(stream));
}

function malformedLine(stream: ReplayStream): MalformedLine {
  const { start, end } = stream.line;
  // 4 bytes are the most that a character takes.
  const bytes = stream.buffer.subarray(start, Math.min(end, start + TEXT_LENGTH_MAX * 4));
  const text = Buffer.from(bytes).toString("utf8").slice(0, TEXT_LENGTH_MAX);
  return { file: stream.file.path, line: stream.lines, text };
}

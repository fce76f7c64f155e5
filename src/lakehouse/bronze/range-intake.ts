// An intake for engines that read the log themselves: this process plans ranges of offsets and judges what is odd.
//
//   plan [from, to) by partition -> the engine reads them, and writes the messages of the one plain shape
//                                -> all others come here, to the one judge (parse-message.ts), as they always do
//
// The engine never judges: it knows one shape, or it steps aside. Where it finishes, nothing is committed yet: positions,
// rejected messages and readings are committed by ingest.ts, as those of the other intake.

import type { PartitionRange, Position } from "../../log/event-log.ts";
import { checkPosition, placeOf } from "../../log/positions.ts";
import type { TableSchema } from "../delta/actions.ts";
import type { WrittenFile } from "../engine.ts";
import { publish } from "../lake.ts";
import { type DecodeTarget, judge, type RejectedMessage, type WholeMessage } from "./decode.ts";
import { unmarkDistinct } from "./distinct-keys.ts";
import {
  type BatchTarget,
  type Intake,
  type IntakeOptions,
  type MadeBatch,
  REJECTED_MAX,
  TEXT_BYTES_MAX,
  writeStaged,
} from "./intake.ts";
import { StagedReadings } from "./staged-readings.ts";

/** Offsets of a partition from `start` up to `end`, which is not in it. */
export type OffsetRange = PartitionRange;

/** What a reader is to make of ranges. */
export interface RangeTask {
  readonly ranges: readonly OffsetRange[];
  readonly schema: TableSchema;
  /** Ingest time of all rows, ms since 1970. */
  readonly madeAtMs: number;
  /** The most messages of other shapes, and their bytes, that the caller can take. */
  readonly oddMax: number;
  readonly oddBytesMax: number;
  readonly signal: AbortSignal;
}

/** What became of ranges. */
export interface RangesTaken {
  /** Files of bronze/readings with the messages of the plain shape, not committed. */
  readonly files: readonly WrittenFile[];
  /** All other messages, whole. */
  readonly odd: readonly WholeMessage[];
}

/**
 * PORT: an engine that reads the log itself.
 *
 * Plain is a value that is `{"room":R,"sensor":S,"ts":T,"value":V}` byte for byte, R of 1 to 60 letters, digits, `_`, `.`,
 * `-` or blanks and not blank, S a sensor type, T ten digits without a leading zero, V a plain decimal of at most 15 digits
 * before its point; and T is at most a day after the log time. Every message is in one of the two, once; marks and aborted
 * messages of transactions are in neither.
 * Errors: LOG_OFFSET_LOST if the log no longer holds a range; those of Engine.write.
 */
export interface RangeReader {
  /** Writes and collects; undefined, with no file left, if there are more odd messages than the caller can take. */
  take(task: RangeTask): Promise<RangesTaken | undefined>;
}

/** What a range intake works with. */
export interface RangeIntakeOptions extends IntakeOptions {
  readonly reader: RangeReader;
  /** The ranges of the partitions in this process's share, as they are now. */
  readonly ranges: () => Promise<readonly PartitionRange[]>;
}

/** How often the log is asked for its end while a batch fills, ms. */
const LOOK_EVERY_MS = 500;

/** An intake that plans and judges here, and reads and writes where the engine is. */
export function rangeIntake(options: RangeIntakeOptions): Intake {
  return {
    next: async (from) => {
      const ranges = await fullRanges(options, from);
      if (options.signal.aborted || messagesIn(ranges) === 0) return undefined;
      return async (target) =>
        make(options, ranges, target).catch((error: unknown) => {
          if (options.signal.aborted) return undefined;
          throw error;
        });
    },
  };
}

/** Waits until there is a batch: as many messages as it may have, or some that are old enough. */
async function fullRanges(
  { lake, signal, batchRowsMax, batchAgeMsMax, isComplete, ranges }: RangeIntakeOptions,
  from: readonly Position[],
): Promise<readonly OffsetRange[]> {
  let sinceMs: number | undefined;
  for (;;) {
    const wasComplete = isComplete();
    const open = openRanges(from, await ranges());
    const count = messagesIn(open);
    const nowMs = lake.clock.monotonicMs();
    if (count > 0) sinceMs ??= nowMs;
    const isDue = sinceMs !== undefined && nowMs - sinceMs >= batchAgeMsMax;
    if (count >= batchRowsMax || isDue || wasComplete || signal.aborted) return cut(open, batchRowsMax);
    await lake.clock.sleep(LOOK_EVERY_MS, signal);
    // Without any message the caller wants to look at other things now and then.
    if (count === 0) return [];
  }
}

/** What the log has behind the positions. @throws LOG_OFFSET_LOST */
function openRanges(from: readonly Position[], ranges: readonly PartitionRange[]): readonly OffsetRange[] {
  const positions = new Map(from.map((position) => [placeOf(position), position]));
  return ranges.flatMap((range) => {
    const position = positions.get(placeOf(range));
    if (position === undefined) return [];
    checkPosition(position, range);
    return range.end > position.offset ? [{ ...range, start: position.offset }] : [];
  });
}

/** The beginnings of the ranges, about `rowsMax` messages together, each partition with its share; at least one each. */
export function cut(ranges: readonly OffsetRange[], rowsMax: number): readonly OffsetRange[] {
  const all = messagesIn(ranges);
  if (all <= rowsMax) return ranges;
  return ranges.map((range) => {
    const share = Math.floor((Number(range.end - range.start) * rowsMax) / all);
    return { ...range, end: range.start + BigInt(Math.max(1, share)) };
  });
}

function messagesIn(ranges: readonly OffsetRange[]): number {
  return ranges.reduce((sum, { start, end }) => sum + Number(end - start), 0);
}

/** Halves the batch until its odd messages fit into this process. */
async function make(
  { lake, reader, signal }: RangeIntakeOptions,
  planned: readonly OffsetRange[],
  target: BatchTarget,
): Promise<MadeBatch> {
  const { schema } = target.table;
  for (let ranges = planned; ; ranges = cut(ranges, messagesIn(ranges) / 2)) {
    // The last of them: one message of each partition is taken whatever its size.
    const isLeast = messagesIn(ranges) <= ranges.length;
    const limits = isLeast
      ? { oddMax: ranges.length, oddBytesMax: Number.MAX_SAFE_INTEGER }
      : { oddMax: REJECTED_MAX, oddBytesMax: TEXT_BYTES_MAX };
    const taken = await reader.take({ ranges, schema, madeAtMs: target.madeAtMs, signal, ...limits });
    if (taken === undefined) continue;
    const judged = judgeAll(taken.odd, schema.partitionColumns);
    const plain = await publish(lake, "bronze/readings", { schema, files: taken.files });
    return {
      adds: [...plain, ...(await writeStaged(lake, judged.staged, target)).map(unmarkDistinct)],
      readings: taken.files.reduce((sum, { rowCount }) => sum + rowCount, judged.staged.count),
      rejected: judged.rejected,
      after: ranges.map(({ topic, partition, end }) => ({ topic, partition, offset: end })),
    };
  }
}

/** In the order of the log, so that the same messages give the same rows. */
function judgeAll(odd: readonly WholeMessage[], partitionColumns: readonly string[]): DecodeTarget {
  const staged = new StagedReadings(Math.max(1, odd.length), partitionColumns);
  const rejected: RejectedMessage[] = [];
  const inOrder = odd.toSorted(
    (a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition || Number(a.offset - b.offset),
  );
  for (const message of inOrder) judge(message, { staged, rejected });
  return { staged, rejected };
}

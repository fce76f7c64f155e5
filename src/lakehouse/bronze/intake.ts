// How messages of the log become files of bronze: here, read and decoded by this process. range-intake.ts has another way.

import type { EventLog, Position, RecordBatch } from "../../log/event-log.ts";
import { placeOf } from "../../log/positions.ts";
import type { AddFile } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { publish, type Lake } from "../lake.ts";
import { decodeBatch, type RejectedMessage } from "./decode.ts";
import { markDistinct } from "./distinct-keys.ts";
import { advance, positionsAfter } from "./positions.ts";
import { StagedReadings } from "./staged-readings.ts";
import { batchInput, BRONZE_READINGS_SQL, PARTITION_CODE } from "./transform.ts";

/** What an intake works on and the bounds of a batch. */
export interface IntakeOptions {
  readonly lake: Lake;
  readonly log: EventLog;
  /** A batch is committed when it has this many messages … */
  readonly batchRowsMax: number;
  /** … or is this old, ms. */
  readonly batchAgeMsMax: number;
  /** Ends ingestion after the batch at hand is dropped or committed. */
  readonly signal: AbortSignal;
  /** True once no more messages will come: then ingestion ends at the end of the log. */
  readonly isComplete: () => boolean;
}

/** For whom a batch is made. */
export interface BatchTarget {
  /** bronze/readings, as ingestion knows it. */
  readonly table: Snapshot;
  /** Ingest time of all rows, ms since 1970. */
  readonly madeAtMs: number;
}

/** A batch as files, not committed. */
export interface MadeBatch {
  readonly adds: readonly AddFile[];
  readonly readings: number;
  readonly rejected: readonly RejectedMessage[];
  /** Behind its messages, for the partitions that they came from. */
  readonly after: readonly Position[];
}

/** Messages that are next, not in any file yet: makes their files. Undefined if the signal aborted before they were made. */
export type Batch = (target: BatchTarget) => Promise<MadeBatch | undefined>;

/** Takes batches from the log. */
export interface Intake {
  /** The batch behind the positions, full or old enough; undefined if nothing came, or the signal aborted. */
  next(from: readonly Position[]): Promise<Batch | undefined>;
}

/** How long one read waits for messages before it looks at signal and age again, ms. */
const READ_WAIT_MS = 200;
/** Records of one read: each is decoded in one go, and others want their turn between two. */
const READ_RECORDS_MAX = 100_000;
/** Rejected messages are kept as objects until they are committed: a batch with so many is full. */
export const REJECTED_MAX = 50_000;
/** Attributes and rejected messages are kept as texts until they are committed, some ten times as large: a batch with so many bytes is full. */
export const TEXT_BYTES_MAX = 8 * 1024 * 1024;

/** An intake that reads and decodes in this process; one batch at a time is in its memory. */
export function readingIntake(options: IntakeOptions, partitionColumns: readonly string[]): Intake {
  const staged = new StagedReadings(Math.min(options.batchRowsMax, READ_RECORDS_MAX), partitionColumns);
  return {
    next: async (from) => {
      const { after, rejected } = await collect(options, { from, staged });
      if (after.length === 0) return undefined;
      return async (target) => {
        const adds = await writeStaged(options.lake, staged, target);
        return { adds, readings: staged.count, rejected, after };
      };
    },
  };
}

/** Writes staged readings split by their partition codes, and puts the partitions that these stand for in their place. */
export async function writeStaged(
  lake: Lake,
  staged: StagedReadings,
  { table, madeAtMs }: BatchTarget,
): Promise<readonly AddFile[]> {
  if (staged.count === 0) return [];
  const { columns, partitionColumns } = table.schema;
  const stored = columns.filter((column) => !partitionColumns.includes(column.name));
  await using written = await lake.engine.write({
    sql: BRONZE_READINGS_SQL,
    inputs: [...staged.inputs(), batchInput(madeAtMs)],
    columns: [...stored, { name: PARTITION_CODE, type: "integer" }],
    partitionColumns: [PARTITION_CODE],
    into: "bronze/readings",
  });
  const files = written.files.map((file) => ({
    ...file,
    partitionValues: staged.partitionValues(Number(file.partitionValues[PARTITION_CODE])),
  }));
  const adds = await publish(lake, "bronze/readings", { schema: table.schema, files });
  return staged.hasDistinctKeys ? adds.map(markDistinct) : adds;
}

interface Collected {
  readonly rejected: RejectedMessage[];
  readonly after: readonly Position[];
}

/** Reads and decodes until the batch is full or old enough, or the log has no more; the batch may be empty. */
async function collect(
  options: IntakeOptions,
  { from, staged }: { readonly from: readonly Position[]; readonly staged: StagedReadings },
): Promise<Collected> {
  const { lake, log, signal, batchRowsMax, batchAgeMsMax } = options;
  const rejected: RejectedMessage[] = [];
  let positions = from;
  let startMs = lake.clock.monotonicMs();
  let count = 0;
  staged.clear();
  let textBytes = 0;
  while (
    count < batchRowsMax &&
    rejected.length < REJECTED_MAX &&
    textBytes < TEXT_BYTES_MAX &&
    !signal.aborted
  ) {
    const wasComplete = options.isComplete();
    const recordsMax = Math.min(READ_RECORDS_MAX, batchRowsMax - count);
    const read = await log.read(positions, { recordsMax, waitMs: wasComplete ? 0 : READ_WAIT_MS }, signal);
    if (read.length === 0 && (wasComplete || count === 0)) break;
    if (count === 0) startMs = lake.clock.monotonicMs();
    decodeAll(read, { positions, staged, rejected });
    for (const batch of read) count += batch.records.count;
    textBytes = staged.attributeChars + rejected.reduce((sum, { value }) => sum + value.byteLength, 0);
    positions = advance(positions, positionsAfter(read));
    if (lake.clock.monotonicMs() - startMs >= batchAgeMsMax) break;
  }
  return { rejected, after: positions.filter((position, index) => position !== from[index]) };
}

interface Decoding {
  readonly positions: readonly Position[];
  readonly staged: StagedReadings;
  readonly rejected: RejectedMessage[];
}

function decodeAll(batches: readonly RecordBatch[], { positions, staged, rejected }: Decoding): void {
  const from = new Map(positions.map((position) => [placeOf(position), position.offset]));
  for (const batch of batches) {
    const fromOffset = from.get(placeOf(batch)) ?? 0n;
    decodeBatch(batch, fromOffset, { staged, rejected });
  }
}

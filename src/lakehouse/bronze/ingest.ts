// From the log to bronze, exactly once.
//
//   read a batch from the positions of the table -> decode -> write files -> commit rejected, with its positions
//   -> commit readings, with its positions -> tell the log what it may forget
//
// A crash anywhere repeats the batch from the last committed positions. Rejected messages are committed first, under
// positions of their own: a repeated batch leaves out those that bronze/rejected already holds. Files without a commit
// are never seen. A second writer of the same positions loses its commit (COMMIT_OVERTAKEN) and stops.

import type { EventLog, Position, RecordBatch } from "../../log/event-log.ts";
import type { Logger } from "../../support/logger.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { ensureTable, writeFiles, type Lake } from "../lake.ts";
import { decodeBatch, type RejectedMessage } from "./decode.ts";
import { markDistinct } from "./distinct-keys.ts";
import { advance, ingestAppId, nextPositions, positionsAfter, txnsOf } from "./positions.ts";
import { StagedReadings } from "./staged-readings.ts";
import { batchInput, BRONZE_READINGS_SQL, BRONZE_REJECTED_SQL, rejectedInput } from "./transform.ts";

/** What ingestion works on and its bounds. */
export interface IngestOptions {
  readonly lake: Lake;
  readonly log: EventLog;
  readonly topics: readonly string[];
  /** A batch is committed when it has this many messages … */
  readonly batchRowsMax: number;
  /** … or is this old, ms. */
  readonly batchAgeMsMax: number;
  readonly logger: Logger;
  /** Ends ingestion after the batch at hand is dropped or committed. */
  readonly signal: AbortSignal;
  /** True once no more messages will come: then ingestion ends at the end of the log. */
  readonly isComplete: () => boolean;
  /** Called after each commit. */
  readonly onCommit?: (batch: IngestedBatch) => void;
}

/** One committed batch. */
export interface IngestedBatch {
  readonly readings: number;
  readonly rejected: number;
  /** Newest version of bronze/readings. */
  readonly version: number;
}

/** What one run of ingestion did. */
export interface IngestSummary {
  readonly readings: number;
  readonly rejected: number;
  readonly batches: number;
}

/** How long one read waits for messages before it looks at signal and age again, ms. */
const READ_WAIT_MS = 200;

/** Ingests until the log is complete and empty, or the signal aborts. @throws COMMIT_OVERTAKEN, LOG_OFFSET_LOST */
export async function ingest(options: IngestOptions): Promise<IngestSummary> {
  const { lake, log, topics, signal } = options;
  let readings = await ensureTable(lake, "bronze/readings");
  let rejected = await ensureTable(lake, "bronze/rejected");
  let positions = nextPositions(readings, await log.ranges(topics));
  await log.release(positions);
  const sum = { readings: 0, rejected: 0, batches: 0 };
  while (!signal.aborted) {
    const batches = await collect(options, positions);
    if (batches.length === 0) {
      if (signal.aborted || options.isComplete()) break;
      continue;
    }
    const done = await commitBatch(options, { batches, positions, readings, rejected });
    ({ readings, rejected, positions } = done);
    await log.release(positions);
    sum.readings += done.count.readings;
    sum.rejected += done.count.rejected;
    sum.batches += 1;
    options.onCommit?.({ ...done.count, version: readings.version });
  }
  return sum;
}

/** Reads until the batch is full or old enough, or the log is complete; what is read when the signal aborts is dropped. */
async function collect(options: IngestOptions, from: readonly Position[]): Promise<readonly RecordBatch[]> {
  const { lake, log, signal, batchRowsMax, batchAgeMsMax } = options;
  const batches: RecordBatch[] = [];
  let count = 0;
  let positions = from;
  let startMs = lake.clock.monotonicMs();
  while (count < batchRowsMax && !signal.aborted) {
    const wasComplete = options.isComplete();
    const waitMs = wasComplete ? 0 : READ_WAIT_MS;
    const read = await log.read(positions, { recordsMax: batchRowsMax - count, waitMs }, signal);
    if (read.length === 0 && (wasComplete || batches.length === 0)) break;
    if (batches.length === 0) startMs = lake.clock.monotonicMs();
    batches.push(...read);
    for (const batch of read) count += batch.records.count;
    positions = advance(positions, positionsAfter(read));
    if (lake.clock.monotonicMs() - startMs >= batchAgeMsMax) break;
  }
  return signal.aborted ? [] : batches;
}

interface Step {
  readonly batches: readonly RecordBatch[];
  readonly positions: readonly Position[];
  readonly readings: Snapshot;
  readonly rejected: Snapshot;
}

interface StepDone {
  readonly positions: readonly Position[];
  readonly readings: Snapshot;
  readonly rejected: Snapshot;
  readonly count: { readonly readings: number; readonly rejected: number };
}

async function commitBatch({ lake }: IngestOptions, step: Step): Promise<StepDone> {
  const { staged, messages } = decodeAll(step);
  const after = positionsAfter(step.batches);
  const txns = txnsOf(after);
  const madeAt = batchInput(lake.clock.nowMs());
  const inputs = [...staged.inputs(), madeAt];
  const written = staged.count === 0 ? [] : await writeFiles(lake, "bronze/readings", { sql: BRONZE_READINGS_SQL, inputs });
  const adds = staged.hasDistinctKeys ? written.map(markDistinct) : written;
  let { rejected } = step;
  if (messages.length > 0) {
    const sql = BRONZE_REJECTED_SQL;
    const rejectedAdds = await writeFiles(lake, "bronze/rejected", { sql, inputs: [rejectedInput(messages), madeAt] });
    rejected = await append(lake, "bronze/rejected", { base: rejected, adds: rejectedAdds, txns });
  }
  const readings = await append(lake, "bronze/readings", { base: step.readings, adds, txns });
  const count = { readings: staged.count, rejected: messages.length };
  return { positions: advance(step.positions, after), readings, rejected, count };
}

function decodeAll(step: Step): { readonly staged: StagedReadings; readonly messages: readonly RejectedMessage[] } {
  const from = new Map(step.positions.map((position) => [ingestAppId(position.topic, position.partition), position.offset]));
  const staged = new StagedReadings(step.batches.reduce((sum, batch) => sum + batch.records.count, 0));
  const decoded: RejectedMessage[] = [];
  for (const batch of step.batches) {
    const fromOffset = from.get(ingestAppId(batch.topic, batch.partition)) ?? 0n;
    decodeBatch(batch, fromOffset, { staged, rejected: decoded });
  }
  const held = (message: RejectedMessage): bigint => step.rejected.txns.get(ingestAppId(message.topic, message.partition)) ?? -1n;
  return { staged, messages: decoded.filter((message) => message.offset > held(message)) };
}

async function append(
  lake: Lake,
  name: "bronze/readings" | "bronze/rejected",
  what: Pick<Parameters<ReturnType<Lake["table"]>["commit"]>[0], "base" | "adds" | "txns">,
): Promise<Snapshot> {
  return lake.table(name).commit({ ...what, removes: [], operation: "INGEST", isolation: { kind: "append" }, dataChange: true });
}

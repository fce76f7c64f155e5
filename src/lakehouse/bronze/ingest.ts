// From the log to bronze, exactly once.
//
//   read a batch from the positions of the table -> decode -> write files -> commit rejected, with its positions
//   -> commit readings, with its positions -> tell the log what it may forget
//
// A crash anywhere repeats the batch from the last committed positions. Rejected messages are committed first, under
// positions of their own: a repeated batch leaves out those that bronze/rejected already holds. Files without a commit
// are never seen. A second writer of the same positions loses its commit (COMMIT_OVERTAKEN) and stops.

import type { EventLog, PartitionRange, Position, RecordBatch } from "../../log/event-log.ts";
import { placeOf } from "../../log/positions.ts";
import { isAtriumError } from "../../support/errors.ts";
import { faultPoint } from "../../support/fault-point.ts";
import type { Logger } from "../../support/logger.ts";
import type { AddFile } from "../delta/actions.ts";
import { overtaken } from "../delta/commit.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import type { RowsInput } from "../engine.ts";
import { refuseAhead } from "../followers.ts";
import { ensureTable, publish, writeFiles, type Lake } from "../lake.ts";
import { decodeBatch, type RejectedMessage } from "./decode.ts";
import { markDistinct } from "./distinct-keys.ts";
import {
  advance,
  appIdIn,
  type Identities,
  identitiesOf,
  nextPositions,
  positionsAfter,
  replacedTopics,
  txnsOf,
} from "./positions.ts";
import { StagedReadings } from "./staged-readings.ts";
import {
  batchInput,
  BRONZE_READINGS_SQL,
  BRONZE_REJECTED_SQL,
  PARTITION_CODE,
  rejectedInput,
} from "./transform.ts";

/** What ingestion works on and its bounds. */
export interface IngestOptions {
  readonly lake: Lake;
  readonly log: EventLog;
  readonly topics: readonly string[];
  /** The share of the partitions to take: those whose number modulo `count` is `index`. Default: all. */
  readonly shard?: { readonly index: number; readonly count: number };
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

/** How often ingestion looks for partitions that were added, ms. */
const LOOK_FOR_PARTITIONS_MS = 10_000;
/** How long one read waits for messages before it looks at signal and age again, ms. */
const READ_WAIT_MS = 200;
/** Records of one read: each is decoded in one go, and others want their turn between two. */
const READ_RECORDS_MAX = 100_000;
/** Rejected messages are kept as objects until they are committed: a batch with so many is full. */
const REJECTED_MAX = 50_000;

/** Attributes and rejected messages are kept as they are until they are committed: a batch with so many bytes is full. */
const TEXT_BYTES_MAX = 32 * 1024 * 1024;

/** Where ingestion stands between two batches. */
interface State {
  readonly identities: Identities;
  readonly positions: readonly Position[];
  readonly readings: Snapshot;
  readonly rejected: Snapshot;
}

/** A batch on its way: decoded, not committed. */
interface Batch {
  readonly staged: StagedReadings;
  readonly rejected: RejectedMessage[];
  /** Behind its messages, for the partitions that they came from. */
  readonly after: readonly Position[];
}

/** Ingests until the log is complete and empty, or the signal aborts. @throws COMMIT_OVERTAKEN, LOG_OFFSET_LOST, TABLE_CORRUPT */
export async function ingest(options: IngestOptions): Promise<IngestSummary> {
  const { lake, log, topics, signal } = options;
  const silver = await lake.table("silver/readings").snapshot();
  const readings = await ensureTable(lake, "bronze/readings");
  refuseAhead("silver/readings", silver, readings);
  const rejected = await ensureTable(lake, "bronze/rejected");
  const identities = await identitiesOf(log, topics);
  const positions = nextPositions(readings, identities, await rangesOf(options));
  warnOfReplaced(options, readings, identities);
  let state: State = { identities, positions, readings, rejected };
  let lookAtMs = lake.clock.monotonicMs() + LOOK_FOR_PARTITIONS_MS;
  await log.release(state.positions);
  const staged = new StagedReadings(
    Math.min(options.batchRowsMax, READ_RECORDS_MAX),
    readings.schema.partitionColumns,
  );
  const sum = { readings: 0, rejected: 0, batches: 0 };
  while (!signal.aborted) {
    if (lake.clock.monotonicMs() >= lookAtMs) {
      state = await withNewPartitions(options, state);
      lookAtMs = lake.clock.monotonicMs() + LOOK_FOR_PARTITIONS_MS;
    }
    const wasComplete = options.isComplete();
    const batch = await collect(options, { from: state.positions, staged }).catch(async (error: unknown) =>
      explainLoss(options, state, error),
    );
    if (signal.aborted) break;
    if (batch.after.length > 0) {
      state = await commitBatch(options, { state, batch, sum });
      await log.release(state.positions);
    } else if (wasComplete) break;
  }
  return sum;
}

/** What a zombie wants to read next may be gone because its successor has ingested it: that is not a loss. */
async function explainLoss({ lake }: IngestOptions, state: State, error: unknown): Promise<never> {
  if (!isAtriumError(error, "LOG_OFFSET_LOST")) throw error;
  const newest = await lake.table("bronze/readings").snapshot();
  for (const [appId, position] of txnsOf(state.identities, state.positions)) {
    const committed = newest?.txns.get(appId) ?? -1n;
    if (committed > position) throw overtaken("bronze/readings", appId, committed);
  }
  throw error;
}

/** The ranges of the partitions in this process's share. */
async function rangesOf({ log, topics, shard }: IngestOptions): Promise<readonly PartitionRange[]> {
  const { index, count } = shard ?? { index: 0, count: 1 };
  return (await log.ranges(topics)).filter(({ partition }) => partition % count === index);
}

/** A log may be given more partitions while it is read; a log that is away is asked again next time. */
async function withNewPartitions(options: IngestOptions, state: State): Promise<State> {
  const known = new Set(state.positions.map(placeOf));
  try {
    const added = (await rangesOf(options)).filter((range) => !known.has(placeOf(range)));
    if (added.length === 0) return state;
    options.logger.info("New partitions are read from their beginning.", { partitions: added.map(placeOf) });
    return {
      ...state,
      positions: [...state.positions, ...nextPositions(state.readings, state.identities, added)],
    };
  } catch (error) {
    // Reading itself says what is wrong with a topic.
    if (isAtriumError(error, "STORE_FAILED") || isAtriumError(error, "NOT_FOUND")) return state;
    throw error;
  }
}

/** Bronze has messages of such a topic, but of an earlier one of its name, or of another log. */
function warnOfReplaced({ topics, logger }: IngestOptions, readings: Snapshot, identities: Identities): void {
  for (const topic of replacedTopics(readings, identities, topics)) {
    logger.warn(
      `The topic ${topic} is not the one that bronze was fed from: it was made again, or the log is another. It is taken ` +
        "in from its beginning. What the earlier one held and bronze had not taken is lost; replay its source if it matters.",
      { topic },
    );
  }
}

/** Reads and decodes until the batch is full or old enough, or the log has no more; the batch may be empty. */
async function collect(
  options: IngestOptions,
  { from, staged }: { readonly from: readonly Position[]; readonly staged: StagedReadings },
): Promise<Batch> {
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
  return { staged, rejected, after: positions.filter((position, index) => position !== from[index]) };
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

interface Step {
  readonly state: State;
  readonly batch: Batch;
  readonly sum: { readings: number; rejected: number; batches: number };
}

/**
 * Ingest times rise from commit to commit, for silver goes by them: the clock may jump back, so a batch is at least as late as
 * the commits before it, and its own commit at least as late as the batch.
 */
async function commitBatch(options: IngestOptions, { state, batch, sum }: Step): Promise<State> {
  const { lake } = options;
  const { staged, after } = batch;
  const txns = txnsOf(state.identities, after);
  const madeAtMs = Math.max(
    lake.clock.nowMs(),
    state.readings.timestampMs + 1,
    state.rejected.timestampMs + 1,
  );
  const madeAt = batchInput(madeAtMs);
  const inputs = [...staged.inputs(), madeAt];
  const written =
    staged.count === 0 ? [] : await writeReadings(lake, { staged, inputs, table: state.readings });
  const adds = staged.hasDistinctKeys ? written.map(markDistinct) : written;
  const fresh = batch.rejected.filter((message) => !isHeld(state, message));
  let { rejected } = state;
  faultPoint("ingest/written");
  if (fresh.length > 0) {
    const sql = BRONZE_REJECTED_SQL;
    const rejectedAdds = await writeFiles(lake, "bronze/rejected", {
      sql,
      inputs: [rejectedInput(fresh), madeAt],
    });
    // An earlier try at this batch may have brought some partitions as far already.
    const moved = [...txns].filter(([appId, position]) => position > (state.rejected.txns.get(appId) ?? -1n));
    rejected = await append(lake, "bronze/rejected", {
      base: rejected,
      adds: rejectedAdds,
      txns: new Map(moved),
      notBeforeMs: madeAtMs,
    });
    faultPoint("ingest/rejected");
  }
  const readings = await append(lake, "bronze/readings", {
    base: state.readings,
    adds,
    txns,
    notBeforeMs: madeAtMs,
  });
  faultPoint("ingest/committed");
  sum.readings += staged.count;
  sum.rejected += fresh.length;
  sum.batches += 1;
  options.onCommit?.({ readings: staged.count, rejected: fresh.length, version: readings.version });
  return { ...state, positions: advance(state.positions, after), readings, rejected };
}

interface NewReadings {
  readonly staged: StagedReadings;
  readonly inputs: readonly RowsInput[];
  readonly table: Snapshot;
}

/** Writes the readings split by their partition codes, and puts the partitions that these stand for in their place. */
async function writeReadings(
  lake: Lake,
  { staged, inputs, table }: NewReadings,
): Promise<readonly AddFile[]> {
  const { columns, partitionColumns } = table.schema;
  const stored = columns.filter((column) => !partitionColumns.includes(column.name));
  await using written = await lake.engine.write({
    sql: BRONZE_READINGS_SQL,
    inputs,
    columns: [...stored, { name: PARTITION_CODE, type: "integer" }],
    partitionColumns: [PARTITION_CODE],
    into: "bronze/readings",
  });
  const files = written.files.map((file) => ({
    ...file,
    partitionValues: staged.partitionValues(Number(file.partitionValues[PARTITION_CODE])),
  }));
  return await publish(lake, "bronze/readings", { schema: table.schema, files });
}

/** True if an earlier try at this batch got as far as to commit the message. */
function isHeld({ identities, rejected }: State, message: RejectedMessage): boolean {
  return message.offset <= (rejected.txns.get(appIdIn(identities, message)) ?? -1n);
}

async function append(
  lake: Lake,
  name: "bronze/readings" | "bronze/rejected",
  what: Pick<Parameters<ReturnType<Lake["table"]>["commit"]>[0], "base" | "adds" | "txns" | "notBeforeMs">,
): Promise<Snapshot> {
  return lake
    .table(name)
    .commit({ ...what, removes: [], operation: "INGEST", isolation: { kind: "append" }, dataChange: true });
}

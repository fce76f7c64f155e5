// From the log to bronze, exactly once.
//
//   read a batch from the positions of the table -> decode -> write files -> commit rejected, with its positions
//   -> commit readings, with its positions -> tell the log what it may forget
//
// A crash anywhere repeats the batch from the last committed positions. Rejected messages are committed first, under
// positions of their own: a repeated batch leaves out those that bronze/rejected already holds. Files without a commit
// are never seen. A second writer of the same positions loses its commit (COMMIT_OVERTAKEN) and stops.

import type { PartitionRange, Position } from "../../log/event-log.ts";
import { placeOf } from "../../log/positions.ts";
import type { RejectionReason } from "../../reading/parse-message.ts";
import { isAtriumError } from "../../support/errors.ts";
import { faultPoint } from "../../support/fault-point.ts";
import type { Logger } from "../../support/logger.ts";
import { batchIdOf } from "../batch-id.ts";
import { type CommitRequest, overtaken } from "../delta/commit.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { refuseAhead } from "../followers.ts";
import { ensureTable, writeFiles, type Lake } from "../lake.ts";
import type { RejectedMessage } from "./decode.ts";
import { type Batch, type Intake, type IntakeOptions, readingIntake } from "./intake.ts";
import {
  advance,
  appIdIn,
  type Identities,
  identitiesOf,
  nextPositions,
  replacedTopics,
  txnsOf,
} from "./positions.ts";
import { rangeIntake, type RangeReader } from "./range-intake.ts";
import { batchInput, BRONZE_REJECTED_SQL, rejectedInput } from "./transform.ts";

/** What ingestion works on and its bounds. */
export interface IngestOptions extends IntakeOptions {
  readonly topics: readonly string[];
  /** The share of the partitions to take: those whose number modulo `count` is `index`. Default: all. */
  readonly shard?: { readonly index: number; readonly count: number };
  /** Reads the log in place of this process. Default: this process does. */
  readonly reader?: RangeReader;
  readonly logger: Logger;
  /** Called after each commit. */
  readonly onCommit?: (batch: IngestedBatch) => void;
}

/** One committed batch. */
export interface IngestedBatch {
  /** The same in both of its commits: see batch-id.ts. */
  readonly batchId: string;
  readonly readings: number;
  readonly rejected: number;
  /** How many of the rejected messages have each reason. */
  readonly reasons: ReadonlyMap<RejectionReason, number>;
  /** From the end of reading to the commit, ms. */
  readonly commitMs: number;
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

/** Where ingestion stands between two batches. */
interface State {
  readonly identities: Identities;
  readonly positions: readonly Position[];
  readonly readings: Snapshot;
  readonly rejected: Snapshot;
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
  const intake = intakeOf(options, readings);
  const sum = { readings: 0, rejected: 0, batches: 0 };
  while (!signal.aborted) {
    if (lake.clock.monotonicMs() >= lookAtMs) {
      state = await withNewPartitions(options, state);
      lookAtMs = lake.clock.monotonicMs() + LOOK_FOR_PARTITIONS_MS;
    }
    const wasComplete = options.isComplete();
    const orLost = async (error: unknown): Promise<never> => explainLoss(options, state, error);
    const batch = await intake.next(state.positions).catch(orLost);
    if (signal.aborted) break;
    if (batch !== undefined) {
      state = await commitBatch(options, { state, batch, sum }).catch(orLost);
      await log.release(state.positions);
    } else if (wasComplete) break;
  }
  return sum;
}

function intakeOf(options: IngestOptions, { schema }: Snapshot): Intake {
  const { reader } = options;
  if (reader === undefined) return readingIntake(options, schema.partitionColumns);
  return rangeIntake({ ...options, reader, ranges: async () => rangesOf(options) });
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
  const startMs = lake.clock.monotonicMs();
  const madeAtMs = Math.max(
    lake.clock.nowMs(),
    state.readings.timestampMs + 1,
    state.rejected.timestampMs + 1,
  );
  const made = await batch({ table: state.readings, madeAtMs });
  if (made === undefined) return state;
  const { adds, after } = made;
  const txns = txnsOf(state.identities, after);
  const batchId = batchIdOf(txns);
  const fresh = made.rejected.filter((message) => !isHeld(state, message));
  let { rejected } = state;
  faultPoint("ingest/written");
  if (fresh.length > 0) {
    const sql = BRONZE_REJECTED_SQL;
    const rejectedAdds = await writeFiles(lake, "bronze/rejected", {
      sql,
      inputs: [rejectedInput(fresh), batchInput(madeAtMs)],
    });
    // An earlier try at this batch may have brought some partitions as far already.
    const moved = [...txns].filter(([appId, position]) => position > (state.rejected.txns.get(appId) ?? -1n));
    rejected = await append(lake, "bronze/rejected", {
      base: rejected,
      adds: rejectedAdds,
      txns: new Map(moved),
      batchId,
      notBeforeMs: madeAtMs,
    });
    faultPoint("ingest/rejected");
  }
  const readings = await append(lake, "bronze/readings", {
    base: state.readings,
    adds,
    txns,
    batchId,
    notBeforeMs: madeAtMs,
  });
  faultPoint("ingest/committed");
  sum.readings += made.readings;
  sum.rejected += fresh.length;
  sum.batches += 1;
  options.onCommit?.({
    batchId,
    readings: made.readings,
    rejected: fresh.length,
    reasons: countReasons(fresh),
    commitMs: lake.clock.monotonicMs() - startMs,
    version: readings.version,
  });
  return { ...state, positions: advance(state.positions, after), readings, rejected };
}

function countReasons(messages: readonly RejectedMessage[]): ReadonlyMap<RejectionReason, number> {
  const counts = new Map<RejectionReason, number>();
  for (const { reason } of messages) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return counts;
}

/** True if an earlier try at this batch got as far as to commit the message. */
function isHeld({ identities, rejected }: State, message: RejectedMessage): boolean {
  return message.offset <= (rejected.txns.get(appIdIn(identities, message)) ?? -1n);
}

async function append(
  lake: Lake,
  name: "bronze/readings" | "bronze/rejected",
  what: Pick<CommitRequest, "base" | "adds" | "txns" | "batchId" | "notBeforeMs">,
): Promise<Snapshot> {
  return lake
    .table(name)
    .commit({ ...what, removes: [], operation: "INGEST", isolation: { kind: "append" }, dataChange: true });
}

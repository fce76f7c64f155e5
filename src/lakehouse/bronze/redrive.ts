// Moves rejected messages that are readings by now from bronze/rejected to bronze/readings: each once, however often
// it is asked for and wherever it is cut short. Two tables have no common commit, so a move is an attempt with a number.
//
//        bronze/rejected                                        bronze/readings
//   A    chosen rows into files of their own,
//        marked k; txn redrive -> k (rows only moved)
//   B                                                           the readings; txn redrive -> k
//   C    the files marked k are removed
//
// What a later attempt, here or in another process, does with files marked k that it finds:
//
//   txn of readings = k   B is done: it does C
//   txn of readings < k   it cannot know whether the writer of k died or sleeps. It commits a fence to readings:
//                         txn redrive -> k + 1, no rows. From then on B of k is refused (COMMIT_OVERTAKEN). If B of k
//                         was faster, the fence is refused instead, and it looks again.
//   txn of readings > k   fenced: the mark is void for ever. Its own A takes the files anew.
//
// Why each message is exactly one row once an attempt has come to its end:
// - Attempts are even, fences odd, and txns only rise. So "txn of readings = k" says that B of k was committed, nothing else.
// - A of k is committed by one writer: k is above both tables' txns, and two A after one base refuse each other.
// - A begins only from a version of rejected whose marks are void or gone, and rewrites all marked files. So all marked
//   files carry the newest number, and a row that B of j can still bring is never in files marked k > j: before A of k
//   came a fence above j (then B of j is refused), or C of j (then the row is no longer in bronze/rejected).
// - C of k is done only after B of k: no row is lost. Rows of an attempt that was fenced stay where they are.
// A writer whose A or B is refused stops: another one has taken over. Appends and compaction beside it do no harm.
//
// bronze/readings is read before bronze/rejected, and B fails if rows were removed from readings since: erasure in the
// order rejected, readings cannot be undone by a redrive that had read the row before.

import { isAtriumError } from "../../support/errors.ts";
import type { AddFile } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import type { RowsInput } from "../engine.ts";
import { ensureTable, tableInput, writeFiles, type Lake } from "../lake.ts";
import { OPERATIONS } from "../operations.ts";
import { rowsIn } from "../summary.ts";
import { AMBIGUOUS_SQL, ambiguousLines, correctionsInput, type Corrections } from "./corrections.ts";
import {
  isMoving,
  lastAttempt,
  markMoving,
  movingFiles,
  nextAttempt,
  REDRIVE_APP_ID,
} from "./redrive-marks.ts";
import {
  chosenInput,
  CHOSEN_SQL,
  judge,
  NOT_CHOSEN_SQL,
  REDRIVEN_SQL,
  redrivenInput,
  type Redriven,
} from "./redriven.ts";
import {
  nextPage,
  openRejected,
  PAGE_BOUNDS,
  rejectedInputs,
  type PageBounds,
  type Place,
  type RejectedFilter,
  type RejectedSource,
} from "./rejected.ts";
import { batchInput } from "./transform.ts";

/** Which messages are judged anew, and the bounds of it. */
export interface RedriveOptions {
  readonly lake: Lake;
  /** Judges the messages of a filter as they are … */
  readonly filter?: RejectedFilter;
  /** … or those that were corrected, as they should have been. */
  readonly corrections?: Corrections;
  /** Judges, and changes nothing. */
  readonly isDryRun: boolean;
  readonly queryTimeoutMs: number;
  /** Messages of one attempt. Default: PAGE_BOUNDS. */
  readonly bounds?: PageBounds;
  /** Ends it between two attempts. */
  readonly signal?: AbortSignal;
}

/** What a redrive did, or would do. */
export interface RedriveSummary {
  readonly moved: number;
  /** Messages of an earlier redrive whose move was cut short behind its second step, and is complete now. */
  readonly completed: number;
  readonly stillRejected: number;
  /** Those still rejected by what they are rejected for now. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Corrections of messages that bronze/rejected does not hold, or no longer. */
  readonly missing: number;
  readonly attempts: number;
}

/** An attempt is given up after losing so often to writers that change the same files. */
const TRIES_MAX = 5;
const AMBIGUOUS_MAX = 100;

interface Sum {
  moved: number;
  completed: number;
  judged: number;
  attempts: number;
  readonly reasons: Map<string, number>;
}

/**
 * Judges rejected messages anew and moves those that are readings by now, in attempts of a bounded size.
 * @throws COMMIT_OVERTAKEN if another redrive took over, COMMIT_CONFLICT, USAGE_INVALID for corrections that fit several messages
 */
export async function redrive(options: RedriveOptions): Promise<RedriveSummary> {
  const { corrections } = options;
  const sum: Sum = { moved: 0, completed: 0, judged: 0, attempts: 0, reasons: new Map() };
  if (corrections !== undefined) await refuseAmbiguous(options, corrections);
  let after: Place | undefined;
  do {
    after = await redrivePage(options, after, sum);
  } while (after !== undefined && options.signal?.aborted !== true);
  const stillRejected = [...sum.reasons.values()].reduce((total, count) => total + count, 0);
  const missing = corrections === undefined ? 0 : corrections.count - sum.judged;
  const { moved, completed, attempts } = sum;
  return { moved, completed, stillRejected, reasons: Object.fromEntries(sum.reasons), missing, attempts };
}

/** Judges and moves the messages of the next page; the end of that page, or undefined if there was none. */
async function redrivePage(
  options: RedriveOptions,
  after: Place | undefined,
  sum: Sum,
): Promise<Place | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await tryPage(options, after, sum);
    } catch (error) {
      if (!isAtriumError(error, "COMMIT_CONFLICT") || attempt === TRIES_MAX) throw error;
    }
  }
}

async function tryPage(
  options: RedriveOptions,
  after: Place | undefined,
  sum: Sum,
): Promise<Place | undefined> {
  const { lake, queryTimeoutMs: timeoutMs, corrections, bounds = PAGE_BOUNDS } = options;
  const settled = options.isDryRun ? await openRejected(lake, timeoutMs) : await settle(lake, timeoutMs, sum);
  if (settled === undefined) return undefined;
  const filter =
    corrections === undefined ? (options.filter ?? {}) : { wanted: correctionsInput(corrections) };
  const page = await nextPage(settled, filter, { after, bounds });
  if (page === undefined) return undefined;
  const judged = judge(page.messages, corrections);
  if (judged.readings.length > 0 && !options.isDryRun) {
    await move(settled, judged.readings);
    sum.attempts += 1;
  }
  sum.moved += judged.readings.length;
  sum.judged += judged.readings.length;
  for (const [reason, count] of judged.rejected) {
    sum.judged += count;
    sum.reasons.set(reason, (sum.reasons.get(reason) ?? 0) + count);
  }
  return page.end;
}

/** Ends what earlier attempts left, or keeps it from ever being done: no message of theirs reaches bronze/readings after this. */
export async function settleRedrives(lake: Lake, timeoutMs: number): Promise<void> {
  await settle(lake, timeoutMs, { moved: 0, completed: 0, judged: 0, attempts: 0, reasons: new Map() });
}

/** Both tables at versions whose marks are void or gone, after doing what an attempt before left to do. */
async function settle(lake: Lake, timeoutMs: number, sum: Sum): Promise<RejectedSource | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const source = await openRejected(lake, timeoutMs);
    const left = source && movingFiles(source.rejected);
    if (source === undefined || left === undefined) return source;
    const readings = source.readings ?? (await ensureTable(lake, "bronze/readings"));
    if (lastAttempt(readings) > left.attempt) return source;
    try {
      if (lastAttempt(readings) < left.attempt) await fence(lake, readings, left.attempt);
      else sum.completed += await complete(lake, source.rejected, left.files);
    } catch (error) {
      // Somebody else was faster; what there is now decides.
      const isLost = isAtriumError(error, "COMMIT_OVERTAKEN") || isAtriumError(error, "COMMIT_CONFLICT");
      if (!isLost || attempt === TRIES_MAX) throw error;
    }
  }
}

/** Keeps step B of an attempt out of bronze/readings for good. */
async function fence(lake: Lake, readings: Snapshot, attempt: bigint): Promise<void> {
  await commitReadings(lake, readings, { adds: [], position: attempt + 1n });
}

/** Step C; returns how many messages it removed. */
async function complete(lake: Lake, rejected: Snapshot, files: readonly AddFile[]): Promise<number> {
  await lake.table("bronze/rejected").commit({
    base: rejected,
    adds: [],
    removes: files.map((file) => file.path),
    txns: new Map(),
    operation: OPERATIONS.redrive,
    isolation: { kind: "append" },
    dataChange: true,
  });
  return rowsIn(files);
}

/** One attempt: A, B and C. */
async function move(source: RejectedSource, redriven: readonly Redriven[]): Promise<void> {
  const { lake } = source;
  const readings = source.readings ?? (await ensureTable(lake, "bronze/readings"));
  const attempt = nextAttempt(source.rejected, readings);
  const inputs = [redrivenInput(redriven), batchInput(lake.clock.nowMs())];
  const adds = await writeFiles(lake, "bronze/readings", { sql: REDRIVEN_SQL, inputs });
  const rejected = await isolate(source, redriven, attempt);
  await commitReadings(lake, readings, { adds, position: attempt });
  const marked = movingFiles(rejected);
  try {
    await complete(lake, rejected, marked?.files ?? []);
  } catch (error) {
    // Another redrive did it, or the files were rewritten: the look behind the next page ends it.
    if (!isAtriumError(error, "COMMIT_CONFLICT")) throw error;
  }
}

/** Step A: rewrites the files that hold the messages, and those whose marks are void. */
async function isolate(
  source: RejectedSource,
  redriven: readonly Redriven[],
  attempt: bigint,
): Promise<Snapshot> {
  const { lake, rejected: base } = source;
  const chosen = chosenInput(redriven.map(({ message }) => message));
  const voided = [...base.files.values()].filter(isMoving);
  const files = [
    ...new Map(
      [...redriven.map(({ message }) => message.file), ...voided].map((file) => [file.path, file]),
    ).values(),
  ];
  const held = tableInput(lake, "bronze/rejected", { snapshot: base, files });
  const write = async (sql: string) => writeFiles(lake, "bronze/rejected", { sql, inputs: [held, chosen] });
  const moving = await write(CHOSEN_SQL);
  const staying = await write(NOT_CHOSEN_SQL);
  return lake.table("bronze/rejected").commit({
    base,
    adds: [...moving.map((file) => markMoving(file, attempt)), ...staying],
    removes: files.map((file) => file.path),
    txns: new Map([[REDRIVE_APP_ID, attempt]]),
    operation: OPERATIONS.redrive,
    isolation: { kind: "append" },
    dataChange: false,
  });
}

/** Step B, or a fence. */
async function commitReadings(
  lake: Lake,
  base: Snapshot,
  { adds, position }: { readonly adds: readonly AddFile[]; readonly position: bigint },
): Promise<void> {
  await lake.table("bronze/readings").commit({
    base,
    adds,
    removes: [],
    txns: new Map([[REDRIVE_APP_ID, position]]),
    operation: OPERATIONS.redrive,
    isolation: { kind: "derive" },
    dataChange: true,
  });
}

/** A correction must say which message it is of. @throws USAGE_INVALID */
async function refuseAmbiguous(
  { lake, queryTimeoutMs }: RedriveOptions,
  corrections: Corrections,
): Promise<void> {
  const source = await openRejected(lake, queryTimeoutMs);
  if (source === undefined) return;
  const wanted: RowsInput = correctionsInput(corrections);
  const { rows } = await lake.engine.query({
    sql: AMBIGUOUS_SQL,
    inputs: await rejectedInputs(source, { wanted }),
    rowsMax: AMBIGUOUS_MAX,
    timeoutMs: queryTimeoutMs,
  });
  if (rows.length > 0) {
    throw ambiguousLines(
      corrections,
      rows.map(([line]) => Number(line)),
    );
  }
}

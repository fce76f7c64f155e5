// The stages at work together in one process: each is a loop that feeds the next, and the first failure stops all.
//
//   replay --(log)--> ingest --(bronze version)--> refine --(silver version)--> gold
//
// The log and the tables are the only things between the stages; a bell saves the next one from polling. What a crash
// leaves undone is found again in the log and the tables, so that nothing here has to be remembered.

import { ingest, type IngestOptions, type IngestSummary } from "./lakehouse/bronze/ingest.ts";
import { type DaysOverOptions, watchDaysOver } from "./lakehouse/gold/days-over.ts";
import { makeGold, NO_GOLD, type GoldSummary } from "./lakehouse/gold/gold.ts";
import type { Lake } from "./lakehouse/lake.ts";
import { LEASE_MS } from "./lakehouse/lease.ts";
import { refineBatch, type RefinedBatch } from "./lakehouse/silver/refine.ts";
import { upkeep, type UpkeepOptions } from "./lakehouse/upkeep/upkeep.ts";
import { withBoundedLead } from "./log/bounded-lead.ts";
import type { EventLog } from "./log/event-log.ts";
import { present } from "./support/assert.ts";
import type { Clock } from "./support/clock.ts";
import type { CronTimes } from "./support/cron.ts";
import { isAtriumError, type AtriumError } from "./support/errors.ts";
import type { Logger } from "./support/logger.ts";
import { makeWake, type Wake } from "./support/wake.ts";

/** The wall clock jumps if it moves by so much, ms, beside the monotonic one within a round. */
const CLOCK_JUMP_MS = 60_000;

/** The longest sleep after which the wall clock is looked at, ms. */
const SLEEP_STEP_MS = 10_000;

/** Bounds and rhythm of the stages behind the log. */
export interface StageOptions {
  readonly lake: Lake;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly batchRowsMax: number;
  readonly queryTimeoutMs: number;
  /** Where nothing rings: how often a stage looks for new versions, ms. */
  readonly pollMs: number;
}

/** What refining did in all. */
export interface RefineSummary {
  readonly batches: number;
  readonly rowsRead: number;
  readonly rowsAdded: number;
}

/** Refines whenever bronze has a new version, until `isComplete` and nothing is left, or the signal aborts. */
export async function refineLoop(
  options: StageOptions,
  loop: {
    readonly bell: Wake;
    readonly isComplete: () => boolean;
    /** Called after each commit; it took so long, ms. */
    readonly onBatch?: (batch: RefinedBatch, tookMs: number) => void;
    readonly signal: AbortSignal;
  },
): Promise<RefineSummary> {
  const sum = { batches: 0, rowsRead: 0, rowsAdded: 0 };
  while (!loop.signal.aborted) {
    const wasComplete = loop.isComplete();
    const startMs = options.clock.monotonicMs();
    const batch = await refineBatch(options);
    if (batch === undefined) {
      if (wasComplete) break;
      await loop.bell.wait(options.pollMs, loop.signal);
      continue;
    }
    sum.batches += 1;
    sum.rowsRead += batch.rowsRead;
    sum.rowsAdded += batch.rowsAdded;
    options.logger.debug("refined", { ...batch });
    loop.onBatch?.(batch, options.clock.monotonicMs() - startMs);
  }
  return sum;
}

/** Who counts what gold takes. */
interface GoldWatcher {
  /** Called when gold was made, or found to be as it should; it took so long, ms. */
  readonly onMade?: (tookMs: number) => void;
}

/** Makes the gold of changed days every `everyMs`, until the signal aborts. A lost race is taken up again next time. */
export async function goldLoop(
  options: StageOptions & GoldWatcher & { readonly everyMs: number },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const startMs = options.clock.monotonicMs();
    await unlessLost(options.logger, async () => {
      logGold(options.logger, await makeGold(options));
      options.onMade?.(options.clock.monotonicMs() - startMs);
    });
    await options.clock.sleep(options.everyMs, signal);
  }
}

/**
 * Makes the gold of the days that are over, each once, whenever `times` says so and at the start, until the signal aborts.
 * Where another process is at it, it looks again when that one would have lost its lease.
 */
export async function daysOverLoop(
  options: StageOptions & GoldWatcher & Pick<DaysOverOptions, "delayMs"> & { readonly times: CronTimes },
  signal: AbortSignal,
): Promise<void> {
  const { clock, logger } = options;
  const days = watchDaysOver(options);
  while (!signal.aborted) {
    let isElsewhere = false;
    const startMs = clock.monotonicMs();
    await unlessLost(logger, async () => {
      const looked = await days.look();
      ({ isElsewhere } = looked);
      if (looked.made === undefined) return;
      logGold(logger, looked.made);
      options.onMade?.(clock.monotonicMs() - startMs);
    });
    const lookedMs = clock.nowMs();
    const nextMs = options.times.nextMs(lookedMs) ?? Number.POSITIVE_INFINITY;
    await sleepUntil(clock, isElsewhere ? Math.min(nextMs, lookedMs + LEASE_MS) : nextMs, signal);
  }
}

/** In short steps: the wall clock may jump, and a machine may sleep. */
async function sleepUntil(clock: Clock, untilMs: number, signal: AbortSignal): Promise<void> {
  const beganMs = clock.nowMs();
  for (let nowMs = beganMs; nowMs >= beganMs && nowMs < untilMs && !signal.aborted; nowMs = clock.nowMs()) {
    await clock.sleep(Math.min(untilMs - nowMs, SLEEP_STEP_MS), signal);
  }
}

async function unlessLost(logger: Logger, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const isLost = isAtriumError(error, "COMMIT_CONFLICT") || isAtriumError(error, "COMMIT_OVERTAKEN");
    if (!isLost) throw error;
    const { message } = error;
    logger.warn("another writer made the same gold; trying again later", { message });
  }
}

function logGold(logger: Logger, summary: GoldSummary): void {
  const { daysReplaced, daysRestated, daysExpired, valuesRestated: values, lateReadings } = summary;
  if (daysReplaced.length > 0) logger.info("gold made", { days: daysReplaced });
  if (daysExpired.length > 0) {
    logger.warn("readings came for days that silver does not keep any more: their gold stays", {
      days: daysExpired,
    });
  }
  if (daysRestated.length > 0) logger.info("gold restated", { days: daysRestated, values, lateReadings });
}

/**
 * Looks after the tables every `everyMs`, until the signal aborts. What fails is logged and comes again. After the clock has
 * jumped nobody knows how old a file is: that round removes none.
 */
export async function upkeepLoop(
  options: StageOptions &
    Pick<UpkeepOptions, "retentionDays" | "targetBytes" | "graceMs"> & { readonly everyMs: number },
  signal: AbortSignal,
): Promise<void> {
  const { clock } = options;
  const offsetMs = (): number => clock.nowMs() - clock.monotonicMs();
  let lastOffsetMs = offsetMs();
  for (;;) {
    await clock.sleep(options.everyMs, signal);
    if (signal.aborted) return;
    const isVacuumed = Math.abs(offsetMs() - lastOffsetMs) < CLOCK_JUMP_MS;
    lastOffsetMs = offsetMs();
    if (!isVacuumed) options.logger.warn("the clock has jumped: no files are removed this time");
    await upkeep({ ...options, isVacuumed, signal });
  }
}

/** What one run did. */
export interface RunSummary<Replayed> {
  readonly replay: Replayed;
  readonly ingest: IngestSummary;
  readonly refine: RefineSummary;
  readonly gold: GoldSummary;
}

/** What one run needs: the replay as a function, and the options of the stages behind it. */
export interface RunOptions<Replayed> extends StageOptions {
  readonly replay: (log: EventLog, signal: AbortSignal) => Promise<Replayed>;
  readonly ingest: Omit<IngestOptions, "signal" | "isComplete">;
  readonly signal: AbortSignal;
}

/** Replay may be ahead of bronze by so many batches: enough to keep ingestion busy, little enough to leave it its turn. */
const LEAD_BATCHES_MAX = 2;

/**
 * All of it once, the stages side by side: to the end of the source, of the log, of bronze, then gold.
 * @throws SOURCE_UNREADABLE for a damaged raw file, once all that came before the damage is in the tables
 */
export async function runOnce<Replayed>(options: RunOptions<Replayed>): Promise<RunSummary<Replayed>> {
  const bell = makeWake(options.clock);
  let isSent = false;
  let isIngested = false;
  let damage: AtriumError | undefined;
  const ingestEnded = new AbortController();
  const log = withBoundedLead(
    options.ingest.log,
    LEAD_BATCHES_MAX * options.batchRowsMax,
    ingestEnded.signal,
  );
  const [replayed, ingested, refined] = await together(options.signal, [
    async (signal) => {
      try {
        return await options.replay(log, signal);
      } catch (error) {
        // A damaged raw file ends the replay; what was sent before it still goes all the way.
        if (!isAtriumError(error, "SOURCE_UNREADABLE")) throw error;
        damage = error;
        return undefined;
      } finally {
        isSent = true;
      }
    },
    async (signal) => {
      const onCommit: IngestOptions["onCommit"] = (batch) => {
        options.ingest.onCommit?.(batch);
        bell.ring();
      };
      try {
        return await ingest({ ...options.ingest, log, signal, isComplete: () => isSent, onCommit });
      } finally {
        isIngested = true;
        bell.ring();
        ingestEnded.abort();
      }
    },
    async (signal) => refineLoop(options, { bell, signal, isComplete: () => isIngested }),
  ]);
  const gold = options.signal.aborted ? NO_GOLD : await makeGold(options);
  if (damage !== undefined) throw damage;
  return { replay: present(replayed, "the summary of the replay"), ingest: ingested, refine: refined, gold };
}

type Task<Result> = (signal: AbortSignal) => Promise<Result>;

/** Runs tasks side by side until all end. The first failure aborts the others; it is thrown once they have stopped. */
export async function together<Results extends readonly unknown[]>(
  signal: AbortSignal,
  tasks: { readonly [Index in keyof Results]: Task<Results[Index]> },
): Promise<Results> {
  const failed = new AbortController();
  const linked = AbortSignal.any([signal, failed.signal]);
  const failures: unknown[] = [];
  const guarded = tasks.map(async (task) => {
    try {
      return await task(linked);
    } catch (error) {
      failures.push(error);
      failed.abort();
      return undefined;
    }
  });
  const results = await Promise.all(guarded);
  if (failures.length > 0) throw failures[0];
  // Every task has ended without a failure, so each place holds its task's result.
  return results as unknown as Results;
}

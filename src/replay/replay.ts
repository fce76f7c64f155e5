// Replay: reads raw files, merges them on one event-time clock and appends their readings to the log as messages.
//
//   413/co2.csv.gz ─ chunks ─ rows ┐
//   413/pir.csv    ─ chunks ─ rows ┼─ smallest event time first ─ when due ─ batch set ─ append with progress
//   415/light.csv  ─ chunks ─ rows ┘

import { setImmediate as eventLoopTurn } from "node:timers/promises";
import type { EventLog, Progress } from "../log/event-log.ts";
import { FUTURE_TOLERANCE_MS } from "../reading/parse-message.ts";
import type { SensorType } from "../reading/terms.ts";
import type { Clock } from "../support/clock.ts";
import { type AtriumError, isAtriumError } from "../support/errors.ts";
import type { Logger } from "../support/logger.ts";
import { SET_RECORDS_MAX } from "./batch-set.ts";
import type { Lateness } from "./lateness.ts";
import { fill, type MalformedLine, type Merge, newMerge, refillFirst } from "./merge.ts";
import { closeStreams, openStreams, routeFiles, type Routing, type TopicShape } from "./open-streams.ts";
import { newTimetable, type Pace } from "./pace.ts";
import type { RawSource } from "./raw-source.ts";
import { type FileFilter, type FileSelection, selectFiles, type SkippedFile } from "./select-files.ts";
import { newSender, type Sender } from "./sender.ts";
import { type ReplayStream, storedBytesDone } from "./stream.ts";

/** What a replay works with. */
export interface ReplayOptions extends FileFilter {
  readonly source: RawSource;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pace: Pace;
  readonly topics: Readonly<Record<SensorType, TopicShape>>;
  /** The partition of a key: 0 to `partitions` - 1. */
  readonly partitionOf: (key: string, partitions: number) => number;
  /** Under this name the log keeps the progress; one replay at a time may use it. */
  readonly producer: string;
  /** Starts over, whatever was replayed before. Default false. */
  readonly restart?: boolean | undefined;
  /** Records of one append, 1 to 65,535; default 50,000. */
  readonly batchRecordsMax?: number | undefined;
  /** How long a due message may wait for others, ms; default 5. Without meaning for the pace `max`. */
  readonly lingerMs?: number | undefined;
  readonly onMalformed?: ((line: MalformedLine) => void) | undefined;
  readonly onProgress?: ((progress: ReplayProgress) => void) | undefined;
  /** Time between two calls of `onProgress`, ms; default 1000. It is called once more at the end. */
  readonly progressEveryMs?: number | undefined;
  /** Stops the replay: what was taken out of the files is still sent. */
  readonly signal?: AbortSignal | undefined;
}

/** How far a replay is. Counts are of this run and of what is in the log. */
export interface ReplayProgress {
  readonly messages: number;
  readonly late: number;
  readonly malformed: number;
  /** The event-time clock, ms since the epoch; undefined before the first reading. */
  readonly eventTimeMs: number | undefined;
  /** Bytes as stored, those of earlier runs included. */
  readonly bytesDone: number;
  readonly bytesTotal: number;
  /** Messages a second since the call before. */
  readonly rate: number;
}

/** What a replay has done. */
export interface ReplaySummary {
  /** Messages in the log, the late and the malformed ones included. */
  readonly messages: number;
  /** Rows older than the event-time clock when their turn came. */
  readonly late: number;
  readonly malformed: number;
  readonly files: number;
  readonly filesSkipped: readonly SkippedFile[];
  /** Files without a single line; not known of a replay that was stopped. */
  readonly filesEmpty: readonly string[];
  /** Raw bytes of the lines sent, with their ends. */
  readonly bytes: number;
  /** Smallest and largest event time of this run, ms since the epoch; undefined where there was none. */
  readonly firstEventMs: number | undefined;
  readonly lastEventMs: number | undefined;
  /** From when a message was due until its append was done, ms; all 0 for the pace `max`. */
  readonly latenessMs: Lateness;
  /** True if the signal ended it before everything was sent. */
  readonly stopped: boolean;
}

/**
 * Replays the raw files of a source into the log, from where this producer was left; sends nothing twice and loses nothing,
 * wherever it is interrupted, because the log stores progress and messages in one step. Waits while the log is full.
 * Rows go out in the order of event time; of one file, always in the file's order. Malformed lines go out as they are.
 * @throws COMMIT_OVERTAKEN if another replay sends from the same files under the same name
 * @throws SOURCE_MISSING
 * @throws SOURCE_EMPTY
 * @throws SOURCE_UNREADABLE once everything before the damage is in the log.
 */
export async function replay(options: ReplayOptions): Promise<ReplaySummary> {
  const { source, log, logger } = options;
  const selection = selectFiles(source.name, await source.list(), options);
  for (const { file, reason } of selection.skipped) logger.warn("A raw file is skipped.", { file, reason });
  const routing = await routeFiles(selection.files, options);
  const stored = await log.progress(options.producer);
  const notes = options.restart === true ? new Map<string, string>() : stored;
  const streams = await openStreams(selection.files, {
    source,
    logger,
    routes: routing.routes,
    notes,
    // As bronze judges it: what it will reject as too far ahead must not hold a file back.
    eventSecondsMax: (options.clock.nowMs() + FUTURE_TOLERANCE_MS) / 1000,
  });
  try {
    return await replayStreams({ options, selection, routing, streams, stored });
  } finally {
    await closeStreams(streams);
  }
}

const BATCH_RECORDS_DEFAULT = 50_000;
const LINGER_MS_DEFAULT = 5;
const PROGRESS_EVERY_MS_DEFAULT = 1000;
/** Longest single sleep, ms: timers do not take more than 24 days, and the clock may be looked at now and then. */
const SLEEP_MS_MAX = 60_000;

interface Prepared {
  readonly options: ReplayOptions;
  readonly selection: FileSelection;
  readonly routing: Routing;
  readonly streams: readonly ReplayStream[];
  readonly stored: Progress;
}

interface Run extends Prepared {
  readonly merge: Merge;
  readonly sender: Sender;
  readonly bytesTotal: number;
  reportedMs: number;
  reportedMessages: number;
}

async function replayStreams(prepared: Prepared): Promise<ReplaySummary> {
  const run = await startRun(prepared);
  const { sender } = run;
  let failure: AtriumError | undefined;
  let stopped = false;
  try {
    try {
      stopped = await mergeAll(run);
    } catch (error) {
      if (!isAtriumError(error, "SOURCE_UNREADABLE")) throw error;
      failure = error;
    }
    await sender.send();
    await sender.drain();
  } finally {
    await sender.drain().catch(() => undefined);
  }
  report(run, true);
  if (failure !== undefined) throw failure;
  const isStopped = stopped || sender.gaveUp();
  return { ...summaryOf(run, isStopped), filesEmpty: isStopped ? [] : reportEmptyFiles(run) };
}

/** Files without a single line: named, since a sensor without readings is rarely meant. */
function reportEmptyFiles({ streams, options }: Run): readonly string[] {
  const empty = streams.filter((stream) => stream.lines === 0).map((stream) => stream.file.path);
  for (const file of empty) options.logger.warn("A raw file holds no line.", { file });
  return empty;
}

async function startRun(prepared: Prepared): Promise<Run> {
  const { options, routing, streams, selection, stored } = prepared;
  const { clock, pace } = options;
  const recordsMax = Math.max(1, Math.min(SET_RECORDS_MAX, options.batchRecordsMax ?? BATCH_RECORDS_DEFAULT));
  const paced = pace.mode !== "max";
  const shape = { places: routing.places, keys: routing.keys, recordsMax, paced };
  const sender = newSender({ ...options, streams, stored, shape });
  const startMs = clock.monotonicMs();
  const timetable = newTimetable(pace, startMs);
  const merge = await newMerge(streams, { recordsMax, timetable, onMalformed: options.onMalformed });
  const bytesTotal = selection.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return { ...prepared, merge, sender, bytesTotal, reportedMs: startMs, reportedMessages: 0 };
}

/** Merges until everything is read (false) or the signal stops it (true). */
async function mergeAll(run: Run): Promise<boolean> {
  const { merge, sender } = run;
  const { clock } = run.options;
  while (run.options.signal?.aborted !== true && !sender.gaveUp()) {
    switch (fill(merge, sender.current(), clock.monotonicMs())) {
      case "done":
        return false;
      case "refill":
        await refillFirst(merge);
        break;
      case "full":
        await sender.send();
        await othersTurn();
        break;
      case "early":
        await waitForNext(run);
        break;
    }
    report(run, false);
  }
  return true;
}

/** The next message is not due yet: sends what has waited long enough, or sleeps until there is something to do. */
async function waitForNext(run: Run): Promise<void> {
  const { merge, sender } = run;
  const { clock, signal, lingerMs = LINGER_MS_DEFAULT } = run.options;
  const set = sender.current();
  const sendAtMs = set.count === 0 ? Infinity : (set.duesMs[0] ?? 0) + lingerMs;
  // If nothing more comes before the set's time, waiting for it is of no use.
  if (merge.nextDueMs >= sendAtMs) {
    await sender.send();
    await sender.drain();
    await othersTurn();
    return;
  }
  const waitMs = merge.nextDueMs - clock.monotonicMs();
  if (waitMs > 0) await clock.sleep(Math.min(waitMs, SLEEP_MS_MAX, progressEveryMs(run)), signal);
}

/** A log in this process may never really wait: lets the other stages and the signal have their turn. */
async function othersTurn(): Promise<void> {
  await eventLoopTurn();
}

function progressEveryMs(run: Run): number {
  return Math.max(1, run.options.progressEveryMs ?? PROGRESS_EVERY_MS_DEFAULT);
}

function report(run: Run, last: boolean): void {
  const { onProgress, clock } = run.options;
  if (onProgress === undefined) return;
  const nowMs = clock.monotonicMs();
  const elapsedMs = nowMs - run.reportedMs;
  if (!last && elapsedMs < progressEveryMs(run)) return;
  const { messages, late, malformed } = run.sender.sent;
  const rate = elapsedMs > 0 ? ((messages - run.reportedMessages) * 1000) / elapsedMs : 0;
  const bytesDone = run.streams.reduce((sum, stream) => sum + storedBytesDone(stream), 0);
  run.reportedMs = nowMs;
  run.reportedMessages = messages;
  onProgress({
    messages,
    late,
    malformed,
    eventTimeMs: finiteMs(run.merge.clockSeconds),
    bytesDone,
    bytesTotal: run.bytesTotal,
    rate,
  });
}

function summaryOf(run: Run, stopped: boolean): Omit<ReplaySummary, "filesEmpty"> {
  const { sender, merge, selection } = run;
  return {
    ...sender.sent,
    files: selection.files.length,
    filesSkipped: selection.skipped,
    firstEventMs: finiteMs(merge.firstSeconds),
    lastEventMs: finiteMs(merge.clockSeconds),
    latenessMs: sender.lateness(),
    stopped,
  };
}

function finiteMs(seconds: number): number | undefined {
  return Number.isFinite(seconds) ? seconds * 1000 : undefined;
}

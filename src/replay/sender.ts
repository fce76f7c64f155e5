// Appends batch sets to the log, one at a time, each with the progress of the files, while the next one fills.
//
//   fill set A -> send A ──────────────> in the log
//                 fill set B -> wait for A, send B ──> …

import type { EventLog, OutgoingBatch, Progress, ProgressStep } from "../log/event-log.ts";
import type { Clock } from "../support/clock.ts";
import { type ErrorCode, isAtriumError } from "../support/errors.ts";
import { faultPoint } from "../support/fault-point.ts";
import type { Logger } from "../support/logger.ts";
import {
  type BatchSet,
  type BatchSetShape,
  clearBatchSet,
  newBatchSet,
  outgoingBatches,
} from "./batch-set.ts";
import { addLateness, type Lateness, latenessOf, newLatenessHistogram } from "./lateness.ts";
import { progressName, progressText } from "./progress-notes.ts";
import { progressOf, type ReplayStream } from "./stream.ts";

/** What is in the log for certain. */
export interface SentCounts {
  messages: number;
  late: number;
  malformed: number;
  /** Raw bytes of the lines sent. */
  bytes: number;
}

/** What a sender works with. */
export interface SenderOptions {
  readonly log: EventLog;
  readonly producer: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly streams: readonly ReplayStream[];
  /** The producer's notes in the log when it began. */
  readonly stored: Progress;
  readonly shape: BatchSetShape;
  readonly signal?: AbortSignal | undefined;
}

/** Sends batch sets in order. Errors of the log come out of `send` or `drain`, whichever is called next. */
export interface Sender {
  /** The set to fill now. It is another one after `send`. */
  current(): BatchSet;
  /** Waits for the append before, then starts to append the current set with the streams' progress; an empty one is nothing. */
  send(): Promise<void>;
  /** Waits until everything sent is in the log. */
  drain(): Promise<void>;
  /** True once an append was given up because the log stayed full, or away, until the signal came: nothing more may be sent. */
  gaveUp(): boolean;
  readonly sent: Readonly<SentCounts>;
  lateness(): Lateness;
}

/** Makes a sender with two batch sets. The log must not use a set's arrays after its append has ended. */
export function newSender(options: SenderOptions): Sender {
  const sent: SentCounts = { messages: 0, late: 0, malformed: 0, bytes: 0 };
  const lateness = newLatenessHistogram();
  let filling = newBatchSet(options.shape);
  let spare = newBatchSet(options.shape);
  let inFlight: Promise<boolean> = Promise.resolve(true);
  let gaveUp = false;
  const stored = new Map(options.stored);

  const deliver = async (set: BatchSet, notes: Progress): Promise<boolean> => {
    faultPoint("replay/sending");
    const appended = await appendPatiently(options, outgoingBatches(set), {
      producer: options.producer,
      notes,
      previous: stored,
    });
    faultPoint("replay/sent");
    if (appended) {
      for (const [name, note] of notes) stored.set(name, note);
      count(sent, set);
      const nowMs = options.clock.monotonicMs();
      const due = options.shape.paced ? set.duesMs.subarray(0, set.count) : [];
      for (const dueMs of due) addLateness(lateness, nowMs - dueMs);
    }
    clearBatchSet(set);
    return appended;
  };
  const drain = async (): Promise<void> => {
    if (!(await inFlight)) gaveUp = true;
  };
  const send = async (): Promise<void> => {
    await drain();
    if (filling.count === 0 || gaveUp) return;
    const set = filling;
    inFlight = deliver(set, changedNotes(options.streams));
    // Whoever drains meets its error; until then it must not count as unhandled.
    inFlight.catch(() => undefined);
    filling = spare;
    spare = set;
  };
  return {
    current: () => filling,
    send,
    drain,
    gaveUp: () => gaveUp,
    sent,
    lateness: () => latenessOf(lateness),
  };
}

const RETRY_FIRST_MS = 20;
const RETRY_MAX_MS = 1000;
const WARN_EVERY_MS = 60_000;
/** What is waited out for as long as it takes, and what the user is told meanwhile. */
const WAITED_OUT: Readonly<Partial<Record<ErrorCode, string>>> = {
  LOG_FULL: "The log is full: replay waits until bronze has taken in more of it.",
  STORE_FAILED: "The log cannot be reached: replay waits until it can.",
};

/**
 * Appends; while the log is full or cannot be reached, tries again until it succeeds (true) or the signal aborts (false).
 * That is waiting for others, so it has no last try. The same batches every time: the log appends them at most once.
 */
async function appendPatiently(
  options: SenderOptions,
  batches: readonly OutgoingBatch[],
  step: ProgressStep,
): Promise<boolean> {
  const { log, clock, logger, signal } = options;
  let warnAtMs = -Infinity;
  let isUnsure = false;
  for (let waitMs = RETRY_FIRST_MS; ; waitMs = Math.min(RETRY_MAX_MS, waitMs * 2)) {
    try {
      await log.append(batches, step);
      if (warnAtMs > -Infinity) logger.info("The log takes messages again.");
      return true;
    } catch (error) {
      // After a lost answer it may have been this very append that moved the notes.
      if (isUnsure && isAtriumError(error, "COMMIT_OVERTAKEN") && (await isNoted(log, step))) return true;
      isUnsure ||= isAtriumError(error, "STORE_FAILED");
      const words = isAtriumError(error) ? WAITED_OUT[error.code] : undefined;
      if (!isAtriumError(error) || words === undefined) throw error;
      if (signal?.aborted === true) return false;
      if (clock.monotonicMs() >= warnAtMs) {
        logger.warn(words, { code: error.code, detail: error.message });
        warnAtMs = clock.monotonicMs() + WARN_EVERY_MS;
      }
      await clock.sleep(waitMs, signal);
    }
  }
}

/** True if the log has all notes of a step: each names a place in a file, so nobody else's are the same by chance. */
async function isNoted(log: EventLog, { producer, notes }: ProgressStep): Promise<boolean> {
  try {
    const stored = await log.progress(producer);
    return notes.size > 0 && [...notes].every(([name, note]) => stored.get(name) === note);
  } catch {
    // Then the error at hand stands.
    return false;
  }
}

/** The notes of the files that have moved since the last call. */
function changedNotes(streams: readonly ReplayStream[]): Progress {
  const notes = new Map<string, string>();
  for (const stream of streams) {
    if (stream.lines === stream.linesNoted) continue;
    notes.set(progressName(stream.file.path), progressText(progressOf(stream)));
    stream.linesNoted = stream.lines;
  }
  return notes;
}

function count(sent: SentCounts, set: BatchSet): void {
  sent.messages += set.count;
  sent.late += set.late;
  sent.malformed += set.malformed;
  sent.bytes += set.rawBytes;
}

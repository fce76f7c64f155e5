// The only place with retries: bounded, with growing pauses, and only where the error says that it may pass.

import type { Chance } from "./chance.ts";
import type { Clock } from "./clock.ts";
import { isAtriumError } from "./errors.ts";

/** How often and how patiently. */
export interface RetryLimits {
  /** Tries in all, at least 1. */
  readonly triesMax: number;
  /** Pause before the second try, ms; doubled before each further one. */
  readonly firstPauseMs: number;
  /** Longest pause, ms. */
  readonly pauseMsMax: number;
}

/** What a retry needs. */
export interface RetryOptions {
  readonly clock: Clock;
  readonly chance: Chance;
  /** Default: 5 tries, pauses from 100 ms to 5 s. */
  readonly limits?: RetryLimits;
  /** Ends the pauses: the last error is thrown at once. */
  readonly signal?: AbortSignal;
  /** Called before each pause: for a log line. */
  readonly onRetry?: (failed: {
    readonly error: Error;
    readonly triesDone: number;
    readonly pauseMs: number;
  }) => void;
}

const DEFAULT_LIMITS: RetryLimits = { triesMax: 5, firstPauseMs: 100, pauseMsMax: 5_000 };

/**
 * Runs `task` until it succeeds, fails with an error that is not retryable, or has had its tries; then throws its last
 * error as it is. Each pause lies between half and all of its size, by chance, so that several writers do not keep step.
 */
export async function retrying<T>(task: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { clock, chance, signal, limits = DEFAULT_LIMITS } = options;
  for (let triesDone = 1; ; triesDone += 1) {
    try {
      return await task();
    } catch (error) {
      const mayPass = isAtriumError(error) && error.retryable;
      if (!mayPass || triesDone >= limits.triesMax || signal?.aborted) throw error;
      const sizeMs = Math.min(limits.pauseMsMax, limits.firstPauseMs * 2 ** (triesDone - 1));
      const pauseMs = (sizeMs / 2) * (1 + chance.next());
      options.onRetry?.({ error, triesDone, pauseMs });
      await clock.sleep(pauseMs, signal);
      if (signal?.aborted) throw error;
    }
  }
}

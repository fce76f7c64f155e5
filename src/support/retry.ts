// Trying again what failed for a while: a few times, with growing pauses of random length, and not for ever.

import type { Chance } from "./chance.ts";
import type { Clock } from "./clock.ts";

/** How often and how long. */
export interface RetryLimits {
  readonly attemptsMax: number;
  /** The first pause is at most this long; each further one may be twice as long. */
  readonly pauseMsFirst: number;
  readonly pauseMsMax: number;
  /** No attempt begins later than this after the first. */
  readonly totalMsMax: number;
}

/** What retrying needs. */
export interface RetryOptions {
  readonly limits: RetryLimits;
  readonly clock: Clock;
  readonly chance: Chance;
  /** True for a failure that may pass. */
  readonly mayPass: (error: unknown) => boolean;
  /** Called before each attempt but the first. */
  readonly onRetry?: (() => void) | undefined;
}

/** Runs `attempt` until it succeeds; throws its last error. Pauses are random, so that many who failed at once do not come back at once. */
export async function retrying<Result>(
  attempt: () => Promise<Result>,
  { limits, clock, chance, mayPass, onRetry }: RetryOptions,
): Promise<Result> {
  const endMs = clock.monotonicMs() + limits.totalMsMax;
  for (let count = 1; ; count += 1) {
    try {
      return await attempt();
    } catch (error) {
      const pauseMs = chance.next() * Math.min(limits.pauseMsMax, limits.pauseMsFirst * 2 ** (count - 1));
      const isOver = count >= limits.attemptsMax || clock.monotonicMs() + pauseMs > endMs;
      if (isOver || !mayPass(error)) throw error;
      await clock.sleep(pauseMs);
      onRetry?.();
    }
  }
}

// The only file that knows what time it is and how to wait.

import { setTimeout as delay } from "node:timers/promises";

/** Time as the rest of the program sees it; tests pass their own. */
export interface Clock {
  /** Wall time, ms since the epoch (UTC); may jump. */
  nowMs(): number;
  /** Time since an arbitrary start, ms with fractions; never goes back. */
  monotonicMs(): number;
  /** Resolves after `ms` (0 or more), or at once when `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    if (signal?.aborted) return;
    await delay(ms, undefined, signal ? { signal } : {}).catch(() => undefined);
  },
};

/** Calls `act` after `ms` if the process still lives then; it is not kept alive for that. */
export function deadline(ms: number, act: () => void): void {
  setTimeout(act, ms).unref();
}

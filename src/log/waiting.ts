// Waiting for records: woken by an append of the same process, and looking now and then for those of others.

import type { Clock } from "../support/clock.ts";

/** Those who wait for records of one log. */
export interface Waiting {
  /** Asks `look` again and again until it finds something, `waitMs` are over, `signal` aborts or the log closes. */
  untilSome<T>(look: () => readonly T[], waitMs: number, signal?: AbortSignal): Promise<readonly T[]>;
  /** Wakes all that wait: something was appended. */
  wake(): void;
  /** Ends every wait, now and later. */
  close(): void;
}

/** How long to sleep between two looks, ms: doubled from `first` up to `max`. */
export interface LookPauses {
  readonly first: number;
  readonly max: number;
}

/** Makes the waiting room of one log. */
export function makeWaiting(clock: Clock, pausesMs: LookPauses): Waiting {
  const sleepers = new Set<() => void>();
  let isClosed = false;

  async function untilSome<T>(
    look: () => readonly T[],
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<readonly T[]> {
    const endMs = clock.monotonicMs() + waitMs;
    let pauseMs = pausesMs.first;
    while (!isOver(signal)) {
      const found = look();
      const leftMs = endMs - clock.monotonicMs();
      if (found.length > 0 || leftMs <= 0) return found;
      await sleep(Math.min(pauseMs, leftMs), signal);
      pauseMs = Math.min(pauseMs * 2, pausesMs.max);
    }
    return [];
  }

  async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const waking = new AbortController();
    const stop = (): void => waking.abort();
    sleepers.add(stop);
    signal?.addEventListener("abort", stop, { once: true });
    await clock.sleep(ms, waking.signal);
    signal?.removeEventListener("abort", stop);
    sleepers.delete(stop);
  }

  const isOver = (signal: AbortSignal | undefined): boolean => isClosed || signal?.aborted === true;
  const wake = (): void => {
    for (const stop of sleepers) stop();
  };
  const close = (): void => {
    isClosed = true;
    wake();
  };
  return { untilSome, wake, close };
}

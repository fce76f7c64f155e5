// Lets one loop wake another in the same process, so that it need not poll.

import type { Clock } from "./clock.ts";

/** A bell: `ring` ends every `wait` that is under way, and the next one if none is. */
export interface Wake {
  ring(): void;
  /** Resolves when rung, after `ms`, or when the signal aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** Makes a bell on a clock. */
export function makeWake(clock: Clock): Wake {
  let current = new AbortController();
  return {
    ring: () => current.abort(),
    wait: async (ms, signal) => {
      await clock.sleep(ms, AbortSignal.any([signal, current.signal]));
      if (current.signal.aborted) current = new AbortController();
    },
  };
}

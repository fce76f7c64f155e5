// Trying again after a broken connection: longer and longer waits, up to a limit without any answer.

import { isBroken, unreachable } from "./failure.ts";
import type { Link } from "./link.ts";

const WAIT_MS_FIRST = 25;
const WAIT_MS_MAX = 5000;

/** How long a call still tries. */
export interface Patience {
  /** Waits before the next try. @throws ENGINE_UNREACHABLE when the limit is reached, or the signal's reason */
  wait(cause: unknown): Promise<void>;
  /** An answer came: begins anew. */
  renew(): void;
}

/** Patience for one call. */
export function patience(link: Link, signal?: AbortSignal): Patience {
  const { clock, reconnectMsMax } = link;
  let brokenSinceMs: number | undefined;
  let waitMs = WAIT_MS_FIRST;
  return {
    wait: async (cause) => {
      signal?.throwIfAborted();
      brokenSinceMs ??= clock.monotonicMs();
      if (clock.monotonicMs() - brokenSinceMs >= reconnectMsMax) throw unreachable(link, cause);
      await clock.sleep(waitMs, signal);
      signal?.throwIfAborted();
      waitMs = Math.min(waitMs * 2, WAIT_MS_MAX);
    },
    renew: () => {
      brokenSinceMs = undefined;
      waitMs = WAIT_MS_FIRST;
    },
  };
}

/** Makes a call that may be made twice, until it gets an answer. @throws ENGINE_UNREACHABLE, or what the server answers */
export async function retrying<T>(link: Link, call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const tries = patience(link, signal);
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!isBroken(error)) throw error;
      await tries.wait(error);
    }
  }
}

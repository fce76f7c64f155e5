// Lets a few queries run at once; the others wait in line, and no longer than their time allows.
//
//   enter --free place?--> run --> next in line takes the place
//     |no                  ^
//     '--> wait in line ---'   --time over, line too long, client gone--> QUERY_TIMEOUT

import type { Clock } from "../support/clock.ts";
import { AtriumError } from "../support/errors.ts";

/** Bounds of the gate. */
export interface QueryGateOptions {
  /** Queries that run at once. */
  readonly atOnceMax: number;
  /** Queries that may wait; one more is refused at once. */
  readonly waitingMax: number;
  /** Time for waiting and running together, ms. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Runs a query when there is a place for it, with the time that is left, in ms. @throws QUERY_TIMEOUT */
export type QueryGate = <Result>(
  query: (timeoutMs: number) => Promise<Result>,
  signal?: AbortSignal,
) => Promise<Result>;

/** Makes a gate. */
export function queryGate(options: QueryGateOptions): QueryGate {
  const state: GateState = { running: 0, waiting: [] };
  return async (query, signal) => {
    const startMs = options.clock.monotonicMs();
    await takePlace(state, options, signal);
    try {
      const leftMs = options.timeoutMs - (options.clock.monotonicMs() - startMs);
      if (signal?.aborted || leftMs <= 0) throw tooBusy(options, "its time was over");
      return await query(leftMs);
    } finally {
      leavePlace(state);
    }
  };
}

interface GateState {
  running: number;
  /** Each is called when its place is free. */
  readonly waiting: (() => void)[];
}

async function takePlace(
  state: GateState,
  options: QueryGateOptions,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (state.running < options.atOnceMax) {
    state.running += 1;
    return;
  }
  if (state.waiting.length >= options.waitingMax) throw tooBusy(options, "the line was full");
  const settled = new AbortController();
  const turn = Promise.withResolvers<void>();
  state.waiting.push(turn.resolve);
  const signals = signal === undefined ? [settled.signal] : [settled.signal, signal];
  const isOver = options.clock.sleep(options.timeoutMs, AbortSignal.any(signals)).then(() => "over" as const);
  const first = await Promise.race([turn.promise.then(() => "turn" as const), isOver]);
  settled.abort();
  if (first === "turn") return;
  const place = state.waiting.indexOf(turn.resolve);
  // The place may have been handed over in the same moment: then it is passed on.
  if (place >= 0) state.waiting.splice(place, 1);
  else leavePlace(state);
  throw tooBusy(options, "its time was over");
}

function leavePlace(state: GateState): void {
  const next = state.waiting.shift();
  if (next === undefined) state.running -= 1;
  else next();
}

function tooBusy({ atOnceMax, timeoutMs }: QueryGateOptions, why: string): AtriumError {
  return new AtriumError(
    "QUERY_TIMEOUT",
    `${atOnceMax} queries were running, and ${why} before this one (limit ${timeoutMs / 1000} s): try again later.`,
  );
}

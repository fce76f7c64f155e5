// Keeps a producer from running ahead of its reader: a slow stage slows the one before it.

import type { EventLog, Position } from "./event-log.ts";
import { placeOf } from "./positions.ts";

/**
 * The log, with an `append` that waits while more than `recordsMax` of its records are not released. Order, atomicity
 * and errors are those of the log. A waiting append goes on when the signal aborts.
 */
export function withBoundedLead(log: EventLog, recordsMax: number, signal: AbortSignal): EventLog {
  let lead = 0;
  let released: ReadonlyMap<string, bigint> | undefined;
  let waiting: (() => void)[] = [];
  const isAhead = (): boolean => lead > recordsMax && !signal.aborted;
  const wake = (): void => {
    for (const go of waiting) go();
    waiting = [];
  };
  signal.addEventListener("abort", wake, { once: true });
  return {
    identity: async (topic) => log.identity(topic),
    createTopics: async (topics) => log.createTopics(topics),
    partitions: async () => log.partitions(),
    progress: async (producer) => log.progress(producer),
    read: async (from, limits, readSignal) => log.read(from, limits, readSignal),
    ranges: async (topics) => log.ranges(topics),
    append: async (batches, progress) => {
      while (isAhead()) await new Promise<void>((go) => waiting.push(go));
      await log.append(batches, progress);
      for (const { records } of batches) lead += records.count;
    },
    release: async (positions) => {
      await log.release(positions);
      // The first positions only say where the reader begins.
      if (released !== undefined) lead -= advanced(released, positions);
      released = new Map(positions.map((position) => [placeOf(position), position.offset]));
      if (!isAhead()) wake();
    },
    [Symbol.asyncDispose]: async () => log[Symbol.asyncDispose](),
  };
}

/** By how many records the positions have moved. */
function advanced(before: ReadonlyMap<string, bigint>, positions: readonly Position[]): number {
  const moved = positions.map((position) => position.offset - (before.get(placeOf(position)) ?? 0n));
  return Number(moved.reduce((sum, count) => sum + count, 0n));
}

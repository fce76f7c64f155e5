// The log as a process of the simulation sees it: every call is a step, and may fail before or after its effect.

import type { EventLog } from "../../src/log/event-log.ts";
import type { Clock } from "../../src/support/clock.ts";
import { simulatedFault } from "./injected.ts";
import type { Ledger } from "./ledger.ts";
import type { Scheduler, SimProcess } from "./scheduler.ts";

/** Where a process's calls go. */
export interface LogOptions {
  /** The log that all processes share; what an append did to it stays, whatever happens. */
  readonly log: EventLog;
  readonly scheduler: Scheduler;
  readonly process: SimProcess;
  readonly clock: Clock;
  readonly ledger: Ledger;
}

/** The log of one process. */
export function simulatedLog({ log, scheduler, process, clock, ledger }: LogOptions): EventLog {
  const call = async <T>(label: string, effect: () => Promise<T>): Promise<T> =>
    scheduler.perform(process, `log ${label}`, { effect, fault: () => simulatedFault(label) });
  return {
    identity: async (topic) => call("identity", async () => log.identity(topic)),
    createTopics: async (topics) => call("createTopics", async () => log.createTopics(topics)),
    partitions: async () => call("partitions", async () => log.partitions()),
    append: async (batches, progress) =>
      call(`append ${batches.map(({ topic, partition }) => `${topic}/${partition}`).join(" ")}`, async () => {
        const logTimeMs = Math.floor(scheduler.nowMs());
        // The log in memory has done it all when its call returns; only the answer comes later.
        await log.append(batches, progress);
        ledger.appended(batches, logTimeMs, progress?.producer ?? "");
      }),
    progress: async (producer) => call("progress", async () => log.progress(producer)),
    read: async (from, limits, signal) => {
      const look = async (): ReturnType<EventLog["read"]> =>
        call("read", async () => log.read(from, { ...limits, waitMs: 0 }));
      const found = await look();
      if (found.length > 0 || limits.waitMs === 0 || signal?.aborted === true) return found;
      await clock.sleep(limits.waitMs, signal);
      return look();
    },
    ranges: async (topics) => call("ranges", async () => log.ranges(topics)),
    release: async (positions) => call("release", async () => log.release(positions)),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

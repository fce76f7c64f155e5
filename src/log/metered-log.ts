// A log that counts what goes through it.

import type { Metrics } from "../support/metrics.ts";
import type { EventLog, OutgoingBatch } from "./event-log.ts";

/** The same log; messages and bytes of appends and reads that succeeded are counted by topic. */
export function meteredLog(log: EventLog, metrics: Pick<Metrics, "add">): EventLog {
  return {
    identity: async (topic) => log.identity(topic),
    createTopics: async (topics) => log.createTopics(topics),
    partitions: async () => log.partitions(),
    progress: async (producer) => log.progress(producer),
    ranges: async (topics) => log.ranges(topics),
    release: async (positions) => log.release(positions),
    append: async (batches, progress) => {
      await log.append(batches, progress);
      for (const { topic, records } of batches) {
        metrics.add("atrium_log_messages_appended_total", records.count, { topic });
        metrics.add("atrium_log_bytes_appended_total", bytesIn(records), { topic });
      }
    },
    read: async (from, limits, signal) => {
      const batches = await log.read(from, limits, signal);
      for (const { topic, records } of batches) {
        metrics.add("atrium_log_messages_read_total", records.count, { topic });
        metrics.add("atrium_log_bytes_read_total", bytesIn(records), { topic });
      }
      return batches;
    },
    [Symbol.asyncDispose]: async () => log[Symbol.asyncDispose](),
  };
}

/** Bytes of the values, without the LF behind each. */
function bytesIn({ values, count }: OutgoingBatch["records"]): number {
  return Math.max(0, values.byteLength - count);
}

// Runs the EventLog contract on a real Apache Kafka.

import { describe } from "node:test";
import { uniqueId } from "../../src/support/chance.ts";
import { eventLogContract } from "../contract/event-log.ts";
import { logOn, ownBroker, withoutKafka } from "../support/kafka.ts";

describe("on a broker", { skip: withoutKafka }, () => {
  const broker = ownBroker();
  eventLogContract({
    name: "Kafka",
    hasRetention: false,
    marks: 1,
    open: async () => {
      const log = logOn(broker().bootstrap, { group: "contract" });
      return {
        log,
        topicPrefix: `${uniqueId()}-`,
        waitMs: 60_000,
        elapse: () => undefined,
        dispose: async () => log[Symbol.asyncDispose](),
      };
    },
  });
});

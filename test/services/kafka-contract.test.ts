// Runs the EventLog contract on a real Apache Kafka.

import { openKafkaLog } from "../../src/adapters/kafka/event-log.ts";
import { systemClock } from "../../src/support/clock.ts";
import { silentLogger } from "../../src/support/logger.ts";
import { uniqueId } from "../../src/support/chance.ts";
import { eventLogContract } from "../contract/event-log.ts";

eventLogContract({
  name: "Kafka",
  hasRetention: false,
  open: async () => {
    const log = openKafkaLog({
      connection: { bootstrap: ["127.0.0.1:29092"], security: "plaintext", saslMechanism: "plain", username: undefined, password: undefined, caFile: undefined, certFile: undefined, keyFile: undefined },
      clock: systemClock,
      logger: silentLogger,
      compression: "lz4",
      replication: 1,
      group: undefined,
    });
    return {
      log,
      topicPrefix: `${uniqueId()}-`,
      waitMs: 2000,
      elapse: () => undefined,
      dispose: async () => log[Symbol.asyncDispose](),
    };
  },
});

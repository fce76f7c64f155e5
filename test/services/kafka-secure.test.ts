// A broker that asks for a password over TLS.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { KafkaLogOptions } from "../../src/adapters/kafka/event-log.ts";
import { present } from "../../src/support/assert.ts";
import { secret } from "../../src/support/secret.ts";
import { outgoing, rejectsWith } from "../contract/event-log-fixture.ts";
import { logOn, ownBroker, recordsOfTopic, withoutKafka } from "../support/kafka.ts";

describe("a broker with TLS and passwords", { skip: withoutKafka }, () => {
  const broker = ownBroker({ topics: [], sasl: true, tls: true });

  function connection(more: Partial<KafkaLogOptions["connection"]> = {}): KafkaLogOptions["connection"] {
    const { bootstrap, username, password, caFile } = present(broker().secure, "the secure listener");
    return {
      bootstrap: [bootstrap],
      security: "sasl_ssl",
      saslMechanism: "scram-sha-512",
      username,
      password: secret(password),
      caFile,
      certFile: undefined,
      keyFile: undefined,
      ...more,
    };
  }

  for (const saslMechanism of ["scram-sha-512", "plain"] as const) {
    test(`takes and gives messages after a login by ${saslMechanism}`, async () => {
      await using log = logOn("", { connection: connection({ saslMechanism }) });
      await log.createTopics([{ name: saslMechanism, partitions: 1 }]);
      await log.append([outgoing(saslMechanism, 0, ["a", "b"])]);
      const read = await recordsOfTopic(log, saslMechanism);
      assert.deepEqual(
        read.map(({ value }) => value),
        ["a", "b"],
      );
    });
  }

  test("refuses a wrong password at once, with a word about the settings", async () => {
    await using log = logOn("", { connection: connection({ password: secret("wrong") }) });
    await rejectsWith("STORE_DENIED", log.partitions(), /KAFKA_USERNAME and KAFKA_PASSWORD/);
  });

  test("whose certificate is not trusted is named with the setting for it", async () => {
    await using log = logOn("", { connection: connection({ caFile: undefined }) });
    await rejectsWith("STORE_DENIED", log.partitions(), /KAFKA_CA_FILE/);
  });

  test("a file of certificates that is not there is CONFIG_INVALID", async () => {
    const open = async () => logOn("", { connection: connection({ caFile: "/nowhere/ca.pem" }) });
    await rejectsWith("CONFIG_INVALID", open(), /KAFKA_CA_FILE: .*nowhere/);
  });
});

// What Spark's Kafka source is told of the cluster.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { kafkaOptions } from "../../../src/adapters/spark/kafka-options.ts";
import { metadataPath } from "../../../src/adapters/spark/plans.ts";
import { secret } from "../../../src/support/secret.ts";
import { plainAccess } from "../../support/kafka-access.ts";
import { temporaryFolder } from "../../support/program.ts";

const PLAIN = plainAccess("one:9092", "two:9092");

test("brokers alone need a protocol and nothing else", () => {
  assert.deepEqual(kafkaOptions(PLAIN), {
    "kafka.bootstrap.servers": "one:9092,two:9092",
    "kafka.security.protocol": "PLAINTEXT",
  });
});

test("a login is quoted, whatever is in it, and certificates go as they are", async () => {
  await using folder = await temporaryFolder();
  const caFile = join(folder.path, "ca.pem");
  await writeFile(caFile, "PEM");
  const login = { saslMechanism: "scram-sha-512", username: "me", password: secret('a"b\\c') } as const;
  assert.deepEqual(kafkaOptions({ ...PLAIN, ...login, security: "sasl_ssl", caFile }), {
    "kafka.bootstrap.servers": "one:9092,two:9092",
    "kafka.security.protocol": "SASL_SSL",
    "kafka.ssl.truststore.type": "PEM",
    "kafka.ssl.truststore.certificates": "PEM",
    "kafka.sasl.mechanism": "SCRAM-SHA-512",
    "kafka.sasl.jaas.config":
      'org.apache.kafka.common.security.scram.ScramLoginModule required username="me" password="a\\"b\\\\c";',
  });
});

test("a certificate that is not there is named by its setting", () => {
  assert.throws(() => kafkaOptions({ ...PLAIN, security: "ssl", caFile: "/none.pem" }), {
    code: "CONFIG_INVALID",
    message: /^KAFKA_CA_FILE: /,
  });
});

test("a file's address is written as Spark writes it", () => {
  assert.equal(
    metadataPath("file:/lake/room=4%2F1 é/part-0.parquet"),
    "file:/lake/room=4%252F1%20é/part-0.parquet",
  );
  assert.equal(metadataPath("s3a://bucket/t/a=b~c.parquet"), "s3a://bucket/t/a=b~c.parquet");
});

// The whole flow on a broker: the same tables as on the embedded log, and a look at the cluster.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { kafkaPrograms } from "../support/kafka-programs.ts";
import { ownBroker, withoutKafka } from "../support/kafka.ts";
import { done } from "../support/program.ts";

describe("the programs on a broker", { skip: withoutKafka }, () => {
  const { site, reference } = kafkaPrograms(ownBroker());

  test("run makes the tables that it makes of the embedded log, and a second run adds nothing", async () => {
    const { lake, env, run, assertWhole } = site();
    assert.equal((await run()).messages, reference().messages);
    assert.equal((await run()).messages, 0);
    await assertWhole();
    const findings = JSON.parse(await done(["doctor", "--lake", lake, "--json"], { env })) as {
      readonly found: string;
    }[];
    assert.match(
      findings.map(({ found }) => found).join("\n"),
      /Kafka cluster .* 1 broker, 5 topics with 15 partitions, 0 messages/,
    );
  });
});

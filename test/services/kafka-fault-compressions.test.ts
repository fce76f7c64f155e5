// FAULT: other producers compress as they like: every codec of Java's own producer is read.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CODECS } from "../../src/adapters/kafka/record-batch.ts";
import {
  ingestFrom,
  ownBroker,
  recordsOfTopic,
  sendByJava,
  valuesIn,
  withoutKafka,
  withTopic,
} from "../support/kafka.ts";

describe("what Java's producer compresses", { skip: withoutKafka }, () => {
  const broker = ownBroker();

  for (const codec of CODECS) {
    test(`by ${codec}: every message is in bronze, once, in its order`, async () =>
      withTopic(broker().bootstrap, async ({ log, lake, topic }) => {
        const lines = Array.from({ length: 3000 }, (_, i) => {
          const [ts, text] = [1_377_299_108 + i, "x".repeat(i % 90)];
          return `413:co2|${JSON.stringify({ room: "413", sensor: "co2", ts, value: i, text })}`;
        });
        await sendByJava(broker().bootstrap, topic, { lines, codec });
        const read = await recordsOfTopic(log, topic);
        assert.deepEqual(
          read.map(({ key, value }) => `${key}|${value}`),
          lines,
        );
        const { readings, rejected } = await ingestFrom(log, lake.lake, { topics: [topic] });
        assert.deepEqual([readings, rejected], [3000, 0]);
        assert.deepEqual(
          await valuesIn(lake),
          lines.map((_, i) => i),
        );
      }));
  }
});

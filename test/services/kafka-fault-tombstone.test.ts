// FAULT: another producer sends a tombstone: it is kept in bronze/rejected with its key, and nothing stops.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Producer } from "@platformatic/kafka";
import { present } from "../../src/support/assert.ts";
import { ingestFrom, ownBroker, withoutKafka, withTopic } from "../support/kafka.ts";
import { message } from "../support/lake.ts";

describe("a tombstone", { skip: withoutKafka }, () => {
  const broker = ownBroker();

  test("is rejected whole, as a message without a key is, and the stream goes on", async () =>
    withTopic(broker().bootstrap, async ({ log, lake, topic }) => {
      const good = message("413", "co2", 1_377_299_108, 495);
      const to = { topic, partition: 0 };
      const producer = new Producer({ clientId: "other", bootstrapBrokers: [broker().bootstrap] });
      await producer.send({
        acks: -1,
        messages: [
          { ...to, key: Buffer.from("413:co2"), value: null as unknown as Buffer },
          { ...to, value: Buffer.from("no reading") },
          { ...to, key: Buffer.from("413:co2"), value: Buffer.from(present(good.value, "value")) },
        ],
      });
      await producer.close();
      const { readings, rejected } = await ingestFrom(log, lake.lake, { topics: [topic] });
      assert.deepEqual([readings, rejected], [1, 2]);
      assert.deepEqual(
        await lake.rows(
          `select "offset", key, octet_length(value), reason is not null from bronze_rejected order by 1`,
        ),
        [
          [0, "413:co2", 0, true],
          [1, null, 10, true],
        ],
      );
      assert.deepEqual(await lake.rows(`select room, "offset" from bronze_readings`), [["413", 2]]);
      assert.equal((await ingestFrom(log, lake.lake, { topics: [topic] })).rejected, 0);
    }));
});

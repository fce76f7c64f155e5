// FAULT: a message comes with a key that is not its own: nothing is lost, doubled or put in a wrong room.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { recordsOf } from "../../src/log/records.ts";
import { ingestFrom, ownBroker, withoutKafka, withTopic } from "../support/kafka.ts";
import { message } from "../support/lake.ts";

describe("a wrong key", { skip: withoutKafka }, () => {
  const broker = ownBroker();

  test("does not matter to a good reading: what it says of itself counts, once", async () =>
    withTopic(broker().bootstrap, async ({ log, lake, topic }) => {
      const { value } = message("413", "co2", 1_377_299_108, 495);
      const keys = ["999:pir", "no key of ours", "413:co2"];
      await log.append([{ topic, partition: 0, records: recordsOf(keys.map((key) => ({ key, value }))) }]);
      const { readings, rejected } = await ingestFrom(log, lake.lake, { topics: [topic] });
      assert.deepEqual([readings, rejected], [3, 0]);
      const bronze = await lake.rows(
        `select room, sensor_type, value, "offset" from bronze_readings order by 4`,
      );
      assert.deepEqual(
        bronze,
        [0, 1, 2].map((offset) => ["413", "co2", 495, offset]),
      );
      // All three say the same: the same reading.
      await lake.refine();
      assert.deepEqual(await lake.rows("select room, sensor_type, value_raw from silver_readings"), [
        ["413", "co2", 495],
      ]);
    }));

  test("of a message that is no reading is kept with it", async () =>
    withTopic(broker().bootstrap, async ({ log, lake, topic }) => {
      const records = recordsOf([{ key: "999:pir", value: "no reading" }]);
      await log.append([{ topic, partition: 0, records }]);
      const { readings, rejected } = await ingestFrom(log, lake.lake, { topics: [topic] });
      assert.deepEqual([readings, rejected], [0, 1]);
      assert.deepEqual(await lake.rows("select key, octet_length(value) from bronze_rejected"), [
        ["999:pir", 10],
      ]);
    }));
});

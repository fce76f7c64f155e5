// FAULT: a message of 1 MB: it passes whole, and one that the broker does not take is refused by its key.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { recordsOf } from "../../src/log/records.ts";
import { outgoing, rejectsWith } from "../contract/event-log-fixture.ts";
import { ingestFrom, ownBroker, recordsOfTopic, withoutKafka, withTopic } from "../support/kafka.ts";
import { noise } from "../support/log.ts";

describe("a message of a million bytes", { skip: withoutKafka }, () => {
  const broker = ownBroker();

  test("passes; one that is too large is refused by its key, and nothing of its append is there", async () =>
    withTopic(broker().bootstrap, async ({ log, topic }) => {
      const large = (bytes: number) => ({
        topic,
        partition: 0,
        records: recordsOf([{ key: "413:co2", value: noise(bytes) }]),
      });
      await log.append([outgoing(topic, 0, ["a"]), large(1_000_000), outgoing(topic, 0, ["b"])]);
      const before = await recordsOfTopic(log, topic);
      assert.deepEqual(
        before.map(({ value }) => value.length),
        [1, 1_000_000, 1],
      );
      const refused = log.append([outgoing(topic, 0, ["c"]), large(1_100_000)]);
      await rejectsWith(
        "LOG_REFUSED",
        refused,
        /1,100,0\d\d bytes with the key "413:co2".*max\.message\.bytes/,
      );
      await log.append([outgoing(topic, 0, ["d"])]);
      const after = await recordsOfTopic(log, topic);
      assert.deepEqual(
        after.slice(3).map(({ value }) => value),
        ["d"],
      );
    }));

  test("goes into bronze whole: a reading with its other fields, and one that is no reading", async () =>
    withTopic(broker().bootstrap, async ({ log, lake, topic }) => {
      const note = Buffer.from(noise(740_000)).toString("base64");
      const value = JSON.stringify({ room: "413", sensor: "co2", ts: 1_377_299_108, value: 495, note });
      assert.ok(value.length > 980_000 && value.length < 1_000_000);
      const junk = noise(1_000_000);
      const records = (bytes: string | Uint8Array) => recordsOf([{ key: "413:co2", value: bytes }]);
      await log.append([{ topic, partition: 0, records: records(value) }]);
      await log.append([{ topic, partition: 0, records: records(junk) }]);
      const { readings, rejected } = await ingestFrom(log, lake.lake, { topics: [topic] });
      assert.deepEqual([readings, rejected], [1, 1]);
      const [[attributes] = []] = await lake.rows("select attributes from bronze_readings");
      assert.deepEqual(JSON.parse(String(attributes)), { note });
      const [[digest] = []] = await lake.rows("select sha256(value) from bronze_rejected");
      assert.equal(digest, createHash("sha256").update(junk).digest("hex"));
    }));
});

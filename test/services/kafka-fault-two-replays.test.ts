// FAULT: a second replay sends from the same files: the first one stops before anything is sent twice.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Progress } from "../../src/log/event-log.ts";
import { recordsOf } from "../../src/log/records.ts";
import { uniqueId } from "../../src/support/chance.ts";
import { rejectsWith } from "../contract/event-log-fixture.ts";
import { logOn, ownBroker, recordsOfTopic, withoutKafka } from "../support/kafka.ts";

describe("two replays", { skip: withoutKafka }, () => {
  const broker = ownBroker();

  test("a second replay takes over, and the first one stops before it sends anything twice", async () => {
    await using first = logOn(broker().bootstrap);
    await using second = logOn(broker().bootstrap);
    const topic = `topic-${uniqueId()}`;
    await first.createTopics([{ name: topic, partitions: 1 }]);
    const step = (value: string, before: Progress) => ({
      producer: topic,
      notes: new Map([["at", value]]),
      previous: before,
    });
    const batch = (value: string) => [{ topic, partition: 0, records: recordsOf([{ key: "k", value }]) }];
    await first.append(batch("1"), step("1", await first.progress(topic)));
    const seen = await second.progress(topic);
    assert.deepEqual(seen, new Map([["at", "1"]]));
    await rejectsWith("COMMIT_OVERTAKEN", first.append(batch("2"), step("2", seen)), /taken over/);
    await rejectsWith("COMMIT_OVERTAKEN", first.append(batch("2"), step("2", seen)), /taken over/);
    await second.append(batch("2"), step("2", seen));
    const read = await recordsOfTopic(second, topic);
    assert.deepEqual(
      read.map(({ value }) => value),
      ["1", "2"],
    );
  });
});

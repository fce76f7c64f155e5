// FAULT: retention deletes what bronze has not taken yet: an error names what is lost, and nothing is skipped.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { rejectsWith } from "../contract/event-log-fixture.ts";
import { ingestFrom, numbered, ownBroker, valuesIn, withoutKafka, withTopic } from "../support/kafka.ts";

describe("a topic that retention shortens", { skip: withoutKafka }, () => {
  const broker = ownBroker();

  test("what retention deletes before bronze has it is LOG_OFFSET_LOST with how much, never skipped", async () =>
    withTopic(broker().bootstrap, async ({ log, lake, topic }) => {
      await log.append([numbered(topic, 0, [1, 2, 3])]);
      await ingestFrom(log, lake.lake, { topics: [topic] });
      await log.append([numbered(topic, 0, [4, 5, 6, 7])]);
      // Offsets 4 to 7 follow a mark; those up to 5 go.
      await log.cluster.admin.deleteRecords({
        topics: [{ name: topic, partitions: [{ partition: 0, offset: 6n }] }],
      });
      const lost = new RegExp(`${topic}/0: 2 records from offset 4 on are gone: the log now starts at 6`);
      await rejectsWith("LOG_OFFSET_LOST", ingestFrom(log, lake.lake, { topics: [topic] }), lost);
      assert.deepEqual(await valuesIn(lake), [1, 2, 3]);
    }));
});

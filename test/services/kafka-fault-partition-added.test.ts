// FAULT: a topic gets partitions while bronze is fed from it: they are read from their beginning.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  ingestFrom,
  logOn,
  numbered,
  ownBroker,
  valuesIn,
  withoutKafka,
  withTopic,
} from "../support/kafka.ts";

describe("a topic that grows", { skip: withoutKafka }, () => {
  const broker = ownBroker();

  test("partitions that are added while a topic is read are read from their beginning", async () =>
    withTopic(broker().bootstrap, async ({ log, lake, topic }) => {
      await log.append([numbered(topic, 0, [1])]);
      const stopping = new AbortController();
      let commits = 0;
      let extending: Promise<void> | undefined;
      await using other = logOn(broker().bootstrap);
      const extend = async (): Promise<void> => {
        await other.cluster.admin.createPartitions({ topics: [{ name: topic, count: 3 }] });
        await other.append([numbered(topic, 2, [2])]);
      };
      await ingestFrom(log, lake.lake, {
        topics: [topic],
        isComplete: () => false,
        signal: stopping.signal,
        onCommit: () => {
          commits += 1;
          if (commits === 1) extending = extend();
          else stopping.abort();
        },
      });
      await extending;
      assert.deepEqual(await valuesIn(lake), [1, 2]);
    }));
});

// FAULT: a topic is deleted, and made again or not, while bronze is fed from it: what is lost is said, nothing is skipped in silence.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { silentLogger } from "../../src/support/logger.ts";
import { rejectsWith } from "../contract/event-log-fixture.ts";
import {
  ingestFrom,
  logOn,
  numbered,
  ownBroker,
  valuesIn,
  withoutKafka,
  withTopic,
} from "../support/kafka.ts";

describe("a topic that is deleted", { skip: withoutKafka }, () => {
  const broker = ownBroker();

  test("a topic made again is taken in from its own beginning, with a word about what may be lost", async () =>
    withTopic(broker().bootstrap, async ({ log, lake, topic }) => {
      await log.append([numbered(topic, 0, [1, 2, 3])]);
      await ingestFrom(log, lake.lake, { topics: [topic] });
      const before = await log.identity(topic);
      await log.cluster.admin.deleteTopics({ topics: [topic] });
      await using later = logOn(broker().bootstrap);
      await later.createTopics([{ name: topic, partitions: 1 }]);
      assert.notEqual(await later.identity(topic), before);
      await later.append([numbered(topic, 0, [4])]);
      const warned: string[] = [];
      const logger = { ...silentLogger, warn: (words: string) => void warned.push(words) };
      const { readings: count } = await ingestFrom(later, lake.lake, { topics: [topic], logger });
      assert.equal(count, 1);
      assert.deepEqual(await valuesIn(lake), [1, 2, 3, 4]);
      assert.match(
        warned.join("\n"),
        new RegExp(`${topic} is not the one that bronze was fed from.*is lost`),
      );
      warned.length = 0;
      await ingestFrom(later, lake.lake, { topics: [topic], logger });
      assert.deepEqual(warned, []);
    }));

  for (const isMadeAgain of [true, false]) {
    test(`a topic that is deleted ${isMadeAgain ? "and made again " : ""}while it is read ends ingestion and says what is lost`, async () =>
      withTopic(broker().bootstrap, async ({ log, lake, topic }) => {
        await log.append([numbered(topic, 0, [1])]);
        await using other = logOn(broker().bootstrap);
        let commits = 0;
        let changing: Promise<void> | undefined;
        const running = ingestFrom(log, lake.lake, {
          topics: [topic],
          isComplete: () => false,
          onCommit: () => {
            commits += 1;
            changing = changed();
          },
        });
        const changed = async (): Promise<void> => {
          await other.cluster.admin.deleteTopics({ topics: [topic] });
          if (isMadeAgain) await other.createTopics([{ name: topic, partitions: 1 }]);
        };
        await rejectsWith("LOG_OFFSET_LOST", running, new RegExp(`${topic} was deleted.*gone`));
        await changing;
        assert.equal(commits, 1);
      }));
  }
});

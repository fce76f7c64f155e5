// What happens to topics while bronze is fed from them: deleted, made again, given partitions, shortened by retention.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { KafkaLog } from "../../src/adapters/kafka/event-log.ts";
import { recordsOf } from "../../src/log/records.ts";
import { uniqueId } from "../../src/support/chance.ts";
import { systemClock } from "../../src/support/clock.ts";
import { silentLogger } from "../../src/support/logger.ts";
import { rejectsWith } from "../contract/event-log-fixture.ts";
import { ingestFrom, logOn, ownBroker, withoutKafka } from "../support/kafka.ts";
import { makeTestLake, message, type TestLake } from "../support/lake.ts";

describe("topics that change on a broker", { skip: withoutKafka }, () => {
  const broker = ownBroker();

  async function withTopic(
    body: (parts: {
      readonly log: KafkaLog;
      readonly lake: TestLake;
      readonly topic: string;
    }) => Promise<void>,
  ): Promise<void> {
    await using log = logOn(broker().bootstrap);
    // Time passes quickly for ingestion, so that what it does now and then comes soon.
    await using lake = await makeTestLake({
      clock: { ...systemClock, monotonicMs: () => systemClock.monotonicMs() * 20 },
    });
    const topic = `topic-${uniqueId()}`;
    await log.createTopics([{ name: topic, partitions: 1 }]);
    await body({ log, lake, topic });
  }

  const readings = (topic: string, partition: number, values: readonly number[]) => ({
    topic,
    partition,
    records: recordsOf(values.map((value) => message("413", "co2", 1_377_299_108 + value, value))),
  });

  const valuesIn = async (lake: TestLake): Promise<readonly unknown[]> =>
    (await lake.rows("select value from bronze_readings order by 1")).map(([value]) => value);

  test("a topic made again is taken in from its own beginning, with a word about what may be lost", async () =>
    withTopic(async ({ log, lake, topic }) => {
      await log.append([readings(topic, 0, [1, 2, 3])]);
      await ingestFrom(log, lake.lake, { topics: [topic] });
      const before = await log.identity(topic);
      await log.cluster.admin.deleteTopics({ topics: [topic] });
      await using later = logOn(broker().bootstrap);
      await later.createTopics([{ name: topic, partitions: 1 }]);
      assert.notEqual(await later.identity(topic), before);
      await later.append([readings(topic, 0, [4])]);
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
      withTopic(async ({ log, lake, topic }) => {
        await log.append([readings(topic, 0, [1])]);
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

  test("partitions that are added while a topic is read are read from their beginning", async () =>
    withTopic(async ({ log, lake, topic }) => {
      await log.append([readings(topic, 0, [1])]);
      const stopping = new AbortController();
      let commits = 0;
      let extending: Promise<void> | undefined;
      await using other = logOn(broker().bootstrap);
      const extend = async (): Promise<void> => {
        await other.cluster.admin.createPartitions({ topics: [{ name: topic, count: 3 }] });
        await other.append([readings(topic, 2, [2])]);
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

  test("what retention deletes before bronze has it is LOG_OFFSET_LOST with how much, never skipped", async () =>
    withTopic(async ({ log, lake, topic }) => {
      await log.append([readings(topic, 0, [1, 2, 3])]);
      await ingestFrom(log, lake.lake, { topics: [topic] });
      await log.append([readings(topic, 0, [4, 5, 6, 7])]);
      // Offsets 4 to 7 follow a mark; those up to 5 go.
      await log.cluster.admin.deleteRecords({
        topics: [{ name: topic, partitions: [{ partition: 0, offset: 6n }] }],
      });
      const lost = new RegExp(`${topic}/0: 2 records from offset 4 on are gone: the log now starts at 6`);
      await rejectsWith("LOG_OFFSET_LOST", ingestFrom(log, lake.lake, { topics: [topic] }), lost);
      assert.deepEqual(await valuesIn(lake), [1, 2, 3]);
    }));

  test("processes with shares of the partitions take each message once between them", async () => {
    await using log = logOn(broker().bootstrap);
    await using lake = await makeTestLake();
    const topic = `topic-${uniqueId()}`;
    await log.createTopics([{ name: topic, partitions: 5 }]);
    await log.append(
      [0, 1, 2, 3, 4].map((partition) => readings(topic, partition, [partition, partition + 10])),
    );
    const share = async (index: number): Promise<number> => {
      await using own = logOn(broker().bootstrap);
      const shard = { index, count: 2 };
      return (await ingestFrom(own, await lake.reopen(), { topics: [topic], shard })).readings;
    };
    assert.deepEqual(await Promise.all([share(0), share(1)]), [6, 4]);
    assert.deepEqual(await valuesIn(lake), [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]);
  });
});

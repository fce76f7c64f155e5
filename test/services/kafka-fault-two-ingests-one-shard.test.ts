// FAULT: two ingest processes claim the same share of the partitions: one gives way, and nothing is doubled or lost.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { uniqueId } from "../../src/support/chance.ts";
import { kafkaPrograms } from "../support/kafka-programs.ts";
import { ingestFrom, logOn, numbered, ownBroker, valuesIn, withoutKafka } from "../support/kafka.ts";
import { assertEachMessageOnce } from "../support/lake-folder.ts";
import { makeTestLake } from "../support/lake.ts";
import type { Running } from "../support/program.ts";

describe("ingest processes and their shares", { skip: withoutKafka }, () => {
  const broker = ownBroker();
  const { site, reference } = kafkaPrograms(broker);

  /** Fails unless each ended well or gave way, with a clear word. Returns how many gave way. */
  async function gaveWay(some: readonly Running[]): Promise<number> {
    const ended = await Promise.all(some.map(async (running) => running.ended));
    const losers = ended.filter(({ code }) => code !== 0);
    for (const { code, stderr } of losers) {
      assert.equal(code, 1, stderr);
      assert.match(stderr, /^error COMMIT_OVERTAKEN: [^\n]+$/m);
    }
    return losers.length;
  }

  test("of two without a share one gives way at most, and nothing is doubled", async () => {
    const { ingest, fill, assertWhole } = site();
    await fill();
    assert.ok((await gaveWay([ingest(["--once"]), ingest(["--once"])])) <= 1);
    await assertWhole();
  });

  test("of two with the same share and a third with the other, the two left over take each message once", async () => {
    const { lake, ingest, fill, assertWhole } = site();
    await fill();
    const share = (shard: string): Running => ingest(["--once"], { INGEST_SHARD: shard });
    assert.ok((await gaveWay([share("0/2"), share("0/2"), share("1/2")])) <= 1);
    await assertEachMessageOnce(lake, reference().messages);
    await assertWhole();
  });

  test("two with shares of their own take each message once between them", async () => {
    await using log = logOn(broker().bootstrap);
    await using lake = await makeTestLake();
    const topic = `topic-${uniqueId()}`;
    await log.createTopics([{ name: topic, partitions: 5 }]);
    await log.append(
      [0, 1, 2, 3, 4].map((partition) => numbered(topic, partition, [partition, partition + 10])),
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

// What other producers send: tombstones, keys of their own, transactions that end well or not, and every codec of Java's.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Producer } from "@platformatic/kafka";
import fc from "fast-check";
import { kafkaTool } from "../../services/kafka.ts";
import type { KafkaLog } from "../../src/adapters/kafka/event-log.ts";
import { CODECS } from "../../src/adapters/kafka/record-batch.ts";
import { encodedRuns } from "../../src/adapters/kafka/record-writer.ts";
import { openSession } from "../../src/adapters/kafka/transaction.ts";
import { recordsOf } from "../../src/log/records.ts";
import { present } from "../../src/support/assert.ts";
import { uniqueId } from "../../src/support/chance.ts";
import { systemClock } from "../../src/support/clock.ts";
import { outgoing, rejectsWith } from "../contract/event-log-fixture.ts";
import { ingestFrom, logOn, ownBroker, recordsOfTopic, withoutKafka } from "../support/kafka.ts";
import { makeTestLake, message } from "../support/lake.ts";
import { noise } from "../support/log.ts";

describe("records of all kinds on a broker", { skip: withoutKafka }, () => {
  const broker = ownBroker();

  async function withTopic(
    body: (log: KafkaLog, topic: string) => Promise<void>,
    partitions = 1,
  ): Promise<void> {
    await using log = logOn(broker().bootstrap);
    const topic = `topic-${uniqueId()}`;
    await log.createTopics([{ name: topic, partitions }]);
    await body(log, topic);
  }

  test("a tombstone and a message without a key are rejected whole; a wrong key does not matter to a good reading", async () =>
    withTopic(async (log, topic) => {
      const producer = new Producer({ clientId: "other", bootstrapBrokers: [broker().bootstrap] });
      const good = Buffer.from(present(message("413", "co2", 1_377_299_108, 495).value, "value"));
      const send = { topic, partition: 0 };
      await producer.send({
        acks: -1,
        messages: [
          { ...send, key: Buffer.from("413:co2"), value: null as unknown as Buffer },
          { ...send, value: Buffer.from("no reading") },
          { ...send, key: Buffer.from("999:pir"), value: good },
          { ...send, key: Buffer.from("413:co2"), value: good },
        ],
      });
      await producer.close();
      await using lake = await makeTestLake();
      const { readings, rejected } = await ingestFrom(log, lake.lake, { topics: [topic] });
      assert.deepEqual([readings, rejected], [2, 2]);
      assert.deepEqual(
        await lake.rows(
          `select "offset", key, octet_length(value), reason is not null from bronze_rejected order by 1`,
        ),
        [
          [0, "413:co2", 0, true],
          [1, null, 10, true],
        ],
      );
      assert.deepEqual(await lake.rows(`select room, "offset" from bronze_readings order by 2`), [
        ["413", 2],
        ["413", 3],
      ]);
    }));

  test("a message of a million bytes passes; one that is too large is refused by its key, and nothing of its append is there", async () =>
    withTopic(async (log, topic) => {
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

  test("of transactions that overlap, the committed are read whole and in order, the aborted not at all", async () =>
    withTopic(async (log, topic) => {
      const facts = present((await log.cluster.topics([topic])).get(topic), topic);
      const session = async (name: string) =>
        openSession({
          cluster: log.cluster,
          clock: systemClock,
          codec: "zstd",
          transactionalId: `${topic}-${name}`,
        });
      const sessions = [await session("a"), await session("b"), await session("c")];
      const step = fc.record({
        who: fc.nat(2),
        what: fc.constantFrom("send", "send", "send", "commit", "abort"),
      });
      let sent = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
          const start = (await log.ranges([topic]))[0]?.end ?? 0n;
          const open = new Set<number>();
          const written: { readonly value: string; readonly of: number; readonly isCommitted: boolean }[] =
            [];
          const end = async (who: number, how: "commit" | "abort"): Promise<void> => {
            const its = present(sessions[who], "session");
            open.delete(who);
            await its.end(how);
            await its.settled();
            // What was written by then belongs to a transaction that is over.
            for (const [i, record] of written.entries()) {
              if (record.of === who) written[i] = { ...record, of: -1, isCommitted: how === "commit" };
            }
          };
          for (const { who, what } of steps) {
            const its = present(sessions[who], "session");
            if (what !== "send") {
              if (open.has(who)) await end(who, what);
              continue;
            }
            if (!open.has(who)) await its.begin([{ topic: facts, partition: 0 }]);
            open.add(who);
            sent += 1;
            const value = `value ${sent}`;
            const [run] = encodedRuns(recordsOf([{ key: String(who), value }]), 1000);
            await its.produce([{ topic: facts, partition: 0, run: present(run, "run") }]);
            written.push({ value, of: who, isCommitted: false });
          }
          for (const who of open) await end(who, who === 1 ? "commit" : "abort");
          const from = [{ topic, partition: 0, offset: start }];
          const read = await recordsOfTopic(log, topic);
          const own = read.filter(
            ({ at }) => BigInt(at.split("/")[2] ?? 0) >= present(from[0], "start").offset,
          );
          assert.deepEqual(
            own.map(({ value }) => value),
            written.filter(({ isCommitted }) => isCommitted).map(({ value }) => value),
          );
        }),
        { numRuns: 15 },
      );
    }));

  for (const codec of CODECS) {
    test(`what Java's own producer compresses with ${codec} is read`, async () =>
      withTopic(async (log, topic) => {
        const lines = Array.from(
          { length: 3000 },
          (_, i) => `413:co2|${JSON.stringify({ i, text: "x".repeat(i % 90) })}`,
        );
        const settings = ["--reader-property", "parse.key=true", "--reader-property", "key.separator=|"];
        const args = [
          "--bootstrap-server",
          broker().bootstrap,
          "--topic",
          topic,
          "--compression-codec",
          codec,
        ];
        const tool = "org.apache.kafka.tools.ConsoleProducer";
        const { code, stderr } = await kafkaTool([tool, ...args, ...settings], {
          input: `${lines.join("\n")}\n`,
        });
        assert.equal(code, 0, stderr);
        const read = await recordsOfTopic(log, topic);
        assert.deepEqual(
          read.map(({ key, value }) => `${key}|${value}`),
          lines,
        );
      }));
  }
});

// FAULT: another producer aborts its transaction: nothing of it is read, and all that was committed is.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { KafkaLog } from "../../src/adapters/kafka/event-log.ts";
import { isPassing } from "../../src/adapters/kafka/failures.ts";
import { encodedRuns } from "../../src/adapters/kafka/record-writer.ts";
import { openSession } from "../../src/adapters/kafka/transaction.ts";
import { recordsOf } from "../../src/log/records.ts";
import { present } from "../../src/support/assert.ts";
import { ownChance } from "../../src/support/chance.ts";
import { systemClock } from "../../src/support/clock.ts";
import { retrying } from "../../src/support/retry.ts";
import {
  ingestFrom,
  numbered,
  ownBroker,
  recordsOfTopic,
  valuesIn,
  withoutKafka,
  withTopic,
} from "../support/kafka.ts";

describe("a transaction that another producer aborts", { skip: withoutKafka }, () => {
  const broker = ownBroker();

  test("of transactions that overlap, the committed are read whole and in order, the aborted not at all", async () =>
    withTopic(broker().bootstrap, async ({ log, topic }) => {
      const facts = present((await log.cluster.topics([topic])).get(topic), topic);
      const sessions = [
        await sessionOf(log, `${topic}-a`),
        await sessionOf(log, `${topic}-b`),
        await sessionOf(log, `${topic}-c`),
      ];
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

  test("is not in bronze, while what was committed around it is there once", async () =>
    withTopic(broker().bootstrap, async ({ log, lake, topic }) => {
      const facts = present((await log.cluster.topics([topic])).get(topic), topic);
      const other = await sessionOf(log, `${topic}-other`);
      const write = async (values: readonly number[], how: "commit" | "abort"): Promise<void> => {
        await other.begin([{ topic: facts, partition: 0 }]);
        const [run] = encodedRuns(numbered(topic, 0, values).records, 100_000);
        await other.produce([{ topic: facts, partition: 0, run: present(run, "run") }]);
        await other.end(how);
        await other.settled();
      };
      await log.append([numbered(topic, 0, [1, 2])]);
      await write([3, 4, 5], "abort");
      await write([6], "commit");
      const { readings } = await ingestFrom(log, lake.lake, { topics: [topic] });
      assert.equal(readings, 3);
      await write([7, 8], "abort");
      await log.append([numbered(topic, 0, [9])]);
      assert.equal((await ingestFrom(log, lake.lake, { topics: [topic] })).readings, 1);
      assert.deepEqual(await valuesIn(lake), [1, 2, 6, 9]);
    }));
});

async function sessionOf({ cluster }: KafkaLog, transactionalId: string): ReturnType<typeof openSession> {
  // The broker makes the topic of its transactions when the first one comes, and refuses it meanwhile.
  return retrying(async () => openSession({ cluster, clock: systemClock, codec: "zstd", transactionalId }), {
    limits: { attemptsMax: 1000, pauseMsFirst: 100, pauseMsMax: 500, totalMsMax: 120_000 },
    clock: systemClock,
    chance: ownChance(),
    mayPass: isPassing,
  });
}

// FAULT: the broker is killed with -9 while messages are sent to it: each is there once, in order, and so are its notes.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Progress } from "../../src/log/event-log.ts";
import { recordsOf } from "../../src/log/records.ts";
import { uniqueId } from "../../src/support/chance.ts";
import { AtriumError } from "../../src/support/errors.ts";
import { onFaultPoint } from "../../src/support/fault-point.ts";
import { assertSurvives, openImpatient } from "../support/kafka-outage.ts";
import { kafkaPrograms } from "../support/kafka-programs.ts";
import { ownBroker, recordsOfTopic, withoutKafka } from "../support/kafka.ts";
import { commitsOf } from "../support/lake-folder.ts";
import { mustReach } from "../support/moments.ts";

describe("a broker that is killed while it is sent to", { skip: withoutKafka }, () => {
  const broker = ownBroker();
  const { site } = kafkaPrograms(broker);

  test("has every message once and in order when it is back", async () =>
    assertSurvives(broker(), {
      during: "producing",
      trouble: async () => {
        await broker().kill("SIGKILL");
        await broker().restart();
      },
    }));

  for (const point of ["log/append/inside", "log/append/done"] as const) {
    test(`an append that is cut off at ${point} and made again is there once, and so are its notes`, async () => {
      await using log = openImpatient(broker());
      const topic = `topic-${uniqueId()}`;
      await log.createTopics([{ name: topic, partitions: 1 }]);
      let failures = 0;
      onFaultPoint((passed) => {
        if (passed !== point || failures === 3) return;
        failures += 1;
        throw new AtriumError("STORE_FAILED", "The answer was lost.");
      });
      try {
        let previous: Progress = await log.progress(topic);
        for (const value of ["1", "2", "3"]) {
          const notes = new Map([["at", value]]);
          const batches = [{ topic, partition: 0, records: recordsOf([{ key: "k", value }]) }];
          await log.append(batches, { producer: topic, notes, previous });
          previous = notes;
        }
      } finally {
        onFaultPoint(() => undefined);
      }
      assert.equal(failures, 3);
      const read = await recordsOfTopic(log, topic);
      assert.deepEqual(
        read.map(({ value }) => value),
        ["1", "2", "3"],
      );
      assert.deepEqual(await log.progress(topic), new Map([["at", "3"]]));
    });
  }

  test("replay says that it waits, and goes on by itself as ingest does", async () => {
    const { lake, replay, ingest, assertWhole } = site();
    const sending = replay(["--replay-mode", "rate", "--rate-msg-per-sec", "30000"]);
    const taking = ingest([], { LOG_LEVEL: "info" });
    await mustReach(taking, () => commitsOf(lake, "bronze/readings") > 2);
    await broker().kill("SIGKILL");
    await mustReach(sending, () => sending.output().includes("cannot be reached"));
    await broker().restart();
    const { code, stderr } = await sending.ended;
    assert.equal(code, 0, stderr);
    await mustReach(taking, () => taking.output().includes("answers again"));
    taking.child.kill("SIGKILL");
    await taking.ended;
    await assertWhole();
  });
});

// FAULT: replay is killed with -9 again and again: every message is sent once.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { kafkaPrograms } from "../support/kafka-programs.ts";
import { ownBroker, withoutKafka } from "../support/kafka.ts";
import { endAt } from "../support/moments.ts";

describe("replay that is killed in a loop", { skip: withoutKafka }, () => {
  const { site } = kafkaPrograms(ownBroker());

  test("sends every message once", async () => {
    const { replay, assertWhole } = site();
    const pace = ["--replay-mode", "rate", "--rate-msg-per-sec", "30000", "--progress-every", "1"];
    let kills = 0;
    for (let kill = 1; kill <= 6; kill += 1) {
      const sending = replay(pace, { LOG_LEVEL: "debug" });
      // Somewhere in the middle: the moments differ from round to round by the number of lines that were said.
      const ended = await endAt(sending, "SIGKILL", () => sending.output().split("\n").length > kill);
      if (ended !== undefined) kills += 1;
    }
    assert.ok(kills >= 2, `${kills} kills came before the end`);
    await assertWhole();
  });
});

// FAULT: ingest is killed with -9 again and again while messages come in: bronze has every message once.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { kafkaPrograms } from "../support/kafka-programs.ts";
import { ownBroker, withoutKafka } from "../support/kafka.ts";
import { commitsOf } from "../support/lake-folder.ts";
import { endAt } from "../support/moments.ts";

describe("ingest that is killed in a loop", { skip: withoutKafka }, () => {
  const { site } = kafkaPrograms(ownBroker());

  test("takes every message once", async () => {
    const { lake, ingest, fill, assertWhole } = site();
    const filled = fill();
    let kills = 0;
    for (let round = 0; round < 12; round += 1) {
      const wanted = commitsOf(lake, "bronze/readings") + 1 + (round % 3);
      const taking = ingest(["--once"]);
      const ended = await endAt(taking, "SIGKILL", () => commitsOf(lake, "bronze/readings") > wanted);
      if (ended !== undefined) kills += 1;
    }
    await filled;
    assert.ok(kills >= 3, `${kills} kills came before the end`);
    await assertWhole();
  });
});

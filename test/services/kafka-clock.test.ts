// What doctor says of a broker's clock that is not ours.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemClock } from "../../src/support/clock.ts";
import { logOn, ownBroker, withoutKafka } from "../support/kafka.ts";

describe("the clock of a broker", { skip: withoutKafka }, () => {
  const broker = ownBroker();
  const warningsAt = async (aheadMs: number): Promise<readonly string[]> => {
    const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
    await using log = logOn(broker().bootstrap, { clock });
    return (await log.describe([])).warnings;
  };

  test("is not spoken of while it is ours", async () => {
    assert.deepEqual(await warningsAt(0), []);
  });

  test("is named when it is ahead or behind, with how far and what to do", async () => {
    const [behind] = await warningsAt(3_600_000);
    assert.match(
      behind ?? "",
      /controller is 3,[56]\d\d s behind that of this machine: .* Set both by NTP\.$/,
    );
    const [ahead] = await warningsAt(-3_600_000);
    assert.match(ahead ?? "", /controller is 3,[56]\d\d s ahead of that of this machine/);
  });
});

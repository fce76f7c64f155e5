// FAULT: the broker stands still (SIGSTOP) for 30 s while it is sent to and read from, with its connections open.

import { describe, test } from "node:test";
import { systemClock } from "../../src/support/clock.ts";
import { assertSurvives } from "../support/kafka-outage.ts";
import { ownBroker, withoutKafka } from "../support/kafka.ts";

/** Many times longer than a request may take. */
const STOPPED_MS = 30_000;

describe("a broker that stands still for 30 s", { skip: withoutKafka }, () => {
  const broker = ownBroker();

  test("has taken and given every message once and in order when it goes on", async () =>
    assertSurvives(broker(), {
      during: "producing",
      trouble: async () => {
        await broker().kill("SIGSTOP");
        await systemClock.sleep(STOPPED_MS);
        await broker().kill("SIGCONT");
      },
    }));
});

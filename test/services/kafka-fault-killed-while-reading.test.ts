// FAULT: the broker is killed with -9 while bronze is fed from it: reading says that it waits, and goes on where it was.

import { describe, test } from "node:test";
import { assertSurvives } from "../support/kafka-outage.ts";
import { ownBroker, withoutKafka } from "../support/kafka.ts";

describe("a broker that is killed while it is read from", { skip: withoutKafka }, () => {
  const broker = ownBroker();

  test("gives every message once and in order when it is back", async () =>
    assertSurvives(broker(), {
      during: "reading",
      trouble: async () => {
        await broker().kill("SIGKILL");
        await broker().restart();
      },
    }));
});

// FAULT: the store answers 503 and the like, or slowly, or not at all: it is asked again, within bounds.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededChance } from "../../src/support/chance.ts";
import { type Clock, systemClock } from "../../src/support/clock.ts";
import { isAtriumError } from "../../src/support/errors.ts";
import type { Reference } from "../support/lake-folder.ts";
import { bytesOf, faultyStore, first, isPut, QUICK } from "../support/s3-faulty.ts";
import { assertAsReference, makeSmallReference, runOnS3 } from "../support/s3-lake.ts";
import { type Fate, s3Proxy } from "../support/s3-proxy.ts";
import { withoutServices } from "../support/services.ts";

const SLOW_DOWN = { status: 503, code: "SlowDown" };
const skip = await withoutServices("s3");

describe("a store that is overloaded", { skip }, () => {
  const faulty = faultyStore();

  test("a store that asks for patience, or is in a conflict with itself, is asked again", async () => {
    const { proxy, store, fatesOf } = faulty();
    const conflict = { status: 409, code: "ConditionalRequestConflict" };
    proxy.rule(first(isPut, SLOW_DOWN, conflict, { status: 500, code: "InternalError" }));
    assert.equal(await store.putIfAbsent("t/0.json", bytesOf("mine")), true);
    assert.deepEqual(fatesOf(isPut).length, 4);
    proxy.rule(first(({ method }) => method === "GET", SLOW_DOWN, "break", "cut"));
    assert.equal(new TextDecoder().decode(await store.get("t/0.json")), "mine");
    proxy.rule(first(({ method }) => method === "GET", SLOW_DOWN, "break"));
    assert.equal((await store.list("t/")).length, 1);
    proxy.rule(first(({ method }) => method === "POST", SLOW_DOWN, "lose answer"));
    await store.delete(["t/0.json"]);
    assert.equal((await store.list("t/")).length, 0);
  });

  test("a store that stays away is given up after a few attempts, with an error that may pass", async () => {
    const { proxy, store } = faulty();
    proxy.rule(() => SLOW_DOWN);
    await assert.rejects(store.get("t/x"), (error) => {
      assert.ok(isAtriumError(error, "STORE_FAILED") && error.retryable);
      assert.match(error.message, /Cannot read .*t\/x on S3: .*SlowDown.*HTTP 503/);
      return true;
    });
    assert.equal(proxy.seen.length, QUICK.attemptsMax);
  });

  test("an answer that never comes ends the attempt, and what was done meanwhile is found", async () => {
    const { proxy, opened, fatesOf } = faulty();
    const clock: Clock = {
      ...systemClock,
      // Only the time for one attempt passes, and only when an answer is being held.
      sleep: async (ms, signal) => {
        if (ms !== 4242) return systemClock.sleep(ms, signal);
        const aborted = new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()));
        await Promise.race([proxy.nextHeld(), aborted]);
      },
    };
    const store = opened({ clock, limits: { retry: QUICK, smallMsMax: 4242 } });
    proxy.rule(first(isPut, "hold answer"));
    assert.equal(await store.putIfAbsent("t/0.json", bytesOf("mine")), true);
    assert.deepEqual(fatesOf(isPut), ["hold answer", "pass"]);
    proxy.rule(first(({ method }) => method === "GET", "hold answer"));
    assert.equal(new TextDecoder().decode(await store.get("t/0.json")), "mine");
  });

  test("run goes through refusals, breaks, lost answers and distance, and the tables hold each message once", async () => {
    const { fixture } = faulty();
    await using reference = await makeSmallReference().then(disposable);
    await using slow = await s3Proxy(fixture.gateway.endpoint, { delayMs: 25 });
    const chance = seededChance(503);
    const fates: readonly Fate[] = [
      SLOW_DOWN,
      "break",
      "lose answer",
      { status: 500, code: "InternalError" },
    ];
    // One request of ten fails, whatever it is.
    slow.rule(() => (chance.below(10) === 0 ? (fates[chance.below(fates.length)] ?? "pass") : "pass"));
    const onS3 = { fixture, reference, lake: "s3://lake/patient" };
    const env = { S3_ENDPOINT: slow.endpoint, AWS_ENDPOINT_URL_S3: slow.endpoint };
    const ended = await runOnS3(onS3, env);
    assert.deepEqual([ended.code, ended.stderr], [0, ""]);
    const failed = slow.seen.filter(({ fate }) => fate !== "pass").length;
    assert.ok(failed >= 10, `${failed} of ${slow.seen.length} requests failed`);
    await assertAsReference(onS3);
  });
});

function disposable(reference: Reference): Reference & AsyncDisposable {
  return { ...reference, [Symbol.asyncDispose]: async () => reference.folder[Symbol.asyncDispose]() };
}

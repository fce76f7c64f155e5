// Trying again, and letting through: how often, how long, how many.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededChance } from "../../src/support/chance.ts";
import { makeGate } from "../../src/support/gate.ts";
import { type RetryOptions, retrying } from "../../src/support/retry.ts";
import { parseS3Url, s3UrlOf } from "../../src/support/s3-url.ts";
import { handClock } from "./delta.ts";

const LIMITS = { attemptsMax: 5, pauseMsFirst: 100, pauseMsMax: 300, totalMsMax: 10_000 };

describe("retrying", () => {
  const run = async (failures: number, change: Partial<RetryOptions> = {}) => {
    const clock = handClock(0);
    let attempts = 0;
    const work = async (): Promise<number> => {
      attempts += 1;
      if (attempts <= failures) throw new Error(`attempt ${attempts}`);
      return attempts;
    };
    const options = { limits: LIMITS, clock, chance: seededChance(1), mayPass: () => true, ...change };
    const result = await retrying(work, options).catch((error: unknown) => String(error));
    return { result, attempts, waitedMs: clock.nowMs() };
  };

  test("goes on until it succeeds, with pauses within their bounds", async () => {
    const { result, waitedMs } = await run(4);
    assert.equal(result, 5);
    assert.ok(waitedMs > 0 && waitedMs <= 100 + 200 + 300 + 300, `${waitedMs} ms`);
  });

  test("ends with the last error after so many attempts, or when the time is over", async () => {
    assert.deepEqual((await run(9)).result, "Error: attempt 5");
    assert.equal((await run(9, { limits: { ...LIMITS, totalMsMax: 0 } })).attempts, 1);
  });

  test("tells of every attempt but the first", async () => {
    let told = 0;
    const onRetry = (): unknown => (told += 1);
    assert.deepEqual([(await run(0, { onRetry })).attempts, told], [1, 0]);
    assert.deepEqual([(await run(9, { onRetry })).attempts, told], [5, 4]);
  });

  test("does not repeat what cannot pass", async () => {
    assert.equal((await run(9, { mayPass: () => false })).attempts, 1);
  });
});

test("a gate lets through what fits, in order, and what fails makes room", async () => {
  const gate = makeGate(10);
  const seen: string[] = [];
  const ends = new Map<string, () => void>();
  const enter = async (name: string, weight: number): Promise<void> =>
    gate.run(weight, async () => {
      seen.push(name);
      await new Promise<void>((resolve) => ends.set(name, resolve));
      if (name === "b") throw new Error("b fails");
    });
  const all = Promise.allSettled([enter("a", 6), enter("b", 4), enter("c", 99), enter("d", 1)]);
  await new Promise(setImmediate);
  assert.deepEqual(seen, ["a", "b"]);
  ends.get("b")?.();
  await new Promise(setImmediate);
  assert.deepEqual(seen, ["a", "b"]);
  ends.get("a")?.();
  await new Promise(setImmediate);
  assert.deepEqual(seen, ["a", "b", "c"]);
  ends.get("c")?.();
  await new Promise(setImmediate);
  assert.deepEqual(seen, ["a", "b", "c", "d"]);
  ends.get("d")?.();
  await all;
});

test("an address on S3 is a bucket and a prefix, and comes back without a slash at its end", () => {
  assert.deepEqual(parseS3Url("s3://lake"), { bucket: "lake", prefix: "" });
  assert.deepEqual(parseS3Url("s3://lake/"), { bucket: "lake", prefix: "" });
  assert.deepEqual(parseS3Url("s3://lake/a/b/"), { bucket: "lake", prefix: "a/b/" });
  assert.equal(s3UrlOf({ bucket: "lake", prefix: "a/b/" }), "s3://lake/a/b");
  assert.equal(s3UrlOf({ bucket: "lake", prefix: "" }), "s3://lake");
  assert.equal(parseS3Url("/lake"), undefined);
});

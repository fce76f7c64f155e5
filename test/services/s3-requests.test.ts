// How many requests are made, and what is said of those that are refused in part.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isAtriumError } from "../../src/support/errors.ts";
import { bytesOf, faultyStore, first, isPut, QUICK } from "../support/s3-faulty.ts";
import { withoutServices } from "../support/services.ts";

const skip = await withoutServices("s3");

describe("requests to S3", { skip }, () => {
  const faulty = faultyStore();

  test("no more requests are under way than are allowed", async () => {
    const { proxy, opened } = faulty();
    const store = opened({ limits: { retry: QUICK, requestsAtOnceMax: 3 } });
    await Promise.all(Array.from({ length: 30 }, async (_, index) => store.put(`t/${index}`, bytesOf("x"))));
    assert.equal(proxy.seen.length, 30);
    assert.ok(proxy.atOnceMax() <= 3, `${proxy.atOnceMax()} at once`);
  });

  test("objects that cannot be deleted are named", async () => {
    const { proxy, store } = faulty();
    const body =
      "<DeleteResult><Error><Key>faults/t/a</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>";
    proxy.rule(() => ({ status: 200, code: "", body }));
    await assert.rejects(store.delete(["t/a", "t/b"]), (error) => {
      assert.ok(isAtriumError(error, "STORE_DENIED") && !error.retryable);
      assert.match(error.message, /^Cannot delete faults\/t\/a on S3: AccessDenied: no/);
      return true;
    });
  });

  test("whoever counts is told of each request that is sent again", async () => {
    const { proxy, opened, fatesOf } = faulty();
    let retries = 0;
    const counted = opened({ onRetry: () => void (retries += 1) });
    proxy.rule(first(isPut, { status: 503, code: "SlowDown" }, "break"));
    assert.equal(await counted.putIfAbsent("t/0.json", bytesOf("mine")), true);
    assert.deepEqual([fatesOf(isPut).length, retries], [3, 2]);
    await counted.get("t/0.json");
    assert.equal(retries, 2);
    await counted[Symbol.asyncDispose]();
  });

  test("a thousand objects are deleted by one request", async () => {
    const { proxy, store } = faulty();
    await store.delete(Array.from({ length: 2001 }, (_, index) => `t/${index}`));
    assert.equal(proxy.seen.length, 3);
  });
});

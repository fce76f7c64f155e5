// Requests that fail: lost answers, refusals for a while, answers that never come, connections that break.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import type { S3ObjectStore } from "../../src/adapters/s3/object-store.ts";
import { type Clock, systemClock } from "../../src/support/clock.ts";
import { isAtriumError } from "../../src/support/errors.ts";
import { append, codeOf, fileOf, READINGS, tableIn } from "../support/delta.ts";
import { type Fate, type S3Proxy, s3Proxy, type Seen } from "../support/s3-proxy.ts";
import { type S3Fixture, s3Fixture, testStore, type TestStoreOptions } from "../support/s3.ts";
import { withoutServices } from "../support/services.ts";

const skip = await withoutServices("s3");
const QUICK = { attemptsMax: 4, pauseMsFirst: 1, pauseMsMax: 2, totalMsMax: 60_000 };
const SLOW_DOWN = { status: 503, code: "SlowDown" };
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const isPut = ({ method }: Seen): boolean => method === "PUT";

/** The first requests that match meet these fates, the others pass. */
function first(matches: (seen: Seen) => boolean, ...fates: readonly Fate[]): (seen: Seen) => Fate {
  const left = [...fates];
  return (seen) => (matches(seen) ? (left.shift() ?? "pass") : "pass");
}

describe("a store that fails now and then", { skip }, () => {
  let fixture: S3Fixture;
  let proxy: S3Proxy;
  let store: S3ObjectStore;
  let count = 0;

  before(async () => {
    fixture = await s3Fixture();
    proxy = await s3Proxy(fixture.gateway.endpoint);
  });
  beforeEach(() => {
    proxy.rule(() => "pass");
    proxy.seen.length = 0;
    store = opened();
  });
  after(async () => {
    await proxy[Symbol.asyncDispose]();
    await fixture[Symbol.asyncDispose]();
  });

  const opened = (options: TestStoreOptions = {}): S3ObjectStore =>
    testStore(fixture, `s3://lake/faults-${(count += 1)}`, {
      ...options,
      settings: { endpoint: proxy.endpoint, ...options.settings },
      limits: { retry: QUICK, ...options.limits },
    });
  const fatesOf = (matches: (seen: Seen) => boolean): readonly Fate[] =>
    proxy.seen.filter(matches).map(({ fate }) => fate);

  test("a conditional put whose answer was lost has won, once it finds its own bytes", async () => {
    proxy.rule(first(isPut, "lose answer"));
    assert.equal(await store.putIfAbsent("t/0.json", bytesOf("mine")), true);
    assert.deepEqual(fatesOf(isPut), ["lose answer", "pass"]);
    assert.equal(await store.putIfAbsent("t/0.json", bytesOf("mine")), false);
  });

  test("a conditional put whose request was lost loses to the other that came between", async () => {
    const other = testStore(fixture, store.url);
    await other.putIfAbsent("t/0.json", bytesOf("theirs"));
    proxy.rule(first(isPut, "break"));
    assert.equal(await store.putIfAbsent("t/0.json", bytesOf("mine")), false);
    assert.equal(new TextDecoder().decode(await store.get("t/0.json")), "theirs");
  });

  test("a conditional put whose answers are all lost is settled by what is there", async () => {
    proxy.rule(first(isPut, "lose answer", "lose answer", "lose answer", "lose answer"));
    assert.equal(await store.putIfAbsent("t/0.json", bytesOf("mine")), true);
    proxy.rule(first(isPut, "break", "break", "break", "break"));
    assert.equal(await store.putIfAbsent("t/0.json", bytesOf("late")), false);
    assert.equal(await codeOf(store.putIfAbsent("t/1.json", bytesOf("new"))), undefined);
    proxy.rule(first(isPut, "break", "break", "break", "break"));
    assert.equal(await codeOf(store.putIfAbsent("t/2.json", bytesOf("new"))), "STORE_FAILED");
  });

  test("a commit whose answer was lost is in the table once", async () => {
    const table = tableIn(store);
    const base = await table.create(READINGS);
    proxy.rule(first(isPut, "lose answer"));
    const snapshot = await table.commit(append(base, [fileOf("413", "a")], { app: 1n }));
    assert.equal(snapshot.version, 1);
    const seen = await tableIn(store).snapshot();
    assert.deepEqual([seen?.version, [...(seen?.files.keys() ?? [])]], [1, ["room=413/a.parquet"]]);
  });

  test("a store that asks for patience, or is in a conflict with itself, is asked again", async () => {
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

  test("whoever counts is told of each request that is sent again", async () => {
    let retries = 0;
    const counted = opened({ onRetry: () => void (retries += 1) });
    proxy.rule(first(isPut, SLOW_DOWN, "break"));
    assert.equal(await counted.putIfAbsent("t/0.json", bytesOf("mine")), true);
    assert.deepEqual([fatesOf(isPut).length, retries], [3, 2]);
    await counted.get("t/0.json");
    assert.equal(retries, 2);
    await counted[Symbol.asyncDispose]();
  });

  test("a store that stays away is given up after a few attempts, with an error that may pass", async () => {
    proxy.rule(() => SLOW_DOWN);
    await assert.rejects(store.get("t/x"), (error) => {
      assert.ok(isAtriumError(error, "STORE_FAILED") && error.retryable);
      assert.match(error.message, /Cannot read .*t\/x on S3: .*SlowDown.*HTTP 503/);
      return true;
    });
    assert.equal(proxy.seen.length, QUICK.attemptsMax);
  });

  test("an answer that never comes ends the attempt, and what was done meanwhile is found", async () => {
    const clock: Clock = {
      ...systemClock,
      // Only the time for one attempt passes, and only when an answer is being held.
      sleep: async (ms, signal) => {
        if (ms !== 4242) return systemClock.sleep(ms, signal);
        const aborted = new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()));
        await Promise.race([proxy.nextHeld(), aborted]);
      },
    };
    store = opened({ clock, limits: { retry: QUICK, smallMsMax: 4242 } });
    proxy.rule(first(isPut, "hold answer"));
    assert.equal(await store.putIfAbsent("t/0.json", bytesOf("mine")), true);
    assert.deepEqual(fatesOf(isPut), ["hold answer", "pass"]);
    proxy.rule(first(({ method }) => method === "GET", "hold answer"));
    assert.equal(new TextDecoder().decode(await store.get("t/0.json")), "mine");
  });

  test("no more requests are under way than are allowed", async () => {
    store = opened({ limits: { retry: QUICK, requestsAtOnceMax: 3 } });
    await Promise.all(Array.from({ length: 30 }, async (_, index) => store.put(`t/${index}`, bytesOf("x"))));
    assert.equal(proxy.seen.length, 30);
    assert.ok(proxy.atOnceMax() <= 3, `${proxy.atOnceMax()} at once`);
  });

  test("objects that cannot be deleted are named", async () => {
    const body =
      "<DeleteResult><Error><Key>faults/t/a</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>";
    proxy.rule(() => ({ status: 200, code: "", body }));
    await assert.rejects(store.delete(["t/a", "t/b"]), (error) => {
      assert.ok(isAtriumError(error, "STORE_DENIED") && !error.retryable);
      assert.match(error.message, /^Cannot delete faults\/t\/a on S3: AccessDenied: no/);
      return true;
    });
  });

  test("a thousand objects are deleted by one request", async () => {
    await store.delete(Array.from({ length: 2001 }, (_, index) => `t/${index}`));
    assert.equal(proxy.seen.length, 3);
  });
});

// The gate before the engine: a few queries at once, the others in line, none for longer than its time.

import assert from "node:assert/strict";
import { test } from "node:test";
import { queryGate } from "../../src/api/query-gate.ts";
import { stillClock } from "../support/log.ts";

const TIMES = { atOnceMax: 2, waitingMax: 2, timeoutMs: 1000 };

/** A query that ends when it is told to. */
function heldQuery() {
  const held = Promise.withResolvers<string>();
  const leftMs: number[] = [];
  const run = async (timeoutMs: number): Promise<string> => {
    leftMs.push(timeoutMs);
    return held.promise;
  };
  return { run, leftMs, end: () => held.resolve("done"), fail: () => held.reject(new Error("broken")) };
}

const settle = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("so many run at once; the next takes the place of one that ends, with the time it has left", async () => {
  const clock = stillClock();
  const gate = queryGate({ ...TIMES, clock });
  const [first, second, third] = [heldQuery(), heldQuery(), heldQuery()];
  const results = [gate(first.run), gate(second.run), gate(third.run)];
  await settle();
  assert.deepEqual([first.leftMs, second.leftMs, third.leftMs], [[1000], [1000], []]);
  clock.advance(400);
  first.end();
  await settle();
  assert.deepEqual(third.leftMs, [600]);
  second.end();
  third.end();
  assert.deepEqual(await Promise.all(results), ["done", "done", "done"]);
  assert.equal(clock.sleeping(), 0);
});

test("a query that fails gives its place back", async () => {
  const gate = queryGate({ ...TIMES, atOnceMax: 1, clock: stillClock() });
  const bad = heldQuery();
  const failing = assert.rejects(gate(bad.run), /broken/);
  bad.fail();
  await failing;
  assert.equal(await gate(async () => "next"), "next");
});

test("one that waits as long as its time is refused, and leaves the line", async () => {
  const clock = stillClock();
  const gate = queryGate({ ...TIMES, atOnceMax: 1, clock });
  const held = heldQuery();
  const running = gate(held.run);
  const waiting = assert.rejects(
    gate(async () => "never"),
    { code: "QUERY_TIMEOUT", message: /1 queries were running, and its time was over/ },
  );
  await settle();
  clock.advance(1000);
  await waiting;
  held.end();
  await running;
  assert.equal(await gate(async () => "free again"), "free again");
});

test("a client that goes away leaves the line at once, without a query", async () => {
  const gate = queryGate({ ...TIMES, atOnceMax: 1, clock: stillClock() });
  const held = heldQuery();
  const running = gate(held.run);
  const gone = new AbortController();
  const waiting = assert.rejects(
    gate(async () => assert.fail("asked for nobody"), gone.signal),
    { code: "QUERY_TIMEOUT" },
  );
  await settle();
  gone.abort();
  await waiting;
  held.end();
  await running;
});

test("a full line refuses at once", async () => {
  const gate = queryGate({ ...TIMES, atOnceMax: 1, waitingMax: 1, clock: stillClock() });
  const [running, waiting] = [heldQuery(), heldQuery()];
  const both = [gate(running.run), gate(waiting.run)];
  await assert.rejects(
    gate(async () => "no"),
    { code: "QUERY_TIMEOUT", message: /the line was full/ },
  );
  running.end();
  waiting.end();
  await Promise.all(both);
});

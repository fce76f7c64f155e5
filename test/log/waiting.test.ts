// Tests of waiting for records.

import assert from "node:assert/strict";
import { test } from "node:test";
import { makeWaiting } from "../../src/log/waiting.ts";
import { settle, stillClock } from "../support/log.ts";

test("looks again after pauses that double up to the longest, and at the very end", async () => {
  const clock = stillClock();
  const looks: number[] = [];
  const look = (): number[] => {
    looks.push(clock.monotonicMs());
    return [];
  };
  let isOver = false;
  const waiting = makeWaiting(clock, { first: 5, max: 20 }).untilSome(look, 72, undefined);
  void waiting.then(() => (isOver = true));
  for (let ms = 0; ms < 72; ms += 1) {
    await settle();
    assert.equal(isOver, false);
    clock.advance(1);
  }
  assert.deepEqual(await waiting, []);
  assert.deepEqual(looks, [0, 5, 15, 35, 55, 72]);
});

test("a wake lets every sleeper look at once, and nobody stays behind", async () => {
  const clock = stillClock();
  const room = makeWaiting(clock, { first: 5, max: 20 });
  let found: readonly string[] = [];
  const both = [
    room.untilSome(() => found, 1000),
    room.untilSome(() => found, 1000, new AbortController().signal),
  ];
  await settle();
  assert.equal(clock.sleeping(), 2);
  found = ["a"];
  room.wake();
  assert.deepEqual(await Promise.all(both), [["a"], ["a"]]);
  assert.equal(clock.sleeping(), 0);
});

test("a failing look fails the wait", async () => {
  const fails = (): never => {
    throw new Error("no");
  };
  await assert.rejects(makeWaiting(stillClock(), { first: 5, max: 20 }).untilSome(fails, 1000), /no/);
});

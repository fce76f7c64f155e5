// Cron expressions: five fields or six, in UTC whatever the machine's zone, and nothing else.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCron } from "../../src/support/cron.ts";

const at = (time: string): number => Date.parse(time);

test("the next time is after the one given, in UTC", () => {
  for (const [expression, after, next] of [
    ["* * * * *", "2026-03-29T01:59:30.500Z", "2026-03-29T02:00:00Z"],
    ["* * * * *", "2026-03-29T02:00:00Z", "2026-03-29T02:01:00Z"],
    ["*/2 * * * * *", "2026-03-29T02:00:00Z", "2026-03-29T02:00:02Z"],
    ["30 3 * * *", "2026-02-28T03:30:00Z", "2026-03-01T03:30:00Z"],
    // The hour that summer time leaves out in Europe is there in UTC.
    ["30 2 29 3 *", "2026-03-01T00:00:00Z", "2026-03-29T02:30:00Z"],
    ["0 0 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"],
  ] as const) {
    assert.equal(parseCron(expression)?.nextMs(at(after)), at(next), `${expression} after ${after}`);
  }
});

test("what is no expression, or is never due, is refused", () => {
  for (const text of [
    "",
    "* * * *",
    "60 * * * *",
    "@daily",
    "2026-03-29T02:00:00Z",
    "a b c d e",
    "* * * * * * *",
  ]) {
    assert.equal(parseCron(text), undefined, text);
  }
  assert.equal(parseCron("0 0 30 2 *")?.nextMs(at("2026-01-01T00:00:00Z")), undefined);
});

// What many measurements say together.

import assert from "node:assert/strict";
import { test } from "node:test";
import { median, numbersIn, quantile } from "../../bench/figures.ts";

test("a quantile is the smallest value that its share of the values does not exceed", () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index);
  assert.equal(quantile(values, 0.5), 100);
  assert.equal(quantile(values, 0.99), 198);
  assert.equal(quantile(values, 1), 200);
  assert.equal(quantile([3, 1, 2], 0.5), 2);
  assert.equal(quantile([7], 0.99), 7);
  assert.ok(Number.isNaN(quantile([], 0.5)));
});

test("a median is the middle value, or the mean of the middle two", () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([9, 1, 5, 3]), 4);
  assert.equal(median([10, 9]), 9.5);
  assert.ok(Number.isNaN(median([])));
});

test("numbers are read out of a summary, and a missing one is named", () => {
  assert.deepEqual(numbersIn('{"readings": 5, "seconds": 0.5, "files": []}', ["readings", "seconds"]), {
    readings: 5,
    seconds: 0.5,
  });
  assert.throws(() => numbersIn('{"readings": "5"}', ["readings"]), /no number readings/);
  assert.throws(() => numbersIn("[5]", ["readings"]), /no number readings/);
  assert.throws(() => numbersIn("", ["readings"]), SyntaxError);
});

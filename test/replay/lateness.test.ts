// The histogram of lateness.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addLateness, latenessOf, newLatenessHistogram } from "../../src/replay/lateness.ts";

test("without messages everything is 0", () => {
  assert.deepEqual(latenessOf(newLatenessHistogram()), { p50: 0, p99: 0, max: 0 });
});

test("quantiles are right to 2 % and 0.05 ms, the largest is exact", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -5, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 300 }),
      (sizes) => {
        const histogram = newLatenessHistogram();
        for (const size of sizes) addLateness(histogram, size);
        const sorted = sizes.map((size) => Math.max(0, size)).toSorted((a, b) => a - b);
        const { p50, p99, max } = latenessOf(histogram);
        assert.equal(max, sorted.at(-1));
        for (const [share, found] of [
          [0.5, p50],
          [0.99, p99],
        ] as const) {
          const exact = sorted[Math.ceil(sorted.length * share) - 1]!;
          assert.ok(
            found >= exact * 0.999 - 1e-9 && found <= exact * 1.0201 + 0.05,
            `${share}: ${found} for ${exact}`,
          );
        }
      },
    ),
  );
});

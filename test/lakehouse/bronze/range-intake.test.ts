// How the log's new messages are cut into batches for an engine that reads it itself.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cut } from "../../../src/lakehouse/bronze/range-intake.ts";

const ranges = fc.array(fc.record({ start: fc.bigInt(0n, 1000n), count: fc.bigInt(1n, 100_000n) }), {
  minLength: 1,
  maxLength: 20,
});

test("a batch is the beginning of every range, of about the wanted size, and never empty", () => {
  fc.assert(
    fc.property(ranges, fc.integer({ min: 1, max: 200_000 }), (wanted, rowsMax) => {
      const open = wanted.map(({ start, count }, partition) => ({
        topic: "t",
        partition,
        start,
        end: start + count,
      }));
      const batch = cut(open, rowsMax);
      const rows = batch.reduce((sum, { start, end }) => sum + Number(end - start), 0);
      for (const [index, range] of batch.entries()) {
        assert.equal(range.start, open[index]?.start);
        assert.ok(range.end > range.start && range.end <= (open[index]?.end ?? 0n));
      }
      assert.ok(rows <= rowsMax + open.length);
    }),
  );
});

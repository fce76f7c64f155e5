// Tests of merging partitions back into the order of appending.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { inOrder } from "../../src/log/in-order.ts";

test("sources in order are merged into one order, with nothing lost", () => {
  const property = fc.property(fc.array(fc.nat(4), { maxLength: 60 }), (owners) => {
    const sources = [0, 1, 2, 3, 4].map((owner) =>
      owners.flatMap((o, seq) => (o === owner ? [{ seq }] : [])),
    );
    const merged = [...inOrder(sources.map((source) => source.values()))].map(({ seq }) => seq);
    assert.deepEqual(
      merged,
      owners.map((_, seq) => seq),
    );
  });
  fc.assert(property);
});

test("a source gives no more than is asked for", () => {
  let given = 0;
  function* endless(): Generator<{ seq: number }> {
    for (;;) {
      given += 1;
      yield { seq: given };
    }
  }
  assert.deepEqual(inOrder([endless()]).next().value, { seq: 1 });
  assert.equal(given, 1);
});

// Tests of making and taking apart Records.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { RecordBatch, Records } from "../../src/log/event-log.ts";
import {
  byteSize,
  checkRecords,
  keyAt,
  offsetAt,
  positionAfter,
  recordsOf,
  valueAt,
  valuesOf,
} from "../../src/log/records.ts";

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");

test("values stand behind each other, each with an LF, and keys once each", () => {
  const items = [
    ["413:co2", "a"],
    ["413:pir", ""],
    ["413:co2", "bc"],
  ].map(([key = "", value = ""]) => ({ key, value }));
  const records = recordsOf(items);
  assert.equal(textOf(records.values), "a\n\nbc\n");
  assert.deepEqual(records.keys, ["413:co2", "413:pir"]);
  assert.deepEqual([...records.keyIndexes], [0, 1, 0]);
  assert.equal("valueEnds" in records, false);
});

test("value ends are there only if a value holds an LF", () => {
  const records = recordsOf([
    { key: "k", value: "a\nb" },
    { key: "k", value: "c" },
  ]);
  assert.deepEqual([...(records.valueEnds ?? [])], [3, 5]);
  assert.deepEqual([...valuesOf(records)].map(textOf), ["a\nb", "c"]);
});

test("whatever is framed comes back, one by one and all in a row", () => {
  const items = fc.array(fc.record({ key: fc.string(), value: fc.uint8Array({ maxLength: 20 }) }), {
    minLength: 1,
    maxLength: 50,
  });
  const property = fc.property(items, (given) => {
    const records = recordsOf(given);
    assert.deepEqual(
      [...valuesOf(records)].map((value) => [...value]),
      given.map(({ value }) => [...value]),
    );
    for (const [i, { key, value }] of given.entries()) {
      assert.equal(keyAt(records, i), key);
      assert.deepEqual([...valueAt(records, i)], [...value]);
    }
  });
  fc.assert(property);
});

test("a record that is not there is a broken invariant", () => {
  const records = recordsOf([{ key: "k", value: "a" }]);
  assert.throws(() => valueAt(records, 1), { code: "INTERNAL" });
  assert.throws(() => keyAt(records, 1), { code: "INTERNAL" });
});

test("records whose parts do not fit together are refused", () => {
  const good = recordsOf([
    { key: "k", value: "a\nb" },
    { key: "k", value: "c" },
  ]);
  const bad: readonly Partial<Records>[] = [
    { count: 0 },
    { count: 3 },
    { count: 65_536 },
    { values: good.values.subarray(0, 5) },
    { keys: [] },
    { keyIndexes: new Uint16Array(3) },
    { valueEnds: Uint32Array.of(5) },
    { valueEnds: Uint32Array.of(2, 5) },
    { valueEnds: Uint32Array.of(5, 5) },
    { valueEnds: Uint32Array.of(1, 3) },
  ];
  checkRecords(good);
  for (const part of bad) {
    assert.throws(() => checkRecords({ ...good, ...part }), { code: "INTERNAL" }, JSON.stringify(part));
  }
  assert.throws(() => recordsOf([]), { code: "INTERNAL" });
});

test("offsets count from the base, or by the deltas where there are gaps", () => {
  const records = recordsOf(["a", "b"].map((value) => ({ key: "k", value })));
  const batch: RecordBatch = { topic: "t", partition: 1, records, baseOffset: 10n, logTimeMs: 0 };
  assert.equal(offsetAt(batch, 1), 11n);
  assert.deepEqual(positionAfter(batch), { topic: "t", partition: 1, offset: 12n });
  const gappy = { ...batch, offsetDeltas: Uint32Array.of(0, 7) };
  assert.equal(offsetAt(gappy, 1), 17n);
  assert.deepEqual(positionAfter(gappy), { topic: "t", partition: 1, offset: 18n });
});

test("the size counts values, keys and indexes", () => {
  assert.equal(byteSize(recordsOf([{ key: "key", value: "ab" }])), 3 + 3 + 2);
});

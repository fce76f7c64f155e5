// Tests of the stored form of records.

import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import * as fc from "fast-check";
import { decodeRecords, encodeRecords } from "../../src/log/batch-codec.ts";
import { recordsOf, type KeyedValue } from "../../src/log/records.ts";
import { noise } from "../support/log.ts";

const WHERE = "The log's batch of iot.co2/0 at offset 7";
const LARGE = Array.from({ length: 1000 }, (_, i) => ({
  key: `413:${i % 3}`,
  value: `{"room":"413","sensor":"co2","ts":${i}}`,
}));

function roundTrips(items: readonly KeyedValue[]): void {
  const records = recordsOf(items);
  assert.deepEqual(decodeRecords(encodeRecords(records), WHERE), {
    ...records,
    values: new Uint8Array(records.values),
  });
}

test("any records come back as they were", () => {
  const item = fc.record({ key: fc.string({ unit: "grapheme" }), value: fc.uint8Array({ maxLength: 40 }) });
  fc.assert(fc.property(fc.array(item, { minLength: 1, maxLength: 60 }), roundTrips));
});

test("one empty value, large batches and values that do not compress come back as they were", () => {
  roundTrips([{ key: "", value: "" }]);
  roundTrips(LARGE);
  roundTrips([
    { key: "k", value: noise(300_000) },
    { key: "é°", value: "" },
  ]);
});

test("messages are stored in a fraction of their size", () => {
  const records = recordsOf(LARGE);
  assert.ok(encodeRecords(records).byteLength * 5 < records.values.byteLength);
});

test("a change of any one byte is LOG_CORRUPT and names the batch", () => {
  const small = encodeRecords(recordsOf([{ key: "k", value: "a\nb" }]));
  const large = encodeRecords(recordsOf(LARGE));
  const flips = fc.tuple(fc.constantFrom(small, large), fc.nat(), fc.integer({ min: 1, max: 255 }));
  const property = fc.property(flips, ([payload, place, change]) => {
    const damaged = payload.slice();
    const at = place % damaged.byteLength;
    damaged[at] = (damaged[at] ?? 0) ^ change;
    assert.throws(() => decodeRecords(damaged, WHERE), {
      code: "LOG_CORRUPT",
      message: /iot\.co2\/0 at offset 7/,
    });
  });
  fc.assert(property);
});

test("a payload that is cut short is LOG_CORRUPT", () => {
  const payload = encodeRecords(recordsOf(LARGE));
  for (const bytes of [0, 3, 24, 100, payload.byteLength - 1]) {
    assert.throws(
      () => decodeRecords(payload.subarray(0, bytes), WHERE),
      { code: "LOG_CORRUPT" },
      `${bytes} bytes`,
    );
  }
});

test("sizes that do not fit are LOG_CORRUPT, even with a right checksum", () => {
  for (const [at, value] of [
    [12, 60_000],
    [16, 10],
    [20, 1_000_000],
  ] as const) {
    const payload = Buffer.from(encodeRecords(recordsOf(LARGE)));
    payload.writeUInt32LE(value, at);
    payload.writeUInt32LE(crc32(payload.subarray(8)), 4);
    assert.throws(() => decodeRecords(payload, WHERE), { code: "LOG_CORRUPT" }, `${value} at ${at}`);
  }
});

test("a payload of a newer format is LAKE_NEWER", () => {
  const payload = Buffer.from(encodeRecords(recordsOf(LARGE)));
  payload.writeUInt8(2, 8);
  payload.writeUInt32LE(crc32(payload.subarray(8)), 4);
  assert.throws(() => decodeRecords(payload, WHERE), { code: "LAKE_NEWER", message: /format 2/ });
});

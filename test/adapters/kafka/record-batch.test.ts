// Kafka's record batches as bytes: what is written is read back, and what is damaged is said.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  CODECS,
  type Codec,
  storedBatches,
  transactionalBatch,
} from "../../../src/adapters/kafka/record-batch.ts";
import { readablePieces } from "../../../src/adapters/kafka/record-reader.ts";
import { encodedRuns } from "../../../src/adapters/kafka/record-writer.ts";
import type { RecordBatch, Records } from "../../../src/log/event-log.ts";
import {
  checkRecords,
  keyAt,
  offsetAt,
  positionAfter,
  recordsOf,
  valuesOf,
} from "../../../src/log/records.ts";
import { isAtriumError } from "../../../src/support/errors.ts";

const PLACE = { topic: "t", partition: 3 };
const HEADER = { timeMs: 1_700_000_000_123, producerId: 7n, producerEpoch: 2, firstSequence: 0 };

/** Records as they lie in a partition from `baseOffset` on, in batches of at most so many bytes. */
function stored(records: Records, codec: Codec, bytesMax = 1_000_000, baseOffset = 0n): Buffer {
  const batches: Buffer[] = [];
  let offset = baseOffset;
  for (const run of encodedRuns(records, bytesMax)) {
    const batch = transactionalBatch({ ...HEADER, codec, recordCount: run.count }, run.bytes);
    // The offset is the broker's to fill in; the checksum leaves it out.
    batch.writeBigInt64BE(offset, 0);
    offset += BigInt(run.count);
    batches.push(batch);
  }
  return Buffer.concat(batches);
}

function readBack(bytes: Buffer): readonly RecordBatch[] {
  return [...storedBatches(bytes, "t/3")].flatMap((batch) => readablePieces(batch, PLACE));
}

function itemsIn(batches: readonly RecordBatch[]): readonly unknown[] {
  return batches.flatMap((batch) =>
    [...valuesOf(batch.records)].map((value, i) => ({
      offset: offsetAt(batch, i),
      key: keyAt(batch.records, i),
      value: Buffer.from(value).toString("hex"),
    })),
  );
}

const item = fc.record({
  key: fc.oneof(fc.constantFrom("413:co2", "413:pir", ""), fc.string({ maxLength: 300 })),
  value: fc.uint8Array({ maxLength: 400 }),
});

describe("record batches of Kafka", () => {
  test("come back as they were written, with every codec and batch size", () => {
    fc.assert(
      fc.property(
        fc.array(item, { minLength: 1, maxLength: 60 }),
        fc.constantFrom(...CODECS),
        fc.integer({ min: 1, max: 5000 }),
        (items, codec, bytesMax) => {
          const batches = readBack(stored(recordsOf(items), codec, bytesMax, 40n));
          for (const { records } of batches) checkRecords(records);
          const expected = items.map(({ key, value }, i) => ({
            offset: 40n + BigInt(i),
            key,
            value: Buffer.from(value).toString("hex"),
          }));
          assert.deepEqual(itemsIn(batches), expected);
          assert.ok(batches.every(({ logTimeMs }) => logTimeMs === HEADER.timeMs));
        },
      ),
      { numRuns: 200 },
    );
  });

  test("stay below the size asked for, unless one record alone is larger", () => {
    const small = Array.from({ length: 500 }, (_, i) => ({ key: "k", value: `value ${i}` }));
    const runs = [...encodedRuns(recordsOf([...small, { key: "big", value: "x".repeat(3000) }]), 1000)].map(
      ({ bytes, count, firstKey }) => ({ size: bytes.length, count, firstKey }),
    );
    assert.equal(
      runs.reduce((sum, { count }) => sum + count, 0),
      501,
    );
    assert.ok(runs.slice(0, -1).every(({ size }) => size <= 1000));
    assert.deepEqual({ ...runs.at(-1), size: 0 }, { size: 0, count: 1, firstKey: "big" });
  });

  test("of more than 65,535 records are read in pieces, and only the last says where reading goes on", () => {
    const items = Array.from({ length: 40_000 }, (_, i) => ({ key: "k", value: String(i) }));
    const [half] = encodedRuns(recordsOf(items), 100_000_000);
    assert.ok(half);
    const bytes = Buffer.concat([half.bytes, half.bytes]);
    const batch = transactionalBatch({ ...HEADER, codec: "lz4", recordCount: 80_000 }, bytes);
    const pieces = readBack(batch);
    assert.deepEqual(
      pieces.map(({ records, endOffset }) => [records.count, endOffset]),
      [
        [65_535, undefined],
        [14_465, 80_000n],
      ],
    );
  });

  test("cut short at the end of an answer are left for the next one", () => {
    const bytes = stored(recordsOf([{ key: "a", value: "1" }]), "none");
    const two = Buffer.concat([bytes, stored(recordsOf([{ key: "b", value: "2" }]), "zstd", 100, 1n)]);
    for (let length = bytes.length; length < two.length; length += 1) {
      const last = readBack(two.subarray(0, length)).at(-1);
      assert.ok(last);
      assert.equal(positionAfter(last).offset, 1n);
    }
  });

  test("damaged in any byte that the checksum covers are LOG_CORRUPT", () => {
    const bytes = stored(recordsOf([{ key: "413:co2", value: "some value" }]), "lz4");
    for (let at = 21; at < bytes.length; at += 1) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      assert.throws(
        () => readBack(damaged),
        (error) => isAtriumError(error, "LOG_CORRUPT"),
        `byte ${at}`,
      );
    }
  });

  test("of an old format are refused by name", () => {
    const bytes = stored(recordsOf([{ key: "a", value: "1" }]), "none");
    bytes[16] = 1;
    assert.throws(
      () => readBack(bytes),
      (error) => isAtriumError(error, "LOG_REFUSED"),
    );
  });
});

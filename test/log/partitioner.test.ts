// Tests of the partitioner against Kafka's own values.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { murmur2, partitionOf } from "../../src/log/partitioner.ts";

// Apache Kafka, clients, UtilsTest.testMurmur2; the last three: librdkafka, rdmurmur2.c, and akka, Murmur2Spec.
const HASHES: readonly (readonly [string, number])[] = [
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["a-little-bit-longer-string", -1486304829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
  ["abc", 479470107],
  ["kafka", 0xd067cf64 | 0],
  ["1", -1993445489],
  ["1234", -1614185708],
];

test("the hash is the one that Kafka's Java client computes", () => {
  for (const [key, hash] of HASHES) assert.equal(murmur2(Buffer.from(key)), hash, key);
});

test("the hash does not depend on where in a buffer the key stands", () => {
  const bytes = Buffer.from("--foobar--");
  assert.equal(murmur2(bytes.subarray(2, 8)), -790332482);
});

test("the partition is the hash without its sign, modulo the partitions", () => {
  assert.equal(partitionOf("foobar", 7), (-790332482 & 0x7fffffff) % 7);
  assert.equal(partitionOf("foobar", 1), 0);
});

test("any key has a partition in range", () => {
  const cases = fc.property(fc.string(), fc.integer({ min: 1, max: 1024 }), (key, partitions) => {
    const partition = partitionOf(key, partitions);
    return Number.isInteger(partition) && partition >= 0 && partition < partitions;
  });
  fc.assert(cases);
});

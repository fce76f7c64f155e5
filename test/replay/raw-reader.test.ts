// Reading raw files, packed or not, whole or damaged.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { openRawReader } from "../../src/replay/raw-reader.ts";
import type { RawFile } from "../../src/replay/select-files.ts";
import { memorySource } from "../support/replay.ts";

const read = async (
  content: Uint8Array,
  { compressed = true, fromBytes = 0, chunkBytes = 4096, pauseTurns = 0 } = {},
): Promise<{ readonly bytes: Buffer; readonly error: unknown; readonly sourceBytes: number }> => {
  const path = compressed ? "1/co2.csv.gz" : "1/co2.csv";
  const file: RawFile = { path, sizeBytes: content.length, room: "1", sensorType: "co2", compressed };
  await using reader = openRawReader(memorySource({ [path]: content }, 1000), file, {
    fromBytes,
    chunkBytes,
  });
  const chunks: Uint8Array[] = [];
  try {
    for (let chunk = await reader.read(); chunk !== undefined; chunk = await reader.read()) {
      chunks.push(chunk);
      // Slowly, so that what is inflated ahead piles up as far as it may.
      for (let turn = 0; turn < pauseTurns; turn += 1) await eventLoopTurn();
    }
    return { bytes: Buffer.concat(chunks), error: undefined, sourceBytes: reader.sourceBytes };
  } catch (error) {
    return { bytes: Buffer.concat(chunks), error, sourceBytes: reader.sourceBytes };
  }
};

const text = Buffer.from(
  Array.from({ length: 3000 }, (_, i) => `${1377299108 + i * 5}, ${(i * 7919) % 997}.00\n`).join(""),
);

test("packed and plain files give the same bytes, from any place on, in chunks of any size", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(text.length + 10),
      fc.integer({ min: 64, max: 9000 }),
      async (fromBytes, chunkBytes) => {
        for (const compressed of [false, true]) {
          const { bytes, error, sourceBytes } = await read(compressed ? gzipSync(text) : text, {
            compressed,
            fromBytes,
            chunkBytes,
          });
          assert.equal(error, undefined);
          assert.ok(bytes.equals(text.subarray(fromBytes)));
          assert.equal(sourceBytes, compressed ? gzipSync(text).length : text.length);
        }
      },
    ),
    { numRuns: 25 },
  );
});

test("a gzip file of several members is one file", async () => {
  const { bytes, error } = await read(
    Buffer.concat([gzipSync(text.subarray(0, 999)), gzipSync(text.subarray(999))]),
  );
  assert.equal(error, undefined);
  assert.ok(bytes.equals(text));
});

test("of a file that is cut short all that can be inflated is read, then the error is thrown", async () => {
  const packed = gzipSync(text);
  for (const size of [packed.length - 1, packed.length - 8, packed.length - 500, 5000, 30]) {
    const { bytes, error } = await read(packed.subarray(0, size), { chunkBytes: 65_536 });
    assert.ok(
      error instanceof Error && "code" in error && error.code === "SOURCE_UNREADABLE",
      `size ${size}`,
    );
    assert.match(error.message, /1\/co2\.csv\.gz is no valid gzip file: unexpected end of file/);
    assert.ok(bytes.equals(text.subarray(0, bytes.length)));
    // Deflate codes a block of these rows to about a quarter; its tables come first.
    assert.ok(bytes.length >= size * 2 - 1000, `${bytes.length} bytes of ${size}`);
    if (size >= packed.length - 8) assert.ok(bytes.equals(text));
    const fromBytes = Math.max(0, bytes.length - 10);
    const resumed = await read(packed.subarray(0, size), { chunkBytes: 65_536, fromBytes });
    assert.ok(resumed.error instanceof Error);
    assert.ok(resumed.bytes.equals(bytes.subarray(fromBytes)));
  }
});

test("of a file with damage inside what comes before it is read, but for a few hundred bytes", async () => {
  const packed = Buffer.concat([
    gzipSync(text),
    Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff, 0xff]),
  ]);
  const { bytes, error } = await read(packed, { chunkBytes: 262_144, pauseTurns: 20 });
  assert.ok(error instanceof Error && "code" in error && error.code === "SOURCE_UNREADABLE");
  assert.ok(bytes.equals(text.subarray(0, bytes.length)));
  assert.ok(bytes.length > text.length - 1100, `${bytes.length} of ${text.length}`);
});

test("an error of the source comes through as it is", async () => {
  const failing = {
    name: "failing",
    list: async () => [],
    // oxlint-disable-next-line require-yield
    async *open(): AsyncGenerator<Uint8Array> {
      throw new Error("no such disk");
    },
  };
  for (const compressed of [false, true]) {
    const file: RawFile = { path: "1/co2.csv.gz", sizeBytes: 1, room: "1", sensorType: "co2", compressed };
    await using reader = openRawReader(failing, file, { fromBytes: 0, chunkBytes: 100 });
    await assert.rejects(reader.read(), /no such disk/);
  }
});

test("a reader may be closed in the middle", async () => {
  const file: RawFile = {
    path: "1/co2.csv.gz",
    sizeBytes: 1,
    room: "1",
    sensorType: "co2",
    compressed: true,
  };
  const reader = openRawReader(memorySource({ "1/co2.csv.gz": gzipSync(text) }, 100), file, {
    fromBytes: 0,
    chunkBytes: 100,
  });
  assert.equal((await reader.read())?.length, 100);
  await reader[Symbol.asyncDispose]();
  assert.equal(await reader.read(), undefined);
});

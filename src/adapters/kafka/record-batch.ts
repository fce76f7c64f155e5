// Kafka's record batch (magic 2) as bytes: its header, its checksum, its compression. All numbers are big-endian.
//
//    0  base offset (i64)       17  CRC-32C of all behind     43  producer id (i64)
//    8  bytes behind (i32)      21  attributes (i16)          51  producer epoch (i16)
//   12  leader epoch (i32)      23  last offset delta (i32)   53  first sequence (i32)
//   16  magic (i8)              27  first, max time (i64)     57  number of records (i32)
//                                                             61  the records, compressed as the attributes say

import { compressionsAlgorithms, crc32c } from "@platformatic/kafka";
import { AtriumError } from "../../support/errors.ts";

/** How records are compressed; the place in this list is the number in the attributes. */
export const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

/** A codec of Kafka. */
export type Codec = (typeof CODECS)[number];

/** Bytes in front of the records. */
export const HEADER_BYTES = 61;
/** Bytes in front of those that `bytes behind` counts. */
const FRAME_BYTES = 12;
const CRC_START = 21;
const MAGIC = 2;

const CODEC_BITS = 7;
const LOG_APPEND_TIME = 8;
const TRANSACTIONAL = 16;
const CONTROL = 32;

/** A batch as it is stored, its records still compressed. */
export interface StoredBatch {
  readonly bytes: Buffer;
  readonly baseOffset: bigint;
  /** Behind the last offset of the batch, whether or not a record of it is left. */
  readonly endOffset: bigint;
  readonly recordCount: number;
  readonly producerId: bigint;
  readonly isTransactional: boolean;
  /** A mark at the end of a transaction: no record for readers. */
  readonly isControl: boolean;
}

/** The whole batches in an answer of a broker; it may cut the last one short. @throws LOG_CORRUPT, LOG_REFUSED */
export function* storedBatches(bytes: Buffer, where: string): Generator<StoredBatch> {
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const size = FRAME_BYTES + bytes.readInt32BE(at + 8);
    if (size < HEADER_BYTES) throw corrupt(where, `a batch of ${size} bytes`);
    if (bytes.readInt8(at + 16) !== MAGIC) {
      const advice = "Rewrite the topic with clients of Kafka 0.11 or later.";
      throw new AtriumError("LOG_REFUSED", `${where} holds batches of an old format. ${advice}`);
    }
    if (at + size > bytes.length) return;
    yield storedBatch(bytes.subarray(at, at + size));
    at += size;
  }
}

function storedBatch(bytes: Buffer): StoredBatch {
  const attributes = bytes.readInt16BE(21);
  const baseOffset = bytes.readBigInt64BE(0);
  return {
    bytes,
    baseOffset,
    endOffset: baseOffset + BigInt(bytes.readInt32BE(23)) + 1n,
    recordCount: bytes.readInt32BE(57),
    producerId: bytes.readBigInt64BE(43),
    isTransactional: (attributes & TRANSACTIONAL) !== 0,
    isControl: (attributes & CONTROL) !== 0,
  };
}

/** When the records of a batch were logged: the time of the first, and whether each has its own. */
export function logTimeOf({ bytes }: StoredBatch): { readonly ms: number; readonly isShared: boolean } {
  const isShared = (bytes.readInt16BE(21) & LOG_APPEND_TIME) !== 0;
  // With LogAppendTime the broker's time holds for all records, and stands as the largest.
  return { ms: Number(bytes.readBigInt64BE(isShared ? 35 : 27)), isShared };
}

/** The records of a batch, checked and decompressed. @throws LOG_CORRUPT, LOG_REFUSED */
export function recordBytes({ bytes, baseOffset }: StoredBatch, where: string): Buffer {
  if (bytes.readUInt32BE(17) !== crc32c(bytes.subarray(CRC_START))) {
    throw corrupt(where, `the batch at offset ${baseOffset} fails its checksum`);
  }
  const name = CODECS[bytes.readInt16BE(21) & CODEC_BITS];
  const records = bytes.subarray(HEADER_BYTES);
  if (name === "none") return records;
  if (name === undefined) {
    const what = `${where}: the batch at offset ${baseOffset} is compressed in a way that Atrium does not know`;
    throw new AtriumError("LOG_REFUSED", `${what}. Let the producer use one of ${CODECS.join(", ")}.`);
  }
  try {
    return compressionsAlgorithms[name].decompressSync(records);
  } catch (cause) {
    throw corrupt(where, `the batch at offset ${baseOffset} cannot be decompressed (${name})`, cause);
  }
}

/** What a batch is written as. */
export interface BatchHeader {
  readonly codec: Codec;
  readonly timeMs: number;
  readonly recordCount: number;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly firstSequence: number;
}

/** A batch of a transaction, whose offset the broker fills in. `records` may be used again afterwards. */
export function transactionalBatch(header: BatchHeader, records: Buffer): Buffer {
  const { codec } = header;
  const stored = codec === "none" ? records : compressionsAlgorithms[codec].compressSync(records);
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + stored.length);
  bytes.writeBigInt64BE(0n, 0);
  bytes.writeInt32BE(bytes.length - FRAME_BYTES, 8);
  bytes.writeInt32BE(-1, 12);
  bytes.writeInt8(MAGIC, 16);
  bytes.writeInt16BE(CODECS.indexOf(codec) | TRANSACTIONAL, 21);
  bytes.writeInt32BE(header.recordCount - 1, 23);
  bytes.writeBigInt64BE(BigInt(header.timeMs), 27);
  bytes.writeBigInt64BE(BigInt(header.timeMs), 35);
  bytes.writeBigInt64BE(header.producerId, 43);
  bytes.writeInt16BE(header.producerEpoch, 51);
  bytes.writeInt32BE(header.firstSequence, 53);
  bytes.writeInt32BE(header.recordCount, 57);
  bytes.set(stored, HEADER_BYTES);
  bytes.writeUInt32BE(crc32c(bytes.subarray(CRC_START)), 17);
  return bytes;
}

/** The error for what a broker gave and cannot be. */
export function corrupt(where: string, what: string, cause?: unknown): AtriumError {
  const advice =
    "What bronze has committed is safe. Ask who keeps the cluster; see LOG_CORRUPT in docs/operate/errors.md.";
  return new AtriumError("LOG_CORRUPT", `${where} is damaged: ${what}. ${advice}`, {
    cause,
    details: { where },
  });
}

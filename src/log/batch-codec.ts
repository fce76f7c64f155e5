// Records as bytes for storage: framed, compressed, and checked when read back. All numbers are little-endian.
//
//   0  magic "ATRB"          10  number of keys (u16)     24  body, compressed with zstd if flag 1 is set:
//   4  CRC-32 of all behind  12  number of records (u32)      value ends (u32 each, only if flag 2 is set)
//   8  version (u8)          16  bytes of the body (u32)      key indexes (u16 each)
//   9  flags (u8)            20  bytes of the keys (u32)      keys (u16 length, UTF-8), then the values

import { constants, crc32, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { invariant } from "../support/assert.ts";
import { AtriumError } from "../support/errors.ts";
import type { Records } from "./event-log.ts";
import { KEY_BYTES_MAX } from "./records.ts";

const MAGIC = 0x42525441;
const VERSION = 1;
const HEADER_BYTES = 24;
const FLAG_COMPRESSED = 1;
const FLAG_VALUE_ENDS = 2;
/** Smaller bodies are stored as they are: setting up the compressor would cost more than it saves. */
const COMPRESS_BYTES_MIN = 512;
/** Level 1: on KETI messages 27 times smaller at 1.2 GB/s; higher levels cost much and save little. */
const ZSTD_OPTIONS = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

interface Header {
  readonly flags: number;
  readonly keyCount: number;
  readonly count: number;
  readonly bodyBytes: number;
  readonly keysBytes: number;
}

/** The stored form of records that `checkRecords` lets through. */
export function encodeRecords(records: Records): Uint8Array {
  const keys = encodeKeys(records.keys);
  const body = encodeBody(records, keys);
  const isCompressed = body.byteLength >= COMPRESS_BYTES_MIN;
  const stored = isCompressed ? zstdCompressSync(body, ZSTD_OPTIONS) : body;
  const payload = Buffer.allocUnsafe(HEADER_BYTES + stored.byteLength);
  payload.writeUInt32LE(MAGIC, 0);
  payload.writeUInt8(VERSION, 8);
  payload.writeUInt8((isCompressed ? FLAG_COMPRESSED : 0) | (records.valueEnds ? FLAG_VALUE_ENDS : 0), 9);
  payload.writeUInt16LE(records.keys.length, 10);
  payload.writeUInt32LE(records.count, 12);
  payload.writeUInt32LE(body.byteLength, 16);
  payload.writeUInt32LE(keys.byteLength, 20);
  payload.set(stored, HEADER_BYTES);
  payload.writeUInt32LE(crc32(payload.subarray(8)), 4);
  return payload;
}

/**
 * The records of a stored form; `where` names the batch in an error. The buffers are new, not views of `payload`.
 * @throws LOG_CORRUPT, LAKE_NEWER
 */
export function decodeRecords(payload: Uint8Array, where: string): Records {
  const header = readHeader(payload, where);
  const isCompressed = (header.flags & FLAG_COMPRESSED) !== 0;
  const stored = payload.subarray(HEADER_BYTES);
  const body = aligned(isCompressed ? decompress(stored, header.bodyBytes, where) : stored.slice());
  const endsBytes = (header.flags & FLAG_VALUE_ENDS) === 0 ? 0 : header.count * 4;
  const keysStart = endsBytes + header.count * 2;
  const valuesStart = keysStart + header.keysBytes;
  if (body.byteLength !== header.bodyBytes || valuesStart >= body.byteLength) {
    throw corrupt(where, "its parts have the wrong sizes");
  }
  const records = {
    count: header.count,
    values: body.subarray(valuesStart),
    keys: decodeKeys(body.subarray(keysStart, valuesStart), header.keyCount),
    keyIndexes: new Uint16Array(body.buffer, body.byteOffset + endsBytes, header.count),
  };
  return endsBytes === 0
    ? records
    : { ...records, valueEnds: new Uint32Array(body.buffer, body.byteOffset, header.count) };
}

function readHeader(payload: Uint8Array, where: string): Header {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  if (payload.byteLength <= HEADER_BYTES || view.getUint32(0, true) !== MAGIC) {
    throw corrupt(where, "it is no batch of records");
  }
  if (view.getUint32(4, true) !== crc32(payload.subarray(8))) throw corrupt(where, "its checksum is wrong");
  const version = view.getUint8(8);
  if (version > VERSION) {
    const message = `${where} was written in format ${version}, and this Atrium reads up to ${VERSION}: use a newer Atrium.`;
    throw new AtriumError("LAKE_NEWER", message, { details: { version } });
  }
  return {
    flags: view.getUint8(9),
    keyCount: view.getUint16(10, true),
    count: view.getUint32(12, true),
    bodyBytes: view.getUint32(16, true),
    keysBytes: view.getUint32(20, true),
  };
}

function encodeBody(records: Records, keys: Uint8Array): Uint8Array {
  const parts = [bytesOf(records.keyIndexes), keys, records.values];
  return Buffer.concat(records.valueEnds === undefined ? parts : [bytesOf(records.valueEnds), ...parts]);
}

function encodeKeys(keys: readonly (string | null)[]): Uint8Array {
  const parts = keys.flatMap((key) => {
    invariant(key !== null, "a record that is appended has a key");
    const text = Buffer.from(key, "utf8");
    invariant(text.byteLength <= KEY_BYTES_MAX, `a key has ${text.byteLength} bytes, more than 65,535`);
    return [Uint8Array.of(text.byteLength & 0xff, text.byteLength >>> 8), text];
  });
  return Buffer.concat(parts);
}

function decodeKeys(bytes: Uint8Array, keyCount: number): readonly string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const keys: string[] = [];
  let at = 0;
  for (let i = 0; i < keyCount; i += 1) {
    const end = at + 2 + buffer.readUInt16LE(at);
    keys.push(buffer.toString("utf8", at + 2, end));
    at = end;
  }
  return keys;
}

function decompress(stored: Uint8Array, bodyBytes: number, where: string): Uint8Array {
  try {
    // One byte more than needed: a full output buffer would make zlib allocate a second one.
    return zstdDecompressSync(stored, { chunkSize: Math.max(bodyBytes + 1, 64), maxOutputLength: bodyBytes });
  } catch (error) {
    throw corrupt(where, "it cannot be decompressed", error);
  }
}

/** The same bytes where typed arrays of 4 bytes may start, as a plain Uint8Array. */
function aligned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes;
  if (byteOffset % 4 === 0 && buffer instanceof ArrayBuffer) {
    return new Uint8Array(buffer, byteOffset, byteLength);
  }
  return new Uint8Array(bytes);
}

function bytesOf(array: Uint16Array | Uint32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function corrupt(where: string, what: string, cause?: unknown): AtriumError {
  const advice = "What bronze has committed is safe. How to go on: docs/operate/errors.md, LOG_CORRUPT.";
  return new AtriumError("LOG_CORRUPT", `${where} is damaged: ${what}. ${advice}`, {
    cause,
    details: { where },
  });
}

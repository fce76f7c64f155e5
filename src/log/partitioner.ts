// Where a key goes: the same partition that Kafka's own Java producer would choose.

const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;

/**
 * The partition of a key, 0 to `partitions` - 1: murmur2 of the UTF-8 key without its sign, modulo `partitions`.
 * Source: Apache Kafka, BuiltInPartitioner.partitionForKey.
 */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key, "utf8")) & 0x7fffffff) % partitions;
}

/** The murmur2 hash, a signed 32-bit number. Source: Apache Kafka, Utils.murmur2. */
export function murmur2(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wholeBytes = bytes.byteLength & ~3;
  let hash = SEED ^ bytes.byteLength;
  for (let at = 0; at < wholeBytes; at += 4) {
    hash = Math.imul(hash, MULTIPLIER) ^ scrambled(view.getInt32(at, true));
  }
  if (wholeBytes < bytes.byteLength) {
    for (let at = wholeBytes; at < bytes.byteLength; at += 1) {
      hash ^= view.getUint8(at) << (8 * (at - wholeBytes));
    }
    hash = Math.imul(hash, MULTIPLIER);
  }
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}

function scrambled(word: number): number {
  const mixed = Math.imul(word, MULTIPLIER);
  return Math.imul(mixed ^ (mixed >>> 24), MULTIPLIER);
}

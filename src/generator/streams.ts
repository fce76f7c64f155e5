// Which stream of chance each part of the generator draws from, so that no part disturbs another.

import { type Chance, seededChance } from "../support/chance.ts";

/** What a stream is for; each sensor and each kind of decision has its own. */
export const STREAMS = {
  traits: 0,
  occupancy: 1,
  co2: 2,
  humidity: 3,
  luminosity: 4,
  pir: 5,
  temperature: 6,
  weather: 7,
  intervalFaults: 8,
  motion: 9,
  // And the four after it: one for each sensor of the room.
  rowFaults: 11,
} as const;

/** The name of a stream. */
export type StreamName = keyof typeof STREAMS;

/** Stands for the whole building where a room's number is asked for. */
export const BUILDING = 1000;

const STREAMS_PER_ROOM = 16;

/**
 * The stream of one room and purpose: the same whatever the number of rooms.
 * `roomIndex` 0..999 or BUILDING; any two streams of one seed start from different states.
 */
export function streamOf(seed: number, roomIndex: number, name: Exclude<StreamName, "rowFaults">): Chance {
  return numberedStream(seed, roomIndex, STREAMS[name]);
}

/** The stream that chooses the row faults of one file; `sensorIndex` 0..4. */
export function rowFaultStreamOf(seed: number, roomIndex: number, sensorIndex: number): Chance {
  return numberedStream(seed, roomIndex, STREAMS.rowFaults + sensorIndex);
}

function numberedStream(seed: number, roomIndex: number, number: number): Chance {
  return seededChance(mix((seedHash(seed) + roomIndex * STREAMS_PER_ROOM + number) | 0));
}

/** Both halves of an integer seed (up to 2^53) in 32 bits. */
function seedHash(seed: number): number {
  const high = Math.floor(seed / 4294967296);
  return mix((seed | 0) ^ mix((high | 0) ^ 0x5bd1e995));
}

/** A one-to-one scramble of 32 bits. Source: MurmurHash3's finalizer, Austin Appleby. */
function mix(value: number): number {
  let z = value ^ (value >>> 16);
  z = Math.imul(z, 0x85ebca6b);
  z ^= z >>> 13;
  z = Math.imul(z, 0xc2b2ae35);
  return z ^ (z >>> 16);
}

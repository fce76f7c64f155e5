// The only file that knows chance: a seeded generator, so that a run can be repeated.

import { randomInt, randomUUID } from "node:crypto";

/** Random numbers from a seed: the same seed gives the same sequence on every machine. */
export interface Chance {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [0, limit), limit at least 1. */
  below(limit: number): number;
  /** Normal with mean 0 and standard deviation 1 (Box and Muller). */
  normal(): number;
}

/** Makes a generator (sfc32, seeded by splitmix32). Source: PractRand, Chris Doty-Humphrey. */
export function seededChance(seed: number): Chance {
  let state = seed | 0;
  const split = (): number => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return (z ^ (z >>> 15)) | 0;
  };
  let a = split();
  let b = split();
  let c = split();
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 4294967296;
  };
  for (let i = 0; i < 12; i += 1) next();
  let spare: number | undefined;
  const normal = (): number => {
    if (spare !== undefined) {
      const kept = spare;
      spare = undefined;
      return kept;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - next()));
    const angle = 2 * Math.PI * next();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  return { next, below: (limit) => Math.floor(next() * limit), normal };
}

/** A generator that no other process shares: for pauses that must differ. */
export function ownChance(): Chance {
  return seededChance(randomInt(2 ** 32));
}

/** A name that no other process has: for files and writer ids. */
export function uniqueId(): string {
  return randomUUID();
}

// A process that reads objects through a small cache in random order, and fails if one is not what it should be.

import { readFile, writeFile } from "node:fs/promises";
import { fileCache } from "../../src/adapters/s3/file-cache.ts";
import { seededChance } from "../../src/support/chance.ts";
import { type Clock, systemClock } from "../../src/support/clock.ts";
import { systemCode } from "../../src/support/errors.ts";

const [folder = "", seed = "", reads = "", startMs = ""] = process.argv.slice(2);
const OBJECTS = 40;
const OBJECT_BYTES = 5000;
const CACHE_BYTES_MAX = 10 * OBJECT_BYTES;
/** Time flies, so that copies are old at once and evictions never stop. */
const HASTE = 2000;

const clock: Clock = {
  nowMs: () => Number(startMs) + (systemClock.nowMs() - Number(startMs)) * HASTE,
  monotonicMs: () => systemClock.monotonicMs() * HASTE,
  sleep: async (ms, signal) => systemClock.sleep(ms / HASTE, signal),
};
const textOf = (path: string): string => path.padEnd(OBJECT_BYTES, "x");
const cache = fileCache({
  folder: { path: folder, bytesMax: CACHE_BYTES_MAX },
  clock,
  name: "lake",
  fetch: async (path, file) => {
    await writeFile(file, textOf(path), { flag: "wx" });
    return OBJECT_BYTES;
  },
});
const chance = seededChance(Number(seed));

async function readOne(): Promise<void> {
  const path = `t/day=${chance.below(4)}/${chance.below(OBJECTS)}`;
  for (;;) {
    try {
      const file = await cache.file(path);
      const text = await cache.during([file], async () => readFile(file, "utf8"));
      if (text !== textOf(path)) throw new Error(`${path} is not whole: ${text.length} bytes`);
      return;
    } catch (error) {
      // Another process was quicker than any use of ours: as the engine does, fetch again.
      if (systemCode(error) !== "ENOENT") throw error;
      await cache.drop([path]);
    }
  }
}

for (let count = 0; count < Number(reads); count += 1) {
  await Promise.all(Array.from({ length: 5 }, readOne));
}

// Whether a store keeps the promises that a lake rests on: tried with real objects under a name of its own.

import { invariant } from "../support/assert.ts";
import type { ObjectStore } from "./delta/object-store.ts";

/** One promise, and how it was kept. */
export interface Probed {
  readonly what: string;
  /** What is wrong; undefined if nothing is. */
  readonly fault: string | undefined;
  readonly found: string;
}

/** Writers that race for one object, and how often. */
const WRITERS = 20;
const ROUNDS = 10;

/**
 * Tries putting if absent with many writers at once, listing, reading and deleting, below `_atrium/probe/`; what it wrote is
 * removed. `id` is a name that nobody else has. @throws STORE_* if the store refuses or fails
 */
export async function probeStore(store: ObjectStore, id: string): Promise<readonly Probed[]> {
  const folder = `_atrium/probe/${id}/`;
  const paths = Array.from({ length: ROUNDS }, (_, round) => `${folder}${round}.json`);
  try {
    const races = await probeRaces(store, paths);
    const listed = (await store.list(folder)).map(({ path }) => path);
    await store.delete(paths);
    const left = await store.list(folder);
    const isListed = listed.join() === paths.toSorted().join();
    return [
      races,
      {
        what: "list",
        found: "objects are listed once they are written, and no more once they are deleted",
        fault:
          isListed && left.length === 0
            ? undefined
            : `of ${ROUNDS} objects just written ${listed.length} were listed, and ${left.length} once they were deleted: readers would miss commits`,
      },
    ];
  } finally {
    await store.delete(paths);
  }
}

async function probeRaces(store: ObjectStore, paths: readonly string[]): Promise<Probed> {
  let faults = 0;
  for (const path of paths) {
    const texts = Array.from({ length: WRITERS }, (_, writer) => `{"writer":${writer}}\n`);
    const won = await Promise.all(
      texts.map(async (text) => store.putIfAbsent(path, new TextEncoder().encode(text))),
    );
    const winners = texts.filter((_, writer) => won[writer] === true);
    const there = new TextDecoder().decode(await store.get(path));
    invariant(texts.includes(there), "an object of the probe is one of its writers'");
    if (winners.length !== 1 || winners[0] !== there) faults += 1;
  }
  return {
    what: "put if absent",
    found: `${WRITERS} writers at once, ${ROUNDS} times: one winner each time`,
    fault:
      faults === 0
        ? undefined
        : `${WRITERS} writers at once, ${ROUNDS} times: not exactly one winner in ${faults}. Commits would be lost: keep no lake there`,
  };
}

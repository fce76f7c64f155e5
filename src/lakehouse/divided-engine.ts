// Two engines as one: a large one makes tables from tables, one in this process answers people and works on rows in memory.

import type { Engine, Input } from "./engine.ts";

/**
 * What reads tables in bulk goes to `bulk`: transforms over files, and queries that say so. All else goes to `here`, which
 * answers in milliseconds. Disposing disposes both.
 */
export function dividedEngine(bulk: Engine, here: Engine): Engine {
  return {
    write: async (transform, signal) => (readsFiles(transform.inputs) ? bulk : here).write(transform, signal),
    query: async (query, signal) => (query.isBulk === true ? bulk : here).query(query, signal),
    [Symbol.asyncDispose]: async () => {
      await bulk[Symbol.asyncDispose]();
      await here[Symbol.asyncDispose]();
    },
  };
}

function readsFiles(inputs: readonly Input[]): boolean {
  return inputs.some(({ kind }) => kind === "files");
}

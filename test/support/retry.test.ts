// Retries: what is tried again, how often, and how long the pauses are.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { seededChance } from "../../src/support/chance.ts";
import { AtriumError } from "../../src/support/errors.ts";
import { retrying } from "../../src/support/retry.ts";
import { stoppedClock } from "./command-line.ts";

const passing = new AtriumError("STORE_FAILED", "not now");
const lasting = new AtriumError("STORE_DENIED", "never");
const limits = { triesMax: 4, firstPauseMs: 100, pauseMsMax: 250 };

/** A task that fails `failures` times with `error`, then gives "done"; it counts its tries. */
function failing(failures: number, error: Error): { (): Promise<string>; tries: number } {
  const task = Object.assign(
    async () => {
      task.tries += 1;
      if (task.tries <= failures) throw error;
      return Promise.resolve("done");
    },
    { tries: 0 },
  );
  return task;
}

describe("retrying", () => {
  test("tries again after an error that may pass, with growing pauses between half and all of their size", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const clock = stoppedClock();
        const task = failing(3, passing);
        assert.equal(await retrying(task, { clock, chance: seededChance(seed), limits }), "done");
        assert.equal(task.tries, 4);
        const sizes = [100, 200, 250];
        assert.equal(clock.sleptMs.length, 3);
        for (const [index, size] of sizes.entries()) {
          assert.ok(clock.sleptMs[index]! >= size / 2 && clock.sleptMs[index]! <= size);
        }
      }),
    );
  });

  test("throws the last error as it is when the tries are used up", async () => {
    const task = failing(9, passing);
    const seen: number[] = [];
    const options = { clock: stoppedClock(), chance: seededChance(1), limits };
    const onRetry = ({ triesDone }: { triesDone: number }): unknown => seen.push(triesDone);
    await assert.rejects(retrying(task, { ...options, onRetry }), (error) => error === passing);
    assert.equal(task.tries, 4);
    assert.deepEqual(seen, [1, 2, 3]);
  });

  test("does not try again what will not pass, nor what is no error of the catalogue", async () => {
    for (const error of [lasting, new Error("a bug")]) {
      const task = failing(9, error);
      await assert.rejects(retrying(task, { clock: stoppedClock(), chance: seededChance(1) }), error);
      assert.equal(task.tries, 1);
    }
  });

  test("ends at once when its signal aborts, also during a pause", async () => {
    const stopping = new AbortController();
    const sleep = (): Promise<void> => {
      stopping.abort();
      return Promise.resolve();
    };
    const clock = { ...stoppedClock(), sleep };
    const task = failing(9, passing);
    await assert.rejects(
      retrying(task, { clock, chance: seededChance(1), signal: stopping.signal }),
      passing,
    );
    assert.equal(task.tries, 1);
  });
});

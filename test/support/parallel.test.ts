// Parallel tasks: order, bound, and what becomes of those under way when one fails.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inParallel } from "../../src/support/parallel.ts";

test("results keep the order of the items, and no more run at once than allowed", async () => {
  let [running, most] = [0, 0];
  const doubled = await inParallel([5, 3, 4, 1, 2], 2, async (item) => {
    running += 1;
    most = Math.max(most, running);
    for (let turn = 0; turn < item; turn += 1) await Promise.resolve();
    running -= 1;
    return item * 2;
  });
  assert.deepEqual(doubled, [10, 6, 8, 2, 4]);
  assert.equal(most, 2);
});

test("a failure is thrown when what is under way has ended, and nothing more is begun", async () => {
  const slow = Promise.withResolvers<void>();
  const begun: string[] = [];
  let isOver = false;
  const all = inParallel(["slow", "bad", "never"], 2, async (item) => {
    begun.push(item);
    if (item === "bad") throw new Error("bad item");
    await slow.promise;
  }).finally(() => (isOver = true));
  all.catch(() => undefined);
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
  assert.equal(isOver, false);
  slow.resolve();
  await assert.rejects(all, /bad item/);
  assert.deepEqual(begun, ["slow", "bad"]);
});

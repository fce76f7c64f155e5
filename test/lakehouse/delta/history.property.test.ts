// Random histories of a table: what the log says is what a simple model says.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { memoryObjectStore } from "../../../src/adapters/memory/object-store.ts";
import { logFilePath } from "../../../src/lakehouse/delta/checkpoint.ts";
import type { Snapshot } from "../../../src/lakehouse/delta/snapshot.ts";
import { append, contentOf, every, fileOf, LOG, TABLE, tableIn } from "../../support/delta.ts";

/** One step: a writer (0 or 1, each with a cached base) adds and removes files and moves its position. */
const steps = fc.array(
  fc.record({
    writer: fc.integer({ min: 0, max: 1 }),
    adds: fc.integer({ min: 0, max: 3 }),
    removes: fc.integer({ min: 0, max: 2 }),
    forward: fc.bigInt(0n, 3n),
    reads: fc.boolean(),
  }),
  { maxLength: 25 },
);

test("after any history all readers see what a model sees, at every version, from checkpoints or without", async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 1, max: 7 }), async (history, interval) => {
      await using store = memoryObjectStore();
      const writers = ["w0", "w1"].map((writerId) => ({ writerId, table: tableIn(store, { writerId }) }));
      const made = await writers[0]!.table.create(every(interval));
      const bases: Snapshot[] = [made, made];
      const models = [{ files: [] as string[], txns: {} as Record<string, bigint> }];
      for (const [index, step] of history.entries()) {
        const { writerId, table } = writers[step.writer]!;
        // A writer that does not read goes on from its own last commit, and meets the other's commits when it writes.
        const base = step.reads ? (await table.snapshot())! : bases[step.writer]!;
        const own = [...base.files.keys()].filter((path) => path.includes(writerId));
        const removes = own.slice(0, step.removes);
        const adds = Array.from({ length: step.adds }, (_, n) => fileOf("413", `${writerId}-${index}-${n}`));
        const position = (base.txns.get(writerId) ?? -1n) + step.forward;
        const txns = step.forward > 0n ? { [writerId]: position } : {};
        bases[step.writer] = await table.commit({ ...append(base, adds, txns), removes });
        const last = models.at(-1)!;
        const kept = last.files.filter((path) => !removes.includes(path));
        models.push({ files: [...kept, ...adds.map((add) => add.path)], txns: { ...last.txns, ...txns } });
      }
      for (const [version, model] of models.entries()) {
        const snapshot = (await tableIn(store).snapshot(version))!;
        assert.deepEqual([...snapshot.files.keys()].toSorted(), model.files.toSorted());
        assert.deepEqual(Object.fromEntries(snapshot.txns), model.txns);
      }
      const [newest, followed] = [await tableIn(store).snapshot(), await writers[0]!.table.snapshot()];
      assert.deepEqual(contentOf(newest), contentOf(followed));
      await store.delete([`${LOG}_last_checkpoint`]);
      const checkpoints = (await store.list(LOG)).filter((object) => object.path.endsWith(".parquet"));
      assert.equal(checkpoints.length, Math.floor(history.length / interval));
      const covered = history.length - (history.length % interval);
      for (let version = 0; version < covered; version += 1) {
        await store.delete([logFilePath(TABLE, version, ".json")]);
      }
      assert.deepEqual(contentOf(await tableIn(store).snapshot()), contentOf(newest));
      assert.equal(newest?.version, history.length);
    }),
    { numRuns: 60 },
  );
});

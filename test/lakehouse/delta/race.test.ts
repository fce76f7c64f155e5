// Several writers on one local folder, each in a thread of its own.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { localObjectStore } from "../../../src/adapters/local/object-store.ts";
import { READINGS, tableIn, withFolder } from "../../support/delta.ts";

const WRITERS = ["w1", "w2", "w3"];
const COMMITS = 50;

test("of 3 writers with 50 appends each, all 150 commits are in the table, none twice, none lost", async () => {
  await withFolder(async (folder) => {
    const store = localObjectStore(folder);
    await tableIn(store).create(READINGS);
    const script = new URL("../../support/delta-appender.ts", import.meta.url);
    await Promise.all(
      WRITERS.map(async (writerId) => {
        const worker = new Worker(script, { workerData: { folder, writerId, commits: COMMITS } });
        const [exitCode] = (await once(worker, "exit")) as [number];
        assert.equal(exitCode, 0);
      }),
    );
    const table = tableIn(store);
    const head = (await table.snapshot())!;
    assert.equal(head.version, WRITERS.length * COMMITS);
    const wanted = WRITERS.flatMap((writer) =>
      Array.from({ length: COMMITS }, (_, index) => `room=413/${writer}-${index}.parquet`),
    );
    assert.deepEqual([...head.files.keys()].toSorted(), wanted.toSorted());
    for (const writer of WRITERS) assert.equal(head.txns.get(writer), BigInt(COMMITS - 1));
    const changes = await table.changes(0, head.version);
    assert.ok(changes.every((change) => change.adds.length === 1));
    const left = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".tmp"));
    assert.deepEqual(left, []);
  });
});

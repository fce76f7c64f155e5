// Writers that race for the versions of a table on S3, each a thread of its own, and what the table must hold at last.

import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { tableIn } from "./delta.ts";
import type { AppenderData } from "./s3-appender.ts";
import { type S3Fixture, testStore } from "./s3.ts";

/** Their names. */
export const WRITERS: readonly string[] = ["w1", "w2", "w3"];
/** Commits of each. */
export const COMMITS = 100;

/** Lets the writers commit to the table of a lake; `heard` gets the name of each file whose commit is acknowledged. All must end well. */
export async function commitAll(
  fixture: S3Fixture,
  url: string,
  heard: (name: string) => void,
): Promise<void> {
  const { endpoint, credentials } = fixture.gateway;
  const work = WRITERS.map(async (writerId) => {
    const cache = join(fixture.folder, writerId);
    const workerData: AppenderData = { url, endpoint, ...credentials, cache, writerId, commits: COMMITS };
    const worker = new Worker(new URL("./s3-appender.ts", import.meta.url), { workerData });
    worker.on("message", heard);
    const [exitCode] = (await once(worker, "exit")) as [number];
    assert.equal(exitCode, 0);
  });
  await Promise.all(work);
}

/** Fails unless the table holds each writer's commits, each once, in its order. */
export async function assertHoldsAll(fixture: S3Fixture, url: string): Promise<void> {
  await using store = testStore(fixture, url, { cache: "reader" });
  const table = tableIn(store);
  const head = (await table.snapshot())!;
  const wanted = WRITERS.flatMap((id) =>
    Array.from({ length: COMMITS }, (_, index) => `room=413/${id}-${index}.parquet`),
  );
  assert.equal(head.version, wanted.length);
  assert.deepEqual([...head.files.keys()].toSorted(), wanted.toSorted());
  for (const id of WRITERS) assert.equal(head.txns.get(id), BigInt(COMMITS - 1));
  const changes = await table.changes(0, head.version);
  assert.ok(changes.every((change) => change.adds.length === 1));
  for (const id of WRITERS) {
    const order = changes.flatMap(({ txns }) => txns.get(id) ?? []);
    assert.deepEqual(
      order,
      Array.from({ length: COMMITS }, (_, index) => BigInt(index)),
    );
  }
}

// Commits on S3: writers that race for versions, and a gateway that is killed while they do.

import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { READINGS, tableIn } from "../support/delta.ts";
import type { AppenderData } from "../support/s3-appender.ts";
import { type S3Fixture, s3Fixture, testStore } from "../support/s3.ts";
import { withoutServices } from "../support/services.ts";

const skip = await withoutServices("s3");
const WRITERS = ["w1", "w2", "w3"];
const COMMITS = 100;
const KILLS = 4;

describe("commits on S3", { skip }, () => {
  let fixture: S3Fixture;

  before(async () => {
    fixture = await s3Fixture();
  });
  after(async () => fixture[Symbol.asyncDispose]());

  /** Starts a writer; `heard` gets the name of each file whose commit is acknowledged. Resolves when it has ended well. */
  async function writer(writerId: string, url: string, heard: (name: string) => void): Promise<void> {
    const { endpoint, credentials } = fixture.gateway;
    const cache = join(fixture.folder, writerId);
    const workerData: AppenderData = { url, endpoint, ...credentials, cache, writerId, commits: COMMITS };
    const worker = new Worker(new URL("../support/s3-appender.ts", import.meta.url), { workerData });
    worker.on("message", heard);
    const [exitCode] = (await once(worker, "exit")) as [number];
    assert.equal(exitCode, 0);
  }

  /** The table holds each writer's commits, each once, in its order. */
  async function holdsAll(url: string): Promise<void> {
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

  test("of 3 writers with 100 commits each, all 300 are in the table, none twice, none lost", async () => {
    const url = "s3://lake/race";
    await tableIn(testStore(fixture, url)).create(READINGS);
    await Promise.all(WRITERS.map(async (id) => writer(id, url, () => undefined)));
    await holdsAll(url);
  });

  test("writers go on through kill -9 of the gateway, and nothing acknowledged is lost or doubled", async () => {
    const url = "s3://lake/killed";
    await tableIn(testStore(fixture, url)).create(READINGS);
    const acknowledged: string[] = [];
    let kills = 0;
    let killing: Promise<void> | undefined;
    const lost: string[] = [];
    const strike = async (): Promise<void> => {
      kills += 1;
      const before = [...acknowledged];
      await fixture.gateway.kill("SIGKILL");
      await fixture.gateway.restart();
      const head = (await tableIn(testStore(fixture, url)).snapshot())!;
      lost.push(...before.filter((name) => !head.files.has(`room=413/${name}.parquet`)));
    };
    const heard = (name: string): void => {
      acknowledged.push(name);
      // Spread over the run, while the other writers are in the middle of something.
      if (kills >= KILLS || acknowledged.length < (kills + 1) * 50 || killing !== undefined) return;
      killing = strike().finally(() => (killing = undefined));
    };
    await Promise.all(WRITERS.map(async (id) => writer(id, url, heard)));
    await killing;
    assert.equal(kills, KILLS);
    assert.deepEqual(lost, []);
    assert.equal(acknowledged.length, WRITERS.length * COMMITS);
    await holdsAll(url);
  });
});

// What a power cut may not take from the local store: whatever it, or a reader of it, was told is there.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { FileSystem } from "../../../src/adapters/local/file-system.ts";
import { localObjectStore } from "../../../src/adapters/local/object-store.ts";
import type { ObjectStore } from "../../../src/lakehouse/delta/object-store.ts";
import type { Chance } from "../../../src/support/chance.ts";
import { Disk, systemError } from "../../simulation/disk.ts";
import { plainFiles } from "../../simulation/simulated-files.ts";
import { READINGS, TABLE, tableIn } from "../../support/delta.ts";

const COMMIT = "t/_delta_log/00000000000000000000.json";
const bytes = new TextEncoder().encode("x");

/** Takes all that was not synced. */
function worstChance(): Chance {
  let calls = 0;
  return { next: () => (calls++ === 0 ? 1 : 0), below: () => 0, normal: () => 0 };
}

/** A store on a disk; `kill` says at which call its process dies: it never goes on from there. */
function storeOn(disk: Disk, kill?: (call: string, path: string) => boolean): ObjectStore {
  const files = plainFiles(disk);
  const dying: FileSystem = {
    ...files,
    open: async (path, flags) => {
      if (kill?.(`open ${flags}`, path) === true) await new Promise(() => undefined);
      return files.open(path, flags);
    },
  };
  return localObjectStore("/lake", { files: dying });
}

/** Lets a process that will never go on come as far as it can. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((go) => void setImmediate(go));
}

test("a folder that a process made before it died is synced by the next one that writes there", async () => {
  const disk = new Disk(() => 0);
  void storeOn(disk, (call, path) => call === "open r" && path === "/lake/t").put("t/day/a", bytes);
  await settled();
  assert.ok(disk.has("/lake/t/day"));
  await storeOn(disk).put("t/day/b", bytes);
  disk.powerCut(worstChance());
  assert.deepEqual(await storeOn(disk).get("t/day/b"), bytes);
});

for (const [how, look] of [
  ["reads it", async (store: ObjectStore) => void (await store.get(COMMIT))],
  ["lists it", async (store: ObjectStore) => void (await store.list("t/_delta_log/"))],
  ["is told that it is taken", async (store: ObjectStore) => void (await store.putIfAbsent(COMMIT, bytes))],
] as const) {
  test(`a commit whose writer died before its sync is there for good once another ${how}`, async () => {
    const disk = new Disk(() => 0);
    await storeOn(disk).put("t/_delta_log/other", bytes);
    const isLastSync = (call: string, path: string): boolean =>
      call === "open r" && path === "/lake/t/_delta_log" && disk.has(`/lake/${COMMIT}`);
    void storeOn(disk, isLastSync).putIfAbsent(COMMIT, bytes);
    await settled();
    await look(storeOn(disk));
    disk.powerCut(worstChance());
    assert.deepEqual(await storeOn(disk).get(COMMIT), bytes);
  });
}

test("a commit whose put failed after its effect is there for good once it is acknowledged", async () => {
  const disk = new Disk(() => 0);
  const files = plainFiles(disk);
  await tableIn(localObjectStore("/lake", { files })).create(READINGS);
  let failures = 0;
  const failing: FileSystem = {
    ...files,
    rm: async (path, options) => {
      await files.rm(path, options);
      if (path.endsWith(".tmp") && failures++ === 0) throw systemError("EIO", path);
    },
  };
  const table = tableIn(localObjectStore("/lake", { files: failing }));
  const base = (await table.snapshot())!;
  const commit = { adds: [], removes: [], txns: new Map([["a", 1n]]), operation: "WRITE", dataChange: true };
  await table.commit({ ...commit, base, isolation: { kind: "append" } });
  assert.equal(failures > 0, true);
  disk.powerCut(worstChance());
  const found = await tableIn(localObjectStore("/lake", { files })).snapshot();
  assert.equal(found?.txns.get("a"), 1n, TABLE);
});

// Commits that meet: which of them conflict, answers that are lost, requests that are refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryObjectStore } from "../../../src/adapters/memory/object-store.ts";
import type { TableSchema } from "../../../src/lakehouse/delta/actions.ts";
import { logFilePath } from "../../../src/lakehouse/delta/checkpoint.ts";
import type { CommitRequest } from "../../../src/lakehouse/delta/commit.ts";
import type { ObjectStore } from "../../../src/lakehouse/delta/object-store.ts";
import type { Snapshot } from "../../../src/lakehouse/delta/snapshot.ts";
import { AtriumError } from "../../../src/support/errors.ts";
import {
  append,
  codeOf,
  compact,
  every,
  fileOf,
  handClock,
  putText,
  READINGS,
  replace,
  TABLE,
  tableIn,
} from "../../support/delta.ts";

/** Commits `winner` and then `late`, both on a base with one file each in rooms 413 and 414. */
async function race(
  store: ObjectStore,
  winner: (base: Snapshot) => CommitRequest,
  late: (base: Snapshot) => CommitRequest,
): Promise<string | undefined> {
  const [one, two] = [tableIn(store), tableIn(store, { writerId: "writer-2" })];
  await one.create(READINGS);
  const base = await one.commit(
    append((await one.snapshot())!, [fileOf("413", "old"), fileOf("414", "old")]),
  );
  await two.commit(winner(base));
  return codeOf(one.commit(late(base)));
}

test("a commit that removes a file carries the file's tags, and a checkpoint those of live files only", async () => {
  const store = memoryObjectStore();
  const table = tableIn(store);
  const tags = { "atrium.dayClosed": "true" };
  const created = await table.create(every(2));
  const base = await table.commit(
    append(created, [
      { ...fileOf("413", "old"), tags },
      { ...fileOf("414", "old"), tags },
    ]),
  );
  await table.commit(replace(base, "413", "new"));
  const [change] = await table.changes(1, 2);
  assert.deepEqual(change?.removes[0]?.tags, tags);
  // Version 2 is a checkpoint: another reader begins there.
  const loaded = await tableIn(store).snapshot();
  assert.deepEqual(loaded?.files.get(fileOf("414", "old").path)?.tags, tags);
  const tombstone = loaded.tombstones.get(fileOf("413", "old").path);
  assert.deepEqual([tombstone?.path, tombstone?.tags], [fileOf("413", "old").path, undefined]);
});

/** An append of what was made of another table's rows. */
const derive = (base: Snapshot, room: string, name: string): CommitRequest => ({
  ...append(base, [fileOf(room, name)]),
  isolation: { kind: "derive" },
});

const RACES: readonly [
  string,
  string | undefined,
  (b: Snapshot) => CommitRequest,
  (b: Snapshot) => CommitRequest,
][] = [
  [
    "a replace of a partition that was replaced conflicts",
    "COMMIT_CONFLICT",
    (b) => replace(b, "413", "x"),
    (b) => replace(b, "413", "y"),
  ],
  [
    "a replace of a partition that was appended to conflicts",
    "COMMIT_CONFLICT",
    (b) => append(b, [fileOf("413", "x")]),
    (b) => replace(b, "413", "y"),
  ],
  [
    "a replace of a partition that was compacted conflicts",
    "COMMIT_CONFLICT",
    (b) => compact(b, "413", "x"),
    (b) => replace(b, "413", "y"),
  ],
  [
    "a replace of another partition does not conflict",
    undefined,
    (b) => replace(b, "414", "x"),
    (b) => replace(b, "413", "y"),
  ],
  [
    "an append elsewhere does not conflict with a replace",
    undefined,
    (b) => append(b, [fileOf("414", "x")]),
    (b) => replace(b, "413", "y"),
  ],
  [
    "a replace of the whole table conflicts with any append",
    "COMMIT_CONFLICT",
    (b) => append(b, [fileOf("999", "x")]),
    (b) => ({ ...replace(b, "413", "y"), isolation: { kind: "replace", partitions: [{}] } }),
  ],
  [
    "an append does not conflict with a replace",
    undefined,
    (b) => replace(b, "413", "x"),
    (b) => append(b, [fileOf("413", "y")]),
  ],
  [
    "compaction does not conflict with an append to its partition",
    undefined,
    (b) => append(b, [fileOf("413", "x")]),
    (b) => compact(b, "413", "y"),
  ],
  [
    "compaction of files that are gone conflicts",
    "COMMIT_CONFLICT",
    (b) => replace(b, "413", "x"),
    (b) => compact(b, "413", "y"),
  ],
  [
    "what was derived from elsewhere conflicts with a commit that removed rows, in whatever partition",
    "COMMIT_CONFLICT",
    (b) => replace(b, "414", "x"),
    (b) => derive(b, "413", "y"),
  ],
  [
    "what was derived from elsewhere does not conflict with an append",
    undefined,
    (b) => append(b, [fileOf("413", "x")]),
    (b) => derive(b, "413", "y"),
  ],
  [
    "what was derived from elsewhere does not conflict with compaction",
    undefined,
    (b) => compact(b, "413", "x"),
    (b) => derive(b, "413", "y"),
  ],
  [
    "adding the same path as the winner conflicts",
    "COMMIT_CONFLICT",
    (b) => append(b, [fileOf("413", "x")]),
    (b) => append(b, [fileOf("413", "x")]),
  ],
];
for (const [name, code, winner, late] of RACES) {
  test(name, async () => {
    await using store = memoryObjectStore();
    assert.equal(await race(store, winner, late), code);
  });
}

test("a change of the table's metadata conflicts with any commit", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  const base = await table.create(READINGS);
  await putText(store, logFilePath(TABLE, 1, ".json"), `${JSON.stringify({ metaData: base.metadata })}\n`);
  assert.equal(await codeOf(table.commit(append(base, [fileOf("413", "a")]))), "COMMIT_CONFLICT");
});

test("a remove action without a partition is looked up in the table before a replace is let through", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  await table.create(READINGS);
  const base = await table.commit(
    append((await table.snapshot())!, [fileOf("413", "old"), fileOf("414", "old")]),
  );
  const remove = { path: "room=414/old.parquet", dataChange: true };
  await putText(store, logFilePath(TABLE, 2, ".json"), JSON.stringify({ remove }));
  assert.equal(await codeOf(table.commit(replace(base, "413", "y"))), undefined);
  assert.equal(
    await codeOf(
      table.commit({
        ...replace(base, "413", "z"),
        removes: [],
        isolation: { kind: "replace", partitions: [{ room: "414" }] },
      }),
    ),
    "COMMIT_CONFLICT",
  );
});

/** A store whose next commits are written, but whose answer is lost or wrong. */
function forgetful(store: ObjectStore, answers: ("fail" | "false" | "fail before")[]): ObjectStore {
  return {
    ...store,
    putIfAbsent: async (path, bytes) => {
      const answer = path.endsWith(".json") && !path.endsWith("0000.json") ? answers.shift() : undefined;
      const failure = new AtriumError("STORE_FAILED", "The connection was reset. Try again.");
      if (answer === "fail before") throw failure;
      const isPut = await store.putIfAbsent(path, bytes);
      if (answer === "fail") throw failure;
      return answer === "false" ? false : isPut;
    },
  };
}

for (const answer of ["fail", "false"] as const) {
  test(`a put that was done but said ${answer} is recognised by reading back, and not done twice`, async () => {
    await using store = memoryObjectStore();
    const table = tableIn(forgetful(store, [answer]));
    const base = await table.create(READINGS);
    const after = await table.commit(append(base, [fileOf("413", "a")], { app: 1n }));
    assert.equal(after.version, 1);
    assert.equal((await tableIn(store).snapshot())!.version, 1);
  });
}

test("a put that failed is reported, and the same request handed in again commits once", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(forgetful(store, ["fail before"]));
  const request = append(await table.create(READINGS), [fileOf("413", "a")], { app: 1n });
  assert.equal(await codeOf(table.commit(request)), "STORE_FAILED");
  assert.equal((await table.commit(request)).version, 1);
  assert.equal((await table.commit(request)).version, 1);
  assert.equal((await tableIn(store).snapshot())!.version, 1);
});

test("a commit that can never win gives up with a conflict", async () => {
  await using store = memoryObjectStore();
  const winner = tableIn(store, { writerId: "winner" });
  const base = await winner.create(READINGS);
  let puts = 0;
  const slow: ObjectStore = {
    ...store,
    putIfAbsent: async () => {
      puts += 1;
      await winner.commit(append((await winner.snapshot())!, [fileOf("413", `w${puts}`)]));
      return false;
    },
  };
  assert.equal(await codeOf(tableIn(slow).commit(append(base, [fileOf("413", "a")]))), "COMMIT_CONFLICT");
  assert.equal(puts, 100);
});

test("files that break the table's rules are a fault", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  const schema: TableSchema = {
    ...READINGS,
    columns: [
      { name: "room", type: "string" },
      { name: "value", type: "double", nullable: false },
    ],
  };
  await table.create(schema);
  const base = await table.commit(append((await table.snapshot())!, [fileOf("413", "old")]));
  const [a, old] = [fileOf("413", "a"), fileOf("413", "old")];
  const wrong: CommitRequest[] = [
    append(base, [old]),
    append(base, [a, a]),
    { ...append(base, []), removes: ["room=413/none.parquet"] },
    { ...append(base, []), removes: [old.path, old.path] },
    append(base, [{ ...a, partitionValues: {} }]),
    append(base, [{ ...a, stats: JSON.stringify({ numRecords: 2, nullCount: { value: 1 } }) }]),
    append(base, [], { app: 2n ** 53n }),
  ];
  for (const request of wrong) assert.equal(await codeOf(table.commit(request)), "INTERNAL");
  assert.equal((await table.snapshot())!.version, 1);
});

test("an append-only table lets files be moved, and no rows removed", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  await table.create({ ...READINGS, configuration: { "delta.appendOnly": "true" } });
  const base = await table.commit(append((await table.snapshot())!, [fileOf("413", "old")]));
  assert.equal(await codeOf(table.commit(replace(base, "413", "x"))), "TABLE_UNSUPPORTED");
  assert.equal(await codeOf(table.commit(compact(base, "413", "x"))), undefined);
});

test("a commit whose files waited for long is refused if one of them is gone, and made if they are there", async () => {
  const store = memoryObjectStore();
  const clock = handClock();
  const table = tableIn(store, { clock });
  const base = await table.create(READINGS);
  const file = { ...fileOf("413", "slept"), modificationTime: clock.nowMs() };
  clock.advance(2 * 3_600_000);
  assert.equal(await codeOf(table.commit(append(base, [file]))), "COMMIT_CONFLICT");
  assert.equal((await table.snapshot())?.version, base.version);
  await store.put(`bronze/readings/${file.path}`, new Uint8Array(1));
  assert.equal((await table.commit(append(base, [file]))).version, base.version + 1);
});

// Logs: versions, checkpoints, hints, gaps, damage, and features that are refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryObjectStore } from "../../../src/adapters/memory/object-store.ts";
import { logFilePath } from "../../../src/lakehouse/delta/checkpoint.ts";
import type { AtriumError } from "../../../src/support/errors.ts";
import {
  appendMany,
  codeOf,
  contentOf,
  every,
  putText,
  TABLE,
  tableIn,
  LOG,
  READINGS,
  textCodec,
} from "../../support/delta.ts";

test("any version can be read as it was, with and without checkpoints", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  await table.create(every(4));
  const seen = [await table.snapshot()];
  for (let version = 1; version <= 10; version += 1) seen.push(await appendMany(table, 1));
  for (const [version, snapshot] of seen.entries()) {
    assert.deepEqual(contentOf(await tableIn(store).snapshot(version)), contentOf(snapshot));
  }
  for (const version of [11, -1, 0.5]) assert.equal(await codeOf(table.snapshot(version)), "NOT_FOUND");
});

test("a checkpoint stands in for the commits before it", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  await table.create(every(4));
  const head = await appendMany(table, 9);
  for (let version = 0; version < 8; version += 1) await store.delete([logFilePath(TABLE, version, ".json")]);
  assert.deepEqual(contentOf(await tableIn(store).snapshot()), contentOf(head));
  assert.equal((await tableIn(store).snapshot(8))!.timestampMs, head.timestampMs - 1);
  assert.equal(await codeOf(tableIn(store).snapshot(3)), "NOT_FOUND");
  await store.delete([logFilePath(TABLE, 8, ".json"), logFilePath(TABLE, 9, ".json")]);
  assert.equal((await tableIn(store).snapshot())!.version, 8);
});

const HINTS: readonly [string, string | undefined][] = [
  ["missing", undefined],
  ["cut short", '{"vers'],
  ["of another kind", "[]"],
  ["stale", '{"version":4,"size":9}'],
  ["beyond the newest version", '{"version":400,"size":9}'],
  ["of a version without a checkpoint", '{"version":7,"size":9}'],
];
for (const [name, hint] of HINTS) {
  test(`a table is read whole where the hint is ${name}`, async () => {
    await using store = memoryObjectStore();
    const table = tableIn(store);
    await table.create(every(4));
    const head = await appendMany(table, 9);
    await store.delete([`${LOG}_last_checkpoint`]);
    if (hint !== undefined) await putText(store, `${LOG}_last_checkpoint`, hint);
    assert.deepEqual(contentOf(await tableIn(store).snapshot()), contentOf(head));
  });
}

test("a damaged checkpoint is passed over for an older one, or for the whole log", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  await table.create(every(4));
  const head = await appendMany(table, 9);
  await putText(store, logFilePath(TABLE, 8, ".checkpoint.parquet"), "PAR0");
  assert.deepEqual(contentOf(await tableIn(store).snapshot()), contentOf(head));
  await putText(store, logFilePath(TABLE, 4, ".checkpoint.parquet"), "TEXT\n{}");
  assert.deepEqual(contentOf(await tableIn(store).snapshot()), contentOf(head));
  await store.delete([logFilePath(TABLE, 0, ".json")]);
  assert.equal(await codeOf(tableIn(store).snapshot()), "TABLE_CORRUPT");
});

test("a gap in the log is named, with what to do", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  await table.create(every(4));
  await appendMany(table, 7);
  await store.delete([logFilePath(TABLE, 6, ".json")]);
  await assert.rejects(tableIn(store).snapshot(), /00000000000000000006\.json is missing.*backup/);
  assert.equal(await codeOf(tableIn(store).snapshot()), "TABLE_CORRUPT");
  assert.equal((await tableIn(store).snapshot(5))!.version, 5);
});

test("a commit that is cut short is named, with its line", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  await table.create(READINGS);
  await appendMany(table, 2);
  const path = logFilePath(TABLE, 2, ".json");
  await store.put(path, (await store.get(path)).slice(0, -20));
  await assert.rejects(tableIn(store).snapshot(), /00000000000000000002\.json, line 3/);
});

test("a log of which only the hint is left is not taken for a new table", async () => {
  await using store = memoryObjectStore();
  await putText(store, `${LOG}_last_checkpoint`, '{"version":4,"size":9}');
  assert.equal(await codeOf(tableIn(store).create(READINGS)), "TABLE_CORRUPT");
});

test("checkpoints in parts are read when all parts are there, and passed over when not", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  await table.create(every(4));
  const head = await appendMany(table, 5);
  const single = logFilePath(TABLE, 4, ".checkpoint.parquet");
  const lines = await textCodec.decode(await store.get(single));
  await store.delete([single]);
  for (let version = 0; version < 4; version += 1) await store.delete([logFilePath(TABLE, version, ".json")]);
  const part = (index: number): string =>
    logFilePath(TABLE, 4, `.checkpoint.000000000${index}.0000000002.parquet`);
  await store.put(part(1), await textCodec.encode(lines.slice(0, 3)));
  assert.equal(await codeOf(tableIn(store).snapshot()), "TABLE_CORRUPT");
  await store.put(part(2), await textCodec.encode(lines.slice(3)));
  assert.deepEqual(contentOf(await tableIn(store).snapshot()), contentOf(head));
});

test("a V2 checkpoint is refused by name", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  await table.create(READINGS);
  await putText(store, logFilePath(TABLE, 0, ".checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json"), "{}");
  await assert.rejects(tableIn(store).snapshot(), /80a083e8.*V2 checkpoint/);
});

test("files beside the log that are not its own are passed over", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  await table.create(READINGS);
  const head = await appendMany(table, 2);
  for (const name of [
    "00000000000000000009.crc",
    ".00000000000000000001.json.crc",
    "00000000000000000000.00000000000000000002.compacted.json",
    "x.tmp",
    "_sidecars/0.parquet",
    "0/1.json",
  ]) {
    await putText(store, LOG + name, "rubbish");
  }
  assert.deepEqual(contentOf(await tableIn(store).snapshot()), contentOf(head));
});

const UNSUPPORTED: readonly [string, object, RegExp][] = [
  [
    "reader version 2",
    { protocol: { minReaderVersion: 2, minWriterVersion: 5 } },
    /reader version 2, writer version 5/,
  ],
  ["writer version 3", { protocol: { minReaderVersion: 1, minWriterVersion: 3 } }, /writer version 3/],
  [
    "deletion vectors",
    {
      protocol: {
        minReaderVersion: 3,
        minWriterVersion: 7,
        readerFeatures: ["deletionVectors"],
        writerFeatures: ["deletionVectors", "appendOnly"],
      },
    },
    /the feature deletionVectors, the feature appendOnly/,
  ],
  [
    "column mapping",
    {
      metaData: {
        id: "1",
        format: { provider: "parquet" },
        schemaString: '{"type":"struct","fields":[]}',
        partitionColumns: [],
        configuration: { "delta.columnMapping.mode": "name" },
      },
    },
    /column mapping/,
  ],
  [
    "check constraints",
    {
      metaData: {
        id: "1",
        format: { provider: "parquet" },
        schemaString: '{"type":"struct","fields":[]}',
        partitionColumns: [],
        configuration: { "delta.constraints.positive": "value > 0" },
      },
    },
    /delta.constraints.positive/,
  ],
];
for (const [name, action, message] of UNSUPPORTED) {
  test(`a table with ${name} is refused by name, on loading and on following`, async () => {
    await using store = memoryObjectStore();
    const table = tableIn(store);
    await table.create(READINGS);
    await putText(store, logFilePath(TABLE, 1, ".json"), JSON.stringify(action));
    for (const reader of [table, tableIn(store)]) {
      await assert.rejects(reader.snapshot(), message);
      await assert.rejects(
        reader.snapshot(),
        (error: AtriumError) => error.code === "TABLE_UNSUPPORTED" && error.message.includes(TABLE),
      );
    }
  });
}

test("with a hint only the log from its checkpoint on is listed", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  await table.create(every(4));
  const head = await appendMany(table, 9);
  const starts: (string | undefined)[] = [];
  const list: typeof store.list = async (prefix, startAfter) => {
    starts.push(startAfter);
    return store.list(prefix, startAfter);
  };
  assert.deepEqual(contentOf(await tableIn({ ...store, list }).snapshot()), contentOf(head));
  assert.deepEqual(starts, [logFilePath(TABLE, 8, "")]);
});

// Tables: making them, committing, following them, what changed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryObjectStore } from "../../../src/adapters/memory/object-store.ts";
import { logFilePath } from "../../../src/lakehouse/delta/checkpoint.ts";
import type { ObjectStore } from "../../../src/lakehouse/delta/object-store.ts";
import { AtriumError } from "../../../src/support/errors.ts";
import {
  append,
  appendMany,
  codeOf,
  compact,
  contentOf,
  every,
  fileOf,
  handClock,
  LOG,
  putText,
  READINGS,
  START_MS,
  TABLE,
  tableIn,
  textCodec,
  textOf,
} from "../../support/delta.ts";

test("a table that was never made has no snapshot, no history", async () => {
  await using store = memoryObjectStore();
  assert.equal(await tableIn(store).snapshot(), undefined);
  assert.deepEqual(await tableIn(store).history(10), []);
});

test("creating makes version 0 with the schema, and leaves a table that is there alone", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  const made = await table.create(READINGS);
  assert.equal(made.version, 0);
  assert.deepEqual(made.schema.partitionColumns, ["room"]);
  const other = await tableIn(store, { writerId: "writer-2" }).create({ ...READINGS, partitionColumns: [] });
  assert.deepEqual(other.schema, made.schema);
});

test("many creators of one table make it once", async () => {
  await using store = memoryObjectStore();
  const made = await Promise.all(
    [1, 2, 3, 4].map((n) => tableIn(store, { writerId: `w${n}` }).create(READINGS)),
  );
  assert.equal(new Set(made.map((snapshot) => snapshot.metadata.id)).size, 1);
});

test("a commit is seen by others, with its files and positions", async () => {
  await using store = memoryObjectStore();
  const [one, two] = [tableIn(store), tableIn(store, { writerId: "writer-2" })];
  const base = await one.create(READINGS);
  await two.snapshot();
  const next = await one.commit(append(base, [fileOf("413", "a")], { "bronze:iot.co2:0": 99n }));
  const seen = (await two.snapshot())!;
  assert.deepEqual(contentOf(seen), contentOf(next));
  assert.deepEqual([...seen.files.keys()], ["room=413/a.parquet"]);
  assert.equal(seen.txns.get("bronze:iot.co2:0"), 99n);
});

test("the commit files of a table are these bytes", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  const base = await table.create(READINGS);
  const next = await table.commit({
    ...append(base, [fileOf("4 13", "a")], { "q:t:0": 7n }),
    parameters: { mode: "Append" },
    commitInfo: { rows: 10 },
  });
  await table.commit({
    ...append(next, []),
    removes: [...next.files.keys()],
    operation: "DELETE",
    isolation: { kind: "replace", partitions: [{ room: "4 13" }] },
  });
  const schema =
    '{\\"type\\":\\"struct\\",\\"fields\\":[{\\"name\\":\\"room\\",\\"type\\":\\"string\\",\\"nullable\\":true,\\"metadata\\":{}},{\\"name\\":\\"value\\",\\"type\\":\\"double\\",\\"nullable\\":true,\\"metadata\\":{}}]}';
  assert.equal(
    await textOf(store, `${LOG}00000000000000000000.json`),
    '{"commitInfo":{"timestamp":1377216000000,"operation":"CREATE TABLE","operationParameters":{},"isBlindAppend":true,"engineInfo":"Atrium/1","writerId":"writer-1","txnId":"writer-1-1"}}\n' +
      '{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}\n' +
      `{"metaData":{"id":"writer-1-2","format":{"provider":"parquet","options":{}},"schemaString":"${schema}","partitionColumns":["room"],"configuration":{},"createdTime":1377216000000}}\n`,
  );
  assert.equal(
    await textOf(store, `${LOG}00000000000000000001.json`),
    '{"commitInfo":{"rows":10,"timestamp":1377216000001,"operation":"WRITE","operationParameters":{"mode":"Append"},"readVersion":0,"isBlindAppend":true,"engineInfo":"Atrium/1","writerId":"writer-1","txnId":"writer-1-3","actionCount":2}}\n' +
      '{"txn":{"appId":"q:t:0","version":7,"lastUpdated":1377216000001}}\n' +
      '{"add":{"path":"room=4 13/a.parquet","partitionValues":{"room":"4 13"},"size":1000,"modificationTime":1377216000000,"dataChange":true,"stats":"{\\"numRecords\\":10}"}}\n',
  );
  assert.equal(
    await textOf(store, `${LOG}00000000000000000002.json`),
    '{"commitInfo":{"timestamp":1377216000002,"operation":"DELETE","operationParameters":{},"readVersion":1,"isBlindAppend":false,"engineInfo":"Atrium/1","writerId":"writer-1","txnId":"writer-1-4","actionCount":1}}\n' +
      '{"remove":{"path":"room=4 13/a.parquet","deletionTimestamp":1377216000002,"dataChange":true,"extendedFileMetadata":true,"partitionValues":{"room":"4 13"},"size":1000}}\n',
  );
});

test("commit times rise, even where the clock goes back", async () => {
  await using store = memoryObjectStore();
  const clock = handClock();
  const table = tableIn(store, { clock });
  await table.create(READINGS);
  clock.advance(-5000);
  await appendMany(table, 2);
  const times = (await table.history(10)).map((commit) => commit.timestampMs);
  assert.deepEqual(times, [START_MS + 2, START_MS + 1, START_MS]);
});

test("an append that lost the race goes in behind the winner", async () => {
  await using store = memoryObjectStore();
  const [one, two] = [tableIn(store), tableIn(store, { writerId: "writer-2" })];
  const base = await one.create(READINGS);
  await two.commit(append(base, [fileOf("413", "b")], { other: 1n }));
  const after = await one.commit(append(base, [fileOf("413", "a")], { own: 1n }));
  assert.equal(after.version, 2);
  assert.deepEqual([...after.files.keys()].toSorted(), ["room=413/a.parquet", "room=413/b.parquet"]);
});

test("a writer whose positions another one has committed is overtaken, and told which", async () => {
  await using store = memoryObjectStore();
  const [one, two] = [tableIn(store), tableIn(store, { writerId: "writer-2" })];
  const base = await one.create(READINGS);
  await two.commit(append(base, [fileOf("413", "b")], { "q:t:0": 5n }));
  await assert.rejects(
    one.commit(append(base, [fileOf("413", "a")], { "q:t:0": 9n })),
    (error: AtriumError) => {
      assert.equal(error.code, "COMMIT_OVERTAKEN");
      assert.match(error.message, /q:t:0.*position 5/);
      return true;
    },
  );
  assert.equal((await one.snapshot())!.version, 1);
});

test("positions that do not move forward are refused before anything is written", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  const base = await table.commit(append(await table.create(READINGS), [], { app: 5n }));
  for (const position of [4n, 5n]) {
    assert.equal(
      await codeOf(table.commit(append(base, [fileOf("413", "a")], { app: position }))),
      "COMMIT_OVERTAKEN",
    );
  }
  assert.equal((await table.snapshot())!.version, 1);
});

test("changes gives what each version changed, without files that were only moved", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  await table.create(READINGS);
  const one = await table.commit(append((await table.snapshot())!, [fileOf("413", "old")], { app: 3n }));
  const two = await table.commit(compact(one, "413", "x"));
  await table.commit({ ...append(two, []), removes: ["room=413/x.parquet"], operation: "DELETE" });
  const changes = await table.changes(0, 3);
  assert.deepEqual(
    changes.map(({ version, operation, adds, removes }) => [version, operation, adds.length, removes.length]),
    [
      [1, "WRITE", 1, 0],
      [2, "WRITE", 0, 0],
      [3, "DELETE", 0, 1],
    ],
  );
  assert.equal(changes[0]!.txns.get("app"), 3n);
  assert.equal(changes[0]!.timestampMs, one.timestampMs);
  assert.deepEqual(await table.changes(3, 3), []);
});

test("changes says so when the log no longer holds, or does not hold yet, a version", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  await table.create(READINGS);
  await appendMany(table, 3);
  assert.equal(await codeOf(table.changes(2, 4)), "NOT_FOUND");
  await store.delete([logFilePath(TABLE, 1, ".json")]);
  assert.equal(await codeOf(table.changes(0, 3)), "NOT_FOUND");
});

test("history gives the newest commits first, as many as were asked for", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  await table.create(READINGS);
  await appendMany(table, 3);
  const history = await table.history(2);
  assert.deepEqual(
    history.map(({ version, operation, filesAdded, info }) => [
      version,
      operation,
      filesAdded,
      info["writerId"],
    ]),
    [
      [3, "WRITE", 1, "writer-1"],
      [2, "WRITE", 1, "writer-1"],
    ],
  );
});

test("following a table reads the new commits and nothing else", async () => {
  await using store = memoryObjectStore();
  const read: string[] = [];
  const counting: ObjectStore = {
    ...store,
    get: async (path) => {
      read.push(path);
      return store.get(path);
    },
  };
  const writer = tableIn(store);
  await writer.create(READINGS);
  await appendMany(writer, 3);
  const follower = tableIn(counting);
  await follower.snapshot();
  read.length = 0;
  await appendMany(writer, 2);
  assert.equal((await follower.snapshot())!.version, 5);
  assert.deepEqual(
    read.filter((path) => path <= logFilePath(TABLE, 3, ".json")),
    [],
  );
});

test("a reader that slept while the log was cleaned up loads the table anew, and a writer does not write into the hole", async () => {
  await using store = memoryObjectStore();
  const clock = handClock();
  const [writer, sleeper] = [tableIn(store, { clock }), tableIn(store, { clock, writerId: "sleeper" })];
  await writer.create(every(4));
  const base = (await sleeper.snapshot())!;
  await appendMany(writer, 9);
  for (let version = 0; version < 8; version += 1) await store.delete([logFilePath(TABLE, version, ".json")]);
  clock.advance(2 * 3_600_000);
  assert.equal(await codeOf(sleeper.commit(append(base, [fileOf("413", "late")]))), "COMMIT_CONFLICT");
  assert.equal((await sleeper.snapshot())!.version, 9);
});

test("a checkpoint that cannot be written does not fail the commit, and is reported", async () => {
  await using store = memoryObjectStore();
  const codec = {
    ...textCodec,
    encode: async () => Promise.reject(new AtriumError("STORE_FULL", "The disk is full. Make room.")),
  };
  const warnings: unknown[] = [];
  const quiet = (): void => undefined;
  const logger = {
    debug: quiet,
    info: quiet,
    error: quiet,
    warn: (message: string, fields?: unknown) => warnings.push([message, fields]),
  };
  const table = tableIn(store, {
    codec,
    logger: { ...logger, warn: (message, fields) => void logger.warn(message, fields) },
  });
  await table.create(every(1));
  assert.equal((await appendMany(table, 2)).version, 2);
  assert.equal(warnings.length, 2);
});

test("checkpoints keep the tombstones of the retention time, and no older ones", async () => {
  await using store = memoryObjectStore();
  const clock = handClock();
  const table = tableIn(store, { clock });
  await table.create({
    ...READINGS,
    configuration: {
      "delta.checkpointInterval": "4",
      "delta.deletedFileRetentionDuration": "interval 2 days",
    },
  });
  const one = await table.commit(append((await table.snapshot())!, [fileOf("413", "a"), fileOf("413", "b")]));
  const two = await table.commit({ ...append(one, []), removes: ["room=413/a.parquet"] });
  clock.advance(3 * 86_400_000);
  const three = await table.commit({ ...append(two, []), removes: ["room=413/b.parquet"] });
  assert.equal(three.tombstones.size, 2);
  const fresh = { ...fileOf("413", "c"), modificationTime: clock.nowMs() };
  await table.commit(append(three, [fresh]));
  for (const reader of [table, tableIn(store)]) {
    assert.deepEqual([...(await reader.snapshot())!.tombstones.keys()], ["room=413/b.parquet"]);
  }
});

test("a checkpoint says of no file that it changed data, and leaves no checksum of Spark's beside the hint", async () => {
  await using store = memoryObjectStore();
  const encoded: string[] = [];
  const encode = async (lines: readonly string[]): Promise<Uint8Array> => {
    encoded.push(...lines);
    return textCodec.encode(lines);
  };
  const table = tableIn(store, { codec: { ...textCodec, encode } });
  await table.create(every(3));
  await putText(store, `${LOG}._last_checkpoint.crc`, "sum of an older hint");
  const base = await appendMany(table, 2);
  await table.commit({ ...append(base, []), removes: ["room=413/v1.parquet"] });
  const kinds = encoded.map((line) => Object.keys(JSON.parse(line) as object)[0]);
  assert.deepEqual(kinds, ["protocol", "metaData", "txn", "remove", "add"]);
  assert.ok(!encoded.some((line) => line.includes('"dataChange":true')));
  assert.equal(await codeOf(store.get(`${LOG}._last_checkpoint.crc`)), "NOT_FOUND");
  assert.equal(await textOf(store, `${LOG}_last_checkpoint`), '{"version":3,"size":5}');
});

test("a file that was removed can be added again, and is then no tombstone", async () => {
  await using store = memoryObjectStore();
  const table = tableIn(store);
  await table.create(READINGS);
  const one = await appendMany(table, 1);
  const two = await table.commit({ ...append(one, []), removes: ["room=413/v1.parquet"] });
  assert.deepEqual([two.files.size, two.tombstones.size], [0, 1]);
  const three = await table.commit({ ...append(two, [fileOf("413", "v1")]), operation: "RESTORE" });
  assert.deepEqual([three.files.size, three.tombstones.size], [1, 0]);
});

// The version that was the newest at a time.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryObjectStore } from "../../../src/adapters/memory/object-store.ts";
import {
  append,
  every,
  fileOf,
  handClock,
  LOG,
  putText,
  START_MS,
  tableIn,
  textOf,
} from "../../support/delta.ts";

test("the version at a time is the newest whose commit is not later", async () => {
  const clock = handClock();
  await using store = memoryObjectStore(clock);
  const table = tableIn(store, { clock });
  let head = await table.create(every(4));
  for (let version = 1; version <= 9; version += 1) {
    clock.advance(1000);
    head = await table.commit(append(head, [fileOf("413", `v${version}`)]));
  }
  for (let version = 0; version <= 9; version += 1) {
    const ms = START_MS + version * 1000;
    assert.equal(await table.versionAt(ms), version);
    assert.equal(await table.versionAt(ms + 999), version);
  }
  assert.equal(await table.versionAt(START_MS + 3_600_000), 9);
});

test("a time before the table was made, or before what is kept of it, is refused by name", async () => {
  const clock = handClock();
  await using store = memoryObjectStore(clock);
  const table = tableIn(store, { clock });
  await assert.rejects(table.versionAt(START_MS), {
    code: "NOT_FOUND",
    message: /did not exist at 2013-08-23T00:00:00/,
  });
  let head = await table.create(every(2));
  for (let version = 1; version <= 5; version += 1) {
    clock.advance(1000);
    head = await table.commit(append(head, [fileOf("413", `v${version}`)]));
  }
  await assert.rejects(table.versionAt(START_MS - 1), {
    code: "NOT_FOUND",
    message:
      /did not exist at 2013-08-22T23:59:59\.999Z: its first is version 0 of 2013-08-23T00:00:00\.000Z/,
  });
  await store.delete([0, 1, 2, 3].map((version) => `${LOG}${String(version).padStart(20, "0")}.json`));
  await store.delete([`${LOG}${"2".padStart(20, "0")}.checkpoint.parquet`]);
  await assert.rejects(table.versionAt(START_MS + 3999), {
    code: "NOT_FOUND",
    message: /is no longer kept as it was at .*: the oldest that is kept is version 4 of 2013-08-23T00:00:04/,
  });
  assert.equal(await table.versionAt(START_MS + 4000), 4);
});

test("commits without a time have that of their file, and times of others that go back still find a version", async () => {
  const clock = handClock();
  await using store = memoryObjectStore(clock);
  const table = tableIn(store, { clock });
  let head = await table.create(every(100));
  for (let version = 1; version <= 3; version += 1) {
    clock.advance(1000);
    head = await table.commit(append(head, [fileOf("413", `v${version}`)]));
  }
  const path = `${LOG}${"2".padStart(20, "0")}.json`;
  const body = await textOf(store, path);
  clock.advance(-1000);
  await putText(store, path, body.replace(/"timestamp":\d+,/, ""));
  assert.equal(await table.versionAt(START_MS + 2000), 2);
  await putText(store, path, body.replace(/"timestamp":\d+/, `"timestamp":${START_MS - 60_000}`));
  assert.equal(await table.versionAt(START_MS + 2500), 2);
  assert.equal(await table.versionAt(START_MS + 3000), 3);
});

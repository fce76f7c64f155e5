// Tests of the embedded log beyond the contract: its file, and several processes.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import {
  openEmbeddedLog,
  type EmbeddedLog,
  type EmbeddedLogOptions,
} from "../../../src/adapters/embedded/event-log.ts";
import { recordsOf } from "../../../src/log/records.ts";
import { silentLogger } from "../../../src/support/logger.ts";
import {
  noise,
  readToEnd,
  recordsSeen,
  settle,
  startLogChild,
  stillClock,
  temporaryFolder,
} from "../../support/log.ts";

const START = [{ topic: "iot.co2", partition: 0, offset: 0n }];
const RETENTION = { maxBytes: 67_108_864 };
const clock = stillClock();
let folder = temporaryFolder();
folder.remove();

beforeEach(() => (folder = temporaryFolder()));
afterEach(() => folder.remove());

test("what was appended is there after closing and opening, and so are notes, topics, releases and the id", async () => {
  const first = await open();
  await first.createTopics([{ name: "iot.pir", partitions: 3 }]);
  await append(first, ["a", "b"], { producer: "p", notes: new Map([["at", "2"]]) });
  const { logId } = await first.stats();
  await first[Symbol.asyncDispose]();
  await using again = await open();
  assert.deepEqual(await values(again), ["a", "b"]);
  assert.deepEqual([...(await again.progress("p"))], [["at", "2"]]);
  assert.deepEqual(
    [...(await again.partitions())],
    [
      ["iot.co2", 1],
      ["iot.pir", 3],
    ],
  );
  assert.equal((await again.stats()).logId, logId);
  await append(again, ["c"]);
  assert.deepEqual((await again.ranges(["iot.co2"]))[0]?.end, 3n);
});

test("closing leaves one file behind, and the folder was made", async () => {
  const file = join(folder.path, "a", "b", "log.sqlite");
  const log = await open({ file });
  await append(log, ["a"]);
  await log[Symbol.asyncDispose]();
  assert.deepEqual(readdirSync(join(folder.path, "a", "b")), ["log.sqlite"]);
});

test("every new log has an id of its own", async () => {
  await using one = await open();
  await using two = await open({ file: join(folder.path, "two.sqlite") });
  assert.notEqual((await one.stats()).logId, (await two.stats()).logId);
});

test("a reader of another opening sees an append at its next read, and when it looks again while waiting", async () => {
  await using writer = await open();
  await using reader = await open({ readOnly: true });
  await append(writer, ["a"]);
  assert.deepEqual(await values(reader), ["a"]);
  const from = [{ topic: "iot.co2", partition: 0, offset: 1n }];
  const reading = reader.read(from, { recordsMax: 10, waitMs: 60_000 });
  await settle();
  await append(writer, ["b"]);
  clock.advance(5);
  assert.deepEqual(
    recordsSeen(await reading, from).map(({ value }) => value),
    ["b"],
  );
});

test("a read-only log changes nothing", async () => {
  await using writer = await open();
  await append(writer, ["a"]);
  await using reader = await open({ readOnly: true });
  await assert.rejects(append(reader, ["b"]), { code: "STORE_DENIED" });
  await assert.rejects(reader.release(START), { code: "STORE_DENIED" });
  assert.deepEqual(await values(writer), ["a"]);
});

test("a read-only log that is not there is NOT_FOUND, and is not made", async () => {
  await assert.rejects(openEmbeddedLog({ ...options(), readOnly: true }), { code: "NOT_FOUND" });
  assert.deepEqual(readdirSync(folder.path), []);
});

test("a folder in place of the file is STORE_DENIED, a file in place of its folder STORE_FAILED", async () => {
  mkdirSync(join(folder.path, "log.sqlite"));
  await assert.rejects(openEmbeddedLog(options()), { code: "STORE_DENIED", message: /log\.sqlite/ });
  writeFileSync(join(folder.path, "plain"), "x");
  const file = join(folder.path, "plain", "log.sqlite");
  await assert.rejects(openEmbeddedLog({ ...options(), file }), { code: "STORE_FAILED", message: /plain/ });
});

test("batches come in the order of appending over all partitions", async () => {
  await using log = await open();
  await log.createTopics([{ name: "iot.pir", partitions: 2 }]);
  const places = [
    ["iot.pir", 1],
    ["iot.co2", 0],
    ["iot.pir", 0],
    ["iot.co2", 0],
    ["iot.pir", 1],
  ] as const;
  for (const [topic, partition] of places) {
    await log.append([{ topic, partition, records: recordsOf([{ key: "k", value: "v" }]) }]);
  }
  const from = [0, 1].map((partition) => ({ topic: "iot.pir", partition, offset: 0n })).concat(START);
  const read = await log.read(from, { recordsMax: 100, waitMs: 0 });
  assert.deepEqual(
    read.map(({ topic, partition }) => [topic, partition]),
    places,
  );
});

test("more batches than one look finds are read in one go", async () => {
  await using log = await open();
  const many = Array.from({ length: 200 }, (_, i) => String(i));
  for (const value of many) await append(log, [value]);
  const read = await log.read(START, { recordsMax: 1000, waitMs: 0 });
  assert.deepEqual(
    recordsSeen(read, START).map(({ value }) => value),
    many,
  );
});

test("space that retention frees goes back to the file system", async () => {
  await using log = await open({ retention: { maxBytes: 67_108_864, maxAgeMs: 1000 } });
  for (let i = 0; i < 64; i += 1) await append(log, [noise(65_536, i)]);
  const { usedBytes } = await log.stats();
  await log.release([{ topic: "iot.co2", partition: 0, offset: 60n }]);
  clock.advance(10_000);
  await append(log, ["last"]);
  const left = await log.stats();
  assert.ok(
    left.usedBytes < usedBytes / 8 && left.freeBytes < usedBytes / 8,
    JSON.stringify({ usedBytes, left }),
  );
  await log[Symbol.asyncDispose]();
  assert.ok(statSync(join(folder.path, "log.sqlite")).size < usedBytes / 4);
});

test("another process appends while this one reads and appends: offsets never clash and nothing is lost", async () => {
  await using log = await open();
  const children = [startLogChild(file()), startLogChild(file())];
  const producers = [await children[0]!.answer(), await children[1]!.answer()];
  for (const child of children) child.tell("append 50");
  for (let i = 0; i < 50; i += 1) {
    await append(log, [`own ${i}`]);
    assert.equal(await children[0]!.answer(), String((i + 1) * 3));
    assert.equal(await children[1]!.answer(), String((i + 1) * 3));
  }
  const seen = recordsSeen(await readToEnd(log, START), START);
  for (const child of children) await child.kill();
  assert.deepEqual(
    seen.map(({ at }) => at),
    Array.from({ length: 350 }, (_, i) => `iot.co2/0/${i}`),
  );
  const of = (name = ""): string[] =>
    seen.map(({ value }) => value).filter((value) => value.startsWith(`${name} `));
  assert.deepEqual(
    of("own"),
    Array.from({ length: 50 }, (_, i) => `own ${i}`),
  );
  for (const name of producers) {
    assert.deepEqual(
      of(name),
      Array.from({ length: 150 }, (_, i) => `${name} ${i}`),
    );
  }
});

test("processes that make the same log at the same moment make one log", async () => {
  const children = [0, 1, 2].map(() => startLogChild(file()));
  for (const child of children) assert.match((await child.answer()) ?? "", /^child-/);
  for (const child of children) child.tell("append 1");
  for (const child of children) assert.equal(await child.answer(), "3");
  for (const child of children) await child.kill();
  await using log = await open();
  assert.equal((await values(log)).length, 9);
});

test("after kill -9 of a writer, all that it acknowledged is there, and its notes agree with its records", async () => {
  for (const acknowledgements of [1, 10, 60]) {
    const child = startLogChild(file());
    const producer = (await child.answer()) ?? "";
    child.tell("append 1000000");
    let acknowledged = 0;
    for (let i = 0; i < acknowledgements; i += 1) acknowledged = Number(await child.answer());
    await child.kill();
    await using log = await open();
    const mine = (await values(log)).filter((value) => value.startsWith(`${producer} `));
    assert.ok(
      mine.length >= acknowledged && acknowledged === acknowledgements * 3,
      `${mine.length} of ${acknowledged}`,
    );
    assert.deepEqual(
      mine,
      Array.from({ length: mine.length }, (_, i) => `${producer} ${i}`),
    );
    assert.equal((await log.progress(producer)).get("appended"), String(mine.length));
  }
});

function file(): string {
  return join(folder.path, "log.sqlite");
}

function options(): EmbeddedLogOptions {
  return { file: file(), clock, logger: silentLogger, retention: RETENTION };
}

async function open(changes: Partial<EmbeddedLogOptions> = {}): Promise<EmbeddedLog> {
  const log = await openEmbeddedLog({ ...options(), ...changes });
  if (changes.readOnly !== true) await log.createTopics([{ name: "iot.co2", partitions: 1 }]);
  return log;
}

async function append(
  log: EmbeddedLog,
  items: readonly (string | Uint8Array)[],
  progress?: Parameters<EmbeddedLog["append"]>[1],
): Promise<void> {
  const records = recordsOf(items.map((value) => ({ key: "413:co2", value })));
  await log.append([{ topic: "iot.co2", partition: 0, records }], progress);
}

async function values(log: EmbeddedLog): Promise<string[]> {
  return recordsSeen(await readToEnd(log, START), START).map(({ value }) => value);
}

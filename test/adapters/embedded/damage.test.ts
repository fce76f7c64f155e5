// Tests of the embedded log with a file that is damaged, foreign or newer.

import assert from "node:assert/strict";
import { readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, test } from "node:test";
import { openEmbeddedLog, type EmbeddedLog } from "../../../src/adapters/embedded/event-log.ts";
import { recordsOf } from "../../../src/log/records.ts";
import { isAtriumError } from "../../../src/support/errors.ts";
import { silentLogger } from "../../../src/support/logger.ts";
import { noise, stillClock, temporaryFolder } from "../../support/log.ts";

const BATCHES = 40;
const START = [{ topic: "iot.co2", partition: 0, offset: 0n }];
const ALL = { recordsMax: 1_000_000, waitMs: 0 };
let folder = temporaryFolder();
folder.remove();

beforeEach(async () => {
  folder = temporaryFolder();
  await using log = await open();
  await log.createTopics([{ name: "iot.co2", partitions: 1 }]);
  for (let i = 0; i < BATCHES; i += 1) await append(log, noise(9000, i));
});
afterEach(() => folder.remove());

test("a file that is cut short is LOG_CORRUPT at once, with its name and what to do", async () => {
  const { size } = statSync(file());
  for (const bytes of [size - 1, size - 4096, Math.floor(size / 2), 4096, 100]) {
    truncateSync(file(), bytes);
    const message = /log\.sqlite.*bronze has committed is safe.*errors\.md/s;
    await assert.rejects(open(), { code: "LOG_CORRUPT", message }, `${bytes} bytes`);
  }
});

test("a file of garbage is LOG_CORRUPT", async () => {
  writeFileSync(file(), noise(50_000));
  await assert.rejects(open(), { code: "LOG_CORRUPT" });
});

test("garbage in any page is LOG_CORRUPT, or does no harm, but never gives wrong records", async () => {
  const whole = readFileSync(file());
  for (let page = 0; page * 4096 < whole.byteLength; page += 1) {
    const damaged = Buffer.from(whole);
    damaged.set(noise(2000, page), page * 4096 + 1000);
    writeFileSync(file(), damaged);
    try {
      await using log = await open();
      const read = await log.read(START, ALL);
      assert.deepEqual(
        read.map(({ records }) => [...records.values.subarray(0, 4)]),
        firstBytes(),
        `page ${page}`,
      );
    } catch (error) {
      if (!isAtriumError(error, "LOG_CORRUPT") && !isAtriumError(error, "LOG_OFFSET_LOST")) throw error;
    }
  }
});

test("a changed payload is LOG_CORRUPT and names topic, partition and offset; the batches before it can be read", async () => {
  change("update batch set payload = zeroblob(length(payload)) where base_offset = 7");
  await using log = await open();
  assert.equal((await log.read(START, { recordsMax: 7, waitMs: 0 })).length, 7);
  await assert.rejects(log.read(START, ALL), { code: "LOG_CORRUPT", message: /iot\.co2\/0 at offset 7/ });
});

test("a batch that is missing is LOG_CORRUPT, wherever it stood, and is never skipped", async () => {
  const cases = [
    ["base_offset = 39", 30n],
    ["base_offset = 20", 15n],
    ["base_offset = 10", 10n],
    ["base_offset = 0", 0n],
    ["true", 5n],
  ] as const;
  for (const [gone, offset] of cases) {
    change(`delete from batch where ${gone}`);
    await using log = await open();
    const reading = log.read([{ topic: "iot.co2", partition: 0, offset }], ALL);
    await assert.rejects(reading, { code: "LOG_CORRUPT", message: /lacks the batch/ }, gone);
  }
});

test("a missing table is LOG_CORRUPT at once", async () => {
  change("drop table progress; drop table batch");
  await assert.rejects(open(), { code: "LOG_CORRUPT" });
});

test("a database of something else is not taken for a log, and not changed", async () => {
  const other = join(folder.path, "other.sqlite");
  const db = new DatabaseSync(other);
  db.exec("create table notes (text)");
  db.close();
  const before = readFileSync(other);
  await assert.rejects(open(other), { code: "LOG_CORRUPT", message: /not a log of Atrium/ });
  assert.deepEqual(readFileSync(other), before);
});

test("a log of a newer format is LAKE_NEWER and is not changed", async () => {
  change("pragma user_version = 2");
  const before = readFileSync(file());
  await assert.rejects(open(), { code: "LAKE_NEWER", message: /format 2/ });
  assert.deepEqual(readFileSync(file()), before);
});

test("a file that was emptied is a new log: what is behind its end is LOG_OFFSET_LOST", async () => {
  truncateSync(file(), 0);
  await using log = await open();
  await log.createTopics([{ name: "iot.co2", partitions: 1 }]);
  const reading = log.read([{ topic: "iot.co2", partition: 0, offset: 40n }], ALL);
  await assert.rejects(reading, { code: "LOG_OFFSET_LOST", message: /cut short or replaced/ });
});

function file(): string {
  return join(folder.path, "log.sqlite");
}

function open(path = file()): Promise<EmbeddedLog> {
  return openEmbeddedLog({
    file: path,
    clock: stillClock(),
    logger: silentLogger,
    retention: { maxBytes: 67_108_864 },
  });
}

async function append(log: EmbeddedLog, value: Uint8Array): Promise<void> {
  await log.append([{ topic: "iot.co2", partition: 0, records: recordsOf([{ key: "413:co2", value }]) }]);
}

function firstBytes(): number[][] {
  return Array.from({ length: BATCHES }, (_, i) => [...noise(4, i)]);
}

function change(sql: string): void {
  const db = new DatabaseSync(file());
  db.exec(sql);
  db.close();
}

// Checkpoints as Parquet: what goes in comes out, in Delta's schema; other bytes are refused.

import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DuckDBInstance } from "@duckdb/node-api";
import * as fc from "fast-check";
import { duckdbCheckpointCodec } from "../../../src/adapters/duckdb/checkpoint-codec.ts";
import { memoryObjectStore } from "../../../src/adapters/memory/object-store.ts";
import { type Action, encodeAction, parseActionLines } from "../../../src/lakehouse/delta/actions.ts";
import { logFilePath } from "../../../src/lakehouse/delta/checkpoint.ts";
import {
  appendMany,
  codeOf,
  contentOf,
  every,
  READINGS,
  TABLE,
  tableIn,
  withFolder,
} from "../../support/delta.ts";

let instance: DuckDBInstance;
before(async () => {
  instance = await DuckDBInstance.create(":memory:");
});
after(() => instance.closeSync());
const codecIn = (folder: string): ReturnType<typeof duckdbCheckpointCodec> =>
  duckdbCheckpointCodec(async () => instance.connect(), join(folder, "scratch's"));

const byText = (actions: readonly Action[]): string[] =>
  actions.map((action) => sortedJson(action)).toSorted();
const texts = fc.string({ unit: "grapheme" });
const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const values = fc.dictionary(texts, fc.option(texts), { maxKeys: 3 }).map((all) => ({ ...all }));
const optional = {
  requiredKeys: ["path", "partitionValues", "size", "modificationTime", "dataChange"],
} as const;
const actions: fc.Arbitrary<Action> = fc.oneof(
  fc
    .record(
      {
        path: texts,
        partitionValues: values,
        size: whole,
        modificationTime: whole,
        dataChange: fc.boolean(),
        stats: texts,
        tags: values,
      },
      { requiredKeys: [...optional.requiredKeys] },
    )
    .map((add) => ({ add })),
  fc
    .record(
      { path: texts, dataChange: fc.boolean(), deletionTimestamp: whole, partitionValues: values },
      { requiredKeys: ["path", "dataChange"] },
    )
    .map((remove) => ({ remove })),
  fc.record({ appId: texts, version: fc.bigInt(0n, 2n ** 53n - 1n) }).map((txn) => ({ txn })),
);

test("actions come out of a checkpoint as they went in", async () => {
  await withFolder(async (folder) => {
    const codec = codecIn(folder);
    await fc.assert(
      fc.asyncProperty(fc.array(actions, { minLength: 1, maxLength: 12 }), async (all) => {
        const lines = await codec.decode(await codec.encode(all.map(encodeAction)));
        assert.deepEqual(byText(parseActionLines(lines, "checkpoint")), byText(all));
      }),
      { numRuns: 25 },
    );
    assert.deepEqual(await readdir(join(folder, "scratch's")), []);
  });
});

test("values of maps that are null stay, members that are null count as left out", async () => {
  await withFolder(async (folder) => {
    const codec = codecIn(folder);
    const line =
      '{"add":{"path":"a","partitionValues":{"room":null},"size":1,"modificationTime":1,"dataChange":false}}';
    assert.deepEqual(
      parseActionLines(await codec.decode(await codec.encode([line])), "checkpoint"),
      parseActionLines([line], "checkpoint"),
    );
  });
});

test("a table is read from its Parquet checkpoint as from its log", async () => {
  await withFolder(async (folder) => {
    await using store = memoryObjectStore();
    const codec = codecIn(folder);
    const table = tableIn(store, { codec });
    await table.create({ ...every(5), columns: [...READINGS.columns, { name: "at", type: "timestamp" }] });
    const head = await appendMany(table, 5);
    for (let version = 0; version < 5; version += 1) {
      await store.delete([logFilePath(TABLE, version, ".json")]);
    }
    assert.deepEqual(contentOf(await tableIn(store, { codec }).snapshot()), contentOf(head));
  });
});

test("a checkpoint has the columns and types of Delta's checkpoint schema", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "c.parquet");
    await writeFile(
      file,
      await codecIn(folder).encode(['{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}']),
    );
    const connection = await instance.connect();
    const rows = await connection.runAndReadAll(`DESCRIBE SELECT * FROM read_parquet('${file}')`);
    connection.closeSync();
    const types = Object.fromEntries(rows.getRows().map(([name, type]) => [String(name), String(type)]));
    assert.deepEqual(Object.keys(types).toSorted(), ["add", "metaData", "protocol", "remove", "txn"]);
    assert.match(
      types["add"]!,
      /partitionValues MAP\(VARCHAR, VARCHAR\), size BIGINT, modificationTime BIGINT/,
    );
    assert.match(types["txn"]!, /appId VARCHAR, "?version"? BIGINT/);
    assert.match(
      types["metaData"]!,
      /partitionColumns VARCHAR\[\], "?configuration"? MAP\(VARCHAR, VARCHAR\)/,
    );
    assert.match(types["protocol"]!, /minReaderVersion INTEGER, minWriterVersion INTEGER/);
  });
});

test("bytes that are no checkpoint are corrupt", async () => {
  await withFolder(async (folder) => {
    const codec = codecIn(folder);
    const good = await codec.encode(['{"txn":{"appId":"a","version":1}}']);
    const connection = await instance.connect();
    const other = join(folder, "other.parquet");
    await connection.run(`COPY (SELECT 1 AS x) TO '${other}' (FORMAT parquet)`);
    connection.closeSync();
    for (const bytes of [
      new Uint8Array(0),
      new TextEncoder().encode("PAR1"),
      good.slice(0, -9),
      await readFile(other),
    ]) {
      assert.equal(await codeOf(codec.decode(bytes)), "TABLE_CORRUPT");
    }
  });
});

function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === "bigint") return String(inner);
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}

// The tables as the API sees them, over a real lake.

import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { test } from "node:test";
import { readingsQuery } from "../../src/api/queries.ts";
import { tableReader } from "../../src/api/table-reader.ts";
import type { Engine, FilesInput } from "../../src/lakehouse/engine.ts";
import { DAY, FIRST_DAY } from "../support/api.ts";
import { makeTestLake, message, type TestLake } from "../support/lake.ts";

const BOUNDS = { timeoutMs: 60_000 };
const ALL = { range: { from: undefined, before: undefined }, oneOf: {} };

/** A lake with one reading of a room on each of some days. */
async function lakeWithDays(days: number): Promise<TestLake> {
  const testLake = await makeTestLake();
  await testLake.send(
    Array.from({ length: days }, (_, day) => message("413", "co2", FIRST_DAY + day * DAY + 60, 400 + day)),
  );
  await testLake.ingest();
  await testLake.refine();
  return testLake;
}

test("a query by day opens only as many days as it needs", async () => {
  await using testLake = await lakeWithDays(12);
  const opened: number[] = [];
  const engine: Engine = {
    write: async (transform) => testLake.lake.engine.write(transform),
    query: async (query, signal) => {
      opened.push((query.inputs[0] as FilesInput).files.length);
      return testLake.lake.engine.query(query, signal);
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  const view = await tableReader({ ...testLake.lake, engine }).open("silver/readings");
  const rows = async (limit: number, room: string): Promise<number> => {
    const answer = await view.query(
      readingsQuery(["room", "ts_utc"], { ...ALL, oneOf: { room: [room] } }, { after: undefined, limit }),
      BOUNDS,
    );
    return answer.rows.length;
  };
  assert.equal(await rows(1, "413"), 1);
  assert.deepEqual(opened.splice(0), [2]);
  assert.equal(await rows(3, "413"), 3);
  assert.deepEqual(opened.splice(0), [4]);
  assert.equal(await rows(100, "413"), 12);
  assert.deepEqual(opened.splice(0), [12]);
});

test("days without rows of the filter are passed by, in steps that grow", async () => {
  await using testLake = await makeTestLake();
  const others = Array.from({ length: 12 }, (_, day) => message("1", "co2", FIRST_DAY + day * DAY, 400));
  await testLake.send([...others, message("1", "pir", FIRST_DAY + 11 * DAY + 5, 30)]);
  await testLake.ingest();
  await testLake.refine();
  const view = await tableReader(testLake.lake).open("silver/readings");
  const query = readingsQuery(
    ["sensor_type"],
    { ...ALL, oneOf: { sensor_type: ["pir"] } },
    { after: undefined, limit: 1 },
  );
  assert.deepEqual(
    await view.query({ ...query, filter: {} }, BOUNDS).then(({ rows, truncated }) => [rows, truncated]),
    [[["pir"]], false],
  );
});

test("a view keeps its version while the table goes on", async () => {
  await using testLake = await lakeWithDays(1);
  const reader = tableReader(testLake.lake);
  const old = await reader.open("silver/readings");
  await testLake.send([message("415", "co2", FIRST_DAY, 400)]);
  await testLake.ingest();
  await testLake.refine();
  const fresh = await reader.open("silver/readings");
  const query = readingsQuery(["room"], ALL, { after: undefined, limit: 10 });
  assert.deepEqual(
    [(await old.query(query, BOUNDS)).rows.length, (await fresh.query(query, BOUNDS)).rows.length],
    [1, 2],
  );
  assert.notEqual(old.tag, fresh.tag);
});

test("the newest moment comes from the statistics, rounded up at most to the next ms", async () => {
  await using testLake = await lakeWithDays(2);
  const reader = tableReader(testLake.lake);
  assert.equal((await reader.open("silver/readings")).newest("ts_utc"), "2013-08-24T00:01:00.000000Z");
  assert.equal((await reader.open("silver/readings")).newest("unknown"), "2013-08-24T23:59:59.999999Z");
  assert.equal((await reader.open("gold/room_daily")).newest("ts_utc"), undefined);
});

test("faults of the lake are no faults of the client", async () => {
  await using testLake = await lakeWithDays(1);
  const view = await tableReader(testLake.lake).open("silver/readings");
  const query = readingsQuery(["room"], ALL, { after: undefined, limit: 10 });
  await assert.rejects(view.query({ ...query, sql: "select nothing from silver_readings" }, BOUNDS), {
    code: "ENGINE_FAILED",
  });
  const gone = new AbortController();
  gone.abort();
  await assert.rejects(view.query(query, { ...BOUNDS, signal: gone.signal }), { code: "QUERY_TIMEOUT" });
  const [file] = (await testLake.lake.table("silver/readings").snapshot())!.files.keys();
  await rm(`${testLake.folder}/silver/readings/${decodeURIComponent(file!)}`);
  await assert.rejects(view.query(query, BOUNDS), {
    code: "TABLE_CORRUPT",
    message: /A data file of silver\/readings is missing/,
  });
});

test("a table that does not exist is empty", async () => {
  await using testLake = await makeTestLake();
  const view = await tableReader(testLake.lake).open("gold/room_daily");
  const query = readingsQuery(["room"], ALL, { after: undefined, limit: 10 });
  assert.deepEqual(
    [view.version, await view.query(query, BOUNDS)],
    [undefined, { columns: [], rows: [], truncated: false }],
  );
});

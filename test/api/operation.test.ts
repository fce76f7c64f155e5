// GET /v1/tables and the health of the server.

import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { TABLE_NAMES } from "../../src/reading/tables.ts";
import { AtriumError } from "../../src/support/errors.ts";
import { FIRST_DAY, fakeTables, makeApi, makeBuildingApi, makeLakeApi } from "../support/api.ts";
import { message } from "../support/lake.ts";

test("tables come with version, size and the time of their commit, and a tag", async () => {
  await using api = await makeBuildingApi();
  const { data } = await api.body("/v1/tables");
  assert.deepEqual(
    data.map((row) => row["table"]),
    TABLE_NAMES,
  );
  const silver = data.find((row) => row["table"] === "silver/readings")!;
  assert.deepEqual([silver["rows"], silver["files"], silver["partition_columns"]], [649, 3, ["event_date"]]);
  assert.ok(Number(silver["bytes"]) > 1000);
  assert.match(String(silver["committed_at"]), /^2026-01-01T00:00:00\.\d{3}Z$/);
  const { etag } = (await api.get("/v1/tables")).headers;
  assert.equal((await api.get("/v1/tables", { "if-none-match": etag! })).status, 304);
  const snapshot = await api.testLake.lake.table("silver/readings").snapshot();
  assert.equal(silver["version"], snapshot!.version);
  await api.add([message("413", "co2", FIRST_DAY + 1, 400)]);
  assert.equal((await api.get("/v1/tables", { "if-none-match": etag! })).status, 200);
});

test("a lake without tables has them all, empty, and is ready", async () => {
  await using api = await makeLakeApi();
  const { data } = await api.body("/v1/tables");
  assert.deepEqual(data[0], {
    table: "bronze/readings",
    version: null,
    rows: 0,
    files: 0,
    bytes: 0,
    partition_columns: ["event_date", "room", "sensor_type"],
    committed_at: null,
  });
  assert.deepEqual(await api.body("/health/ready"), { status: "ready" });
});

test("a lake that is gone is not ready, and the reason is named without a path", async () => {
  await using api = await makeLakeApi();
  await rm(join(api.testLake.folder, "_atrium"), { recursive: true });
  const reply = await api.get("/health/ready");
  assert.deepEqual([reply.status, reply.body["code"], reply.headers["retry-after"]], [503, "NOT_READY", "5"]);
  assert.deepEqual(reply.body.errors, [{ parameter: "lake", message: "NOT_FOUND: There is no lake." }]);
  assert.doesNotMatch(reply.text, new RegExp(api.testLake.folder));
  assert.equal((await api.get("/health/live")).status, 200);
});

test("tables that cannot be read are not ready, and the log has why", async () => {
  const check = async (): Promise<void> => {
    throw new AtriumError("TABLE_CORRUPT", "/secret/place/00000000000000000001.json is missing");
  };
  await using api = await makeApi(fakeTables({ check }));
  const reply = await api.get("/health/ready");
  assert.equal(reply.status, 503);
  assert.match(reply.body.detail, /^The lake cannot be read \(TABLE_CORRUPT\)/);
  assert.doesNotMatch(reply.text, /secret/);
  assert.ok(
    api.logLines.some(
      ({ level, fields }) => level === "warn" && String(fields["error"]).includes("/secret/place"),
    ),
  );
});

test("health is never stored", async () => {
  await using api = await makeApi(fakeTables());
  for (const path of ["/health", "/health/live", "/health/ready"]) {
    assert.equal((await api.get(path)).headers["cache-control"], "no-store");
  }
});

// /metrics: who may read it, what it says of requests and queries, and that it is described.

import assert from "node:assert/strict";
import { test } from "node:test";
import { AtriumError } from "../../src/support/errors.ts";
import { silentLogger } from "../../src/support/logger.ts";
import { createMetrics } from "../../src/support/metric-registry.ts";
import { fakeTables, makeApi, makeLakeApi } from "../support/api.ts";
import { samplesOf } from "../support/exposition.ts";
import { message, testClock } from "../support/lake.ts";

const newMetrics = async () => createMetrics({ clock: testClock(), logger: silentLogger });

test("requests are counted by path pattern and status, queries are timed by table", async () => {
  await using api = await makeLakeApi({ metrics: await newMetrics() });
  await api.add([message("413", "co2", 1_377_299_108, 500)]);
  const day = "from=2013-08-23&to=2013-08-25";
  for (const url of [
    `/v1/readings?${day}`,
    `/v1/readings?${day}&room=413`,
    "/v1/readings?odd=1",
    "/no/such",
  ]) {
    await api.get(url);
  }
  const reply = await api.get("/metrics");
  assert.deepEqual(
    [reply.status, reply.headers["content-type"], reply.headers["cache-control"]],
    [200, "text/plain; version=0.0.4; charset=utf-8", "no-store"],
  );
  const samples = samplesOf(reply.text);
  const requests = (route: string, status: number): number | undefined =>
    samples.get(`atrium_http_requests_total{route="${route}",status="${status}"}`);
  assert.deepEqual(
    [requests("/v1/readings", 200), requests("/v1/readings", 400), requests("none", 404)],
    [2, 1, 1],
  );
  assert.equal(samples.get('atrium_query_duration_seconds_count{table="silver/readings"}'), 2);
});

test("queries that fail are counted by their code, and not timed", async () => {
  const failing = fakeTables(
    {},
    {
      query: async () => {
        throw new AtriumError("QUERY_TIMEOUT", "It took too long. Ask for less.");
      },
    },
  );
  await using api = await makeApi(failing, { metrics: await newMetrics() });
  assert.equal((await api.get("/v1/kpis/daily?from=2013-08-23&to=2013-08-23")).status, 503);
  const samples = samplesOf((await api.get("/metrics")).text);
  const failures = 'atrium_query_failures_total{table="gold/room_daily",code="QUERY_TIMEOUT"}';
  assert.equal(samples.get(failures), 1);
  assert.equal(samples.has('atrium_query_duration_seconds_count{table="gold/room_daily"}'), false);
});

test("a key is asked for where there are keys, and the path is described", async () => {
  await using api = await makeApi(fakeTables(), {
    metrics: await newMetrics(),
    apiKeys: ["a-key-of-a-test"],
  });
  assert.equal((await api.get("/metrics")).status, 401);
  assert.equal((await api.get("/metrics", { "x-api-key": "a-key-of-a-test" })).status, 200);
  const document = await api.body("/openapi.json");
  const { get } = (
    document["paths"] as Record<string, Record<string, { responses: Record<string, unknown> }>>
  )["/metrics"]!;
  assert.deepEqual(Object.keys(get!.responses), ["200", "400", "401", "405", "500"]);
});

test("without metrics there is no such path", async () => {
  await using api = await makeApi(fakeTables());
  assert.equal((await api.get("/metrics")).status, 404);
});

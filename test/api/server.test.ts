// What holds for every request: paths, methods, keys, ids, headers, problems, bounds.

import assert from "node:assert/strict";
import { METHODS } from "node:http";
import { describe, test } from "node:test";
import type { TableQuery } from "../../src/api/queries.ts";
import { AtriumError, ERROR_CATALOGUE, type ErrorCode } from "../../src/support/errors.ts";
import { fakeTables, makeApi, type Reply } from "../support/api.ts";
import { stillClock } from "../support/log.ts";

const settle = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function failingWith(error: unknown) {
  return fakeTables(
    {},
    {
      query: async () => {
        throw error;
      },
    },
  );
}

function assertProblem(reply: Reply, status: number, code: string): void {
  assert.equal(reply.status, status, reply.text);
  assert.match(reply.headers["content-type"]!, /^application\/problem\+json/);
  const { type, title, detail, instance, request_id: id } = reply.body;
  assert.deepEqual(
    [reply.body["status"], reply.body["code"], type],
    [status, code, `urn:atrium:error:${code}`],
  );
  assert.ok(String(title).length > 10 && detail.length > 10 && String(instance).startsWith("/"), reply.text);
  assert.equal(id, reply.headers["x-request-id"]);
  assert.doesNotMatch(reply.text, /\n\s+at |\.ts:\d/);
}

describe("paths and methods", () => {
  test("an unknown path is a problem", async () => {
    await using api = await makeApi(fakeTables());
    for (const path of [
      "/nope",
      "/v1",

      "/V1/rooms",
      "//v1/rooms",
      "/v1/rooms/a/b",
      "/docs/nope",
      "/v1/kpis",
    ]) {
      assertProblem(await api.get(path), 404, "PATH_UNKNOWN");
    }
    assertProblem(await api.send("POST", "/nope"), 404, "PATH_UNKNOWN");
    assertProblem(await api.get("/v1/rooms/"), 404, "NOT_FOUND");
  });

  test("every method but GET and HEAD is refused with Allow, whatever body it has", async () => {
    await using api = await makeApi(fakeTables());
    const taken = new Set(["GET", "HEAD", "CONNECT"]);
    for (const method of METHODS.filter((name) => !taken.has(name))) {
      for (const path of ["/v1/rooms", "/v1/rooms/413?x=1", "/health", "/docs/", "/openapi.json"]) {
        const reply = await api.send(method, path, {
          headers: { "content-type": "application/json" },
          payload: "{",
        });
        assertProblem(reply, 405, "METHOD_NOT_ALLOWED");
        assert.equal(reply.headers["allow"], "GET, HEAD", `${method} ${path}`);
      }
    }
  });

  test("HEAD answers as GET, without the body", async () => {
    await using api = await makeApi(fakeTables());
    const reply = await api.send("HEAD", "/v1/rooms");
    assert.deepEqual([reply.status, reply.text], [200, ""]);
    assert.equal(reply.headers["etag"], (await api.get("/v1/rooms")).headers["etag"]);
  });

  test("an address that is no percent-encoding is a problem", async () => {
    await using api = await makeApi(fakeTables());
    assertProblem(await api.get("/v1/%zz"), 400, "REQUEST_INVALID");
  });

  test("the root leads to the page of documents", async () => {
    await using api = await makeApi(fakeTables());
    const reply = await api.get("/");
    assert.deepEqual([reply.status, reply.headers["location"]], [302, "/docs/"]);
  });

  test("unknown parameters are refused on every path", async () => {
    await using api = await makeApi(fakeTables());
    const paths = [
      "/v1/rooms",
      "/v1/rooms/413",
      "/v1/sensors",
      "/v1/sensor-types",
      "/v1/readings",
      "/v1/kpis/hourly",
      "/v1/kpis/daily",
      "/v1/kpis/restatements",
      "/v1/tables",
    ];
    for (const path of [
      ...paths,
      "/health",
      "/health/live",
      "/health/ready",
      "/silver/rooms",
      "/silver/sensor-types",
      "/silver/readings",
    ]) {
      const reply = await api.get(`${path}?limt=1`);
      assertProblem(reply, 400, "PARAMETER_INVALID");
      assert.equal(reply.body.errors[0]!.parameter, "limt", path);
    }
    assert.match((await api.get("/v1/rooms?limt=1")).body.detail, /Did you mean limit\?/);
  });
});

describe("API keys", () => {
  const keyed = { apiKeys: ["first-key", "second-key"] };

  test("open health and documents only to those who have none", async () => {
    await using api = await makeApi(fakeTables(), keyed);
    for (const path of [
      "/health",
      "/health/live",
      "/health/ready",
      "/openapi.json",
      "/docs/",
      "/docs/static/index.css",
    ]) {
      assert.equal((await api.get(path)).status, 200, path);
    }
    for (const path of [
      "/v1/rooms",
      "/v1/rooms/413",
      "/v1/readings?limit=x",
      "/v1/tables",
      "/silver/rooms",
      "/nope",
      "/healthy",
      "/docsx",
    ]) {
      const reply = await api.get(path);
      assertProblem(reply, 401, "UNAUTHORIZED");
      assert.equal(reply.headers["www-authenticate"], 'Bearer realm="atrium"', path);
    }
    assertProblem(await api.send("DELETE", "/v1/rooms"), 401, "UNAUTHORIZED");
  });

  test("are taken as a bearer token or in X-API-Key; others are refused", async () => {
    await using api = await makeApi(fakeTables(), keyed);
    const status = async (headers: Readonly<Record<string, string>>): Promise<number> =>
      (await api.get("/v1/rooms", headers)).status;
    for (const headers of [
      { authorization: "Bearer first-key" },
      { authorization: "bearer second-key" },
      { "x-api-key": "second-key" },
      { authorization: "Basic x", "x-api-key": "first-key" },
    ]) {
      assert.equal(await status(headers), 200, JSON.stringify(headers));
    }
    for (const headers of [
      { authorization: "Bearer first" },
      { authorization: "first-key" },
      { authorization: "Basic first-key" },
      { "x-api-key": "" },
      { "x-api-key": "first-key,second-key" },
    ]) {
      assert.equal(await status(headers), 401, JSON.stringify(headers));
    }
  });
});

describe("headers", () => {
  test("a sane request id of the client is kept, others are replaced by ids that differ", async () => {
    await using api = await makeApi(fakeTables());
    const idFor = async (id: string): Promise<string> =>
      (await api.get("/health", { "x-request-id": id })).headers["x-request-id"]!;
    assert.equal(await idFor("abc-123.x:y_z"), "abc-123.x:y_z");
    const made = [
      await idFor("has blank"),
      await idFor("x".repeat(65)),
      await idFor('"'),
      (await api.get("/health")).headers["x-request-id"]!,
    ];
    assert.equal(new Set(made).size, made.length);
    for (const id of made) assert.match(id, /^[0-9a-f]{8}-\d+$/);
  });

  test("no answer is sniffed or framed", async () => {
    await using api = await makeApi(fakeTables());
    for (const path of ["/v1/rooms", "/nope", "/docs/", "/v1/%zz"]) {
      const { headers } = await api.get(path);
      assert.equal(headers["x-content-type-options"], "nosniff", path);
      assert.match(headers["content-security-policy"]!, /frame-ancestors 'none'/);
    }
  });
});

describe("failures", () => {
  test("of the server show their code, and their cause only in the log", async () => {
    for (const error of [
      new AtriumError("ENGINE_FAILED", "/secret/file broke"),
      new Error("secret thing"),
      new AtriumError("STORE_FAILED", "secret bucket"),
    ]) {
      await using api = await makeApi(failingWith(error));
      const reply = await api.get("/v1/readings", { "x-request-id": "r1" });
      const code = error instanceof AtriumError ? error.code : "INTERNAL";
      assertProblem(reply, ERROR_CATALOGUE[code].httpStatus, code);
      assert.doesNotMatch(reply.text, /secret/);
      const [line] = api.logLines.filter(({ level }) => level === "error");
      assert.match(String(line!.fields["error"]), /secret/);
      assert.equal(line!.fields["requestId"], "r1");
    }
  });

  test("of every code have the status of the catalogue", async () => {
    for (const code of Object.keys(ERROR_CATALOGUE) as ErrorCode[]) {
      await using api = await makeApi(failingWith(new AtriumError(code, "It went wrong here.")));
      assertProblem(await api.get("/v1/rooms"), ERROR_CATALOGUE[code].httpStatus, code);
    }
  });

  test("that may pass say when to come again", async () => {
    await using api = await makeApi(
      failingWith(new AtriumError("QUERY_TIMEOUT", "The query was stopped after 1 s: ask for less.")),
    );
    const reply = await api.get("/v1/kpis/daily");
    assertProblem(reply, 503, "QUERY_TIMEOUT");
    assert.deepEqual(
      [reply.headers["retry-after"], reply.body.detail],
      ["5", "The query was stopped after 1 s: ask for less."],
    );
  });

  test("of clients are no errors of the log", async () => {
    await using api = await makeApi(fakeTables());
    await api.get("/nope");
    await api.get("/v1/rooms?limit=x");
    assert.deepEqual(
      api.logLines.map(({ level, fields }) => [level, fields["status"]]),
      [
        ["debug", 404],
        ["debug", 400],
      ],
    );
  });
});

describe("bounds", () => {
  test("eight queries run at once, the ninth waits for a place and no longer than its time", async () => {
    const clock = stillClock();
    const held = Promise.withResolvers<void>();
    let running = 0;
    const query = async () => {
      running += 1;
      await held.promise;
      return { columns: [], rows: [], truncated: false };
    };
    await using api = await makeApi(fakeTables({}, { query }), { clock, queryTimeoutMs: 2000 });
    const replies = Array.from({ length: 9 }, async () => api.get("/v1/rooms"));
    while (clock.sleeping() === 0) await settle();
    assert.equal(running, 8);
    clock.advance(2000);
    const refused = await Promise.race(replies);
    assertProblem(refused, 503, "QUERY_TIMEOUT");
    held.resolve();
    const statuses = (await Promise.all(replies)).map(({ status }) => status).toSorted((a, b) => a - b);
    assert.deepEqual(statuses, [...Array.from({ length: 8 }, () => 200), 503]);
  });

  test("a query has the configured time, and no more rows than the page", async () => {
    const asked: { query: TableQuery; timeoutMs: number }[] = [];
    const tables = fakeTables(
      {},
      {
        query: async (query, { timeoutMs }) => {
          asked.push({ query, timeoutMs });
          return { columns: [], rows: [], truncated: false };
        },
      },
    );
    await using api = await makeApi(tables, { clock: stillClock(), queryTimeoutMs: 1234 });
    await api.get("/v1/readings?limit=7");
    assert.deepEqual(
      asked.map(({ query, timeoutMs }) => [query.rowsMax, timeoutMs]),
      [[7, 1234]],
    );
  });
});

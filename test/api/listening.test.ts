// The server on a real socket: what only the network shows.

import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { listen } from "../../src/api/server.ts";
import { fakeTables, makeApi, type TestApi } from "../support/api.ts";
import { stillClock } from "../support/log.ts";

const LOCAL = { host: "127.0.0.1", port: 0 };

/** Sends bytes as they are and returns all that comes back. */
async function exchange(api: TestApi, bytes: string): Promise<string> {
  const { port } = api.server.server.address() as AddressInfo;
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  socket.setEncoding("utf8").on("data", (text: string) => (answer += text));
  socket.write(bytes);
  await once(socket, "close");
  return answer;
}

describe("the listening server", () => {
  test("answers on its address", async () => {
    await using api = await makeApi(fakeTables());
    const address = await listen(api.server, LOCAL);
    assert.match(address, /^http:\/\/127\.0\.0\.1:\d+$/);
    const answer = await fetch(`${address}/v1/rooms`);
    assert.deepEqual([answer.status, await answer.json()], [200, { data: [], next_cursor: null }]);
  });

  test("a port in use is named, with the setting that changes it", async () => {
    await using first = await makeApi(fakeTables());
    const port = Number(new URL(await listen(first.server, LOCAL)).port);
    await using second = await makeApi(fakeTables());
    await assert.rejects(listen(second.server, { host: "127.0.0.1", port }), {
      code: "PORT_IN_USE",
      message: `127.0.0.1:${port} is taken by another process: set API_PORT to another port (0 for any free one), or stop that process.`,
    });
  });

  test("an address of another machine is named", async () => {
    await using api = await makeApi(fakeTables());
    await assert.rejects(listen(api.server, { host: "192.0.2.1", port: 0 }), {
      code: "CONFIG_INVALID",
      message: /^192\.0\.2\.1:0 is no address of this machine: set API_HOST/,
    });
  });

  test("what is no HTTP, a method nobody knows, a tunnel and endless headers get a problem", async () => {
    await using api = await makeApi(fakeTables());
    await listen(api.server, LOCAL);
    const cases: readonly (readonly [string, number, string])[] = [
      ["hello\r\n\r\n", 405, "METHOD_NOT_ALLOWED"],
      ["GET / HTTP/1.1\r\nHost: a\r\nbroken header\r\n\r\n", 400, "REQUEST_INVALID"],
      ["BREW /v1/rooms HTTP/1.1\r\nHost: a\r\n\r\n", 405, "METHOD_NOT_ALLOWED"],
      ["CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405, "METHOD_NOT_ALLOWED"],
      [`GET /v1/rooms?room=${"a".repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 431, "HEADERS_TOO_LARGE"],
    ];
    for (const [bytes, status, code] of cases) {
      const [head, body] = (await exchange(api, bytes)).split("\r\n\r\n");
      assert.equal(head!.split(" ", 2)[1], String(status), head!);
      assert.match(head!, /application\/problem\+json/);
      assert.equal((JSON.parse(body!) as { readonly code: string }).code, code);
      assert.equal(head!.includes("allow: GET, HEAD"), status === 405);
    }
  });

  test("a client that goes away ends its query", async () => {
    const started = Promise.withResolvers<AbortSignal>();
    const query = async (_query: unknown, { signal }: { readonly signal?: AbortSignal }) => {
      started.resolve(signal!);
      await once(signal!, "abort");
      throw new Error("given up");
    };
    await using api = await makeApi(fakeTables({}, { query }));
    const address = await listen(api.server, LOCAL);
    const gone = request(`${address}/v1/rooms`).on("error", () => undefined);
    gone.end();
    const signal = await started.promise;
    assert.equal(signal.aborted, false);
    gone.destroy();
    await once(signal, "abort");
    assert.deepEqual(
      api.logLines.filter(({ level }) => level === "error"),
      [],
    );
  });

  test("closing lets a request under way end, and takes no new one", async () => {
    const [started, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const query = async () => {
      started.resolve();
      await held.promise;
      return { columns: [], rows: [], truncated: false };
    };
    const clock = stillClock();
    await using api = await makeApi(fakeTables({}, { query }), { clock });
    const address = await listen(api.server, LOCAL);
    const answer = fetch(`${address}/v1/rooms`);
    await started.promise;
    const closed = api.server.close();
    while (api.server.server.listening) await new Promise((resolve) => setImmediate(resolve));
    await assert.rejects(fetch(`${address}/health`));
    held.resolve();
    assert.equal((await answer).status, 200);
    await closed;
    assert.equal(clock.sleeping(), 0);
  });

  test("a request that does not end is cut off 5 s after closing began", async () => {
    const started = Promise.withResolvers<void>();
    const query = async (_query: unknown, { signal }: { readonly signal?: AbortSignal }) => {
      started.resolve();
      await once(signal!, "abort");
      throw new Error("given up");
    };
    const clock = stillClock();
    await using api = await makeApi(fakeTables({}, { query }), { clock });
    const address = await listen(api.server, LOCAL);
    const answer = assert.rejects(fetch(`${address}/v1/rooms`));
    await started.promise;
    const closed = api.server.close();
    while (clock.sleeping() === 0) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(4999);
    assert.equal(clock.sleeping(), 1);
    clock.advance(1);
    await answer;
    await closed;
  });
});

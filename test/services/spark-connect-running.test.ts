// The Spark Connect client and a real server over time: statements stopped, connections cut, sessions kept apart, streams.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Spark, startSpark } from "../../services/spark.ts";
import { openSpark, type QueryOptions, type SparkSession } from "../../src/adapters/spark/connect/session.ts";
import { systemClock } from "../../src/support/clock.ts";
import { temporaryFolder } from "../support/program.ts";
import { withoutServices } from "../support/services.ts";
import { tcpProxy } from "../support/tcp-proxy.ts";

/** Gives its first rows soon and its last ones not within any test's time. */
const SLOW = "select id, repeat('x', 1000) from range(0, 100000000, 1, 10000)";
const CANCELED = { code: "ENGINE_FAILED", message: /OPERATION_CANCELED/ };
const skip = await withoutServices("spark");

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let spark: Spark;
let session: SparkSession;

describe("the Spark Connect client over time", { skip }, () => {
  before(async () => {
    folder = await temporaryFolder();
    spark = await startSpark({ folder: join(folder.path, "spark") });
    session = await openSpark({ remote: spark.remote });
  });
  after(async () => {
    await session?.close();
    await spark?.stop();
    await folder?.[Symbol.asyncDispose]();
  });

  describe("stopping", () => {
    test("the statements with a tag are stopped, and no others", async () => {
      const rest = await underWay(session, { tags: ["mine", "slow"] });
      assert.deepEqual(await session.interruptTag("other"), []);
      assert.equal((await session.interruptTag("mine")).length, 1);
      await assert.rejects(rest.end(), CANCELED);
      assert.deepEqual((await session.query("select 1")).rows, [[1]]);
    });

    test("a statement is stopped by its id", async () => {
      const operationId = randomUUID();
      const rest = await underWay(session, { operationId });
      assert.deepEqual(await session.interruptOperation(randomUUID()), []);
      assert.deepEqual(await session.interruptOperation(operationId), [operationId]);
      await assert.rejects(rest.end(), CANCELED);
    });

    test("a signal ends the call with its reason, and the statement on the server", async () => {
      await using own = await openSpark({ remote: spark.remote });
      const [operationId, canceller] = [randomUUID(), new AbortController()];
      const rest = await underWay(own, { operationId, signal: canceller.signal });
      canceller.abort(new Error("enough"));
      await assert.rejects(rest.end(), { message: "enough" });
      await assertGone(own, operationId);
      const options = { signal: AbortSignal.abort(new Error("no")) };
      await assert.rejects(session.query("select 1", options), { message: "no" });
    });

    test("the time limit ends the call, and the statement on the server", async () => {
      const limit = Promise.withResolvers<void>();
      const sleep = async (ms: number, signal?: AbortSignal): Promise<void> =>
        ms === 77_000 ? limit.promise : systemClock.sleep(ms, signal);
      await using own = await openSpark({ remote: spark.remote, clock: { ...systemClock, sleep } });
      const operationId = randomUUID();
      const rest = await underWay(own, { operationId, timeoutMs: 77_000 });
      limit.resolve();
      await assert.rejects(rest.end(), { code: "QUERY_TIMEOUT", message: /after 77 s/ });
      await assertGone(own, operationId);
    });

    test("a statement that is left before it has rows is stopped when Spark can stop it, not before", async () => {
      const waits: number[] = [];
      const sleep = async (ms: number, signal?: AbortSignal): Promise<void> => {
        waits.push(ms);
        await systemClock.sleep(ms, signal);
      };
      const clock = { ...systemClock, sleep, monotonicMs: () => 0 };
      await using own = await openSpark({ remote: spark.remote, clock });
      const [operationId, canceller] = [randomUUID(), new AbortController()];
      const sql = "select count(*) from range(10000000000)";
      const asked = own.query(sql, { operationId, signal: canceller.signal });
      setImmediate(() => canceller.abort(new Error("enough")));
      await assert.rejects(asked, { message: "enough" });
      await assertGone(own, operationId);
      assert.deepEqual(waits, [2000]);
    });

    test("leaving a result early ends the statement on the server", async () => {
      await using own = await openSpark({ remote: spark.remote });
      const operationId = randomUUID();
      for await (const _ of own.batches(SLOW, { operationId })) break;
      await assertGone(own, operationId);
    });
  });

  describe("broken connections", () => {
    test("a result whose connection is cut again and again is whole: each row once and in order", async () => {
      await using proxy = await tcpProxy(spark.place.ports["connect"]!);
      await using own = await openSpark({ remote: `sc://127.0.0.1:${proxy.port}` });
      await own.query("select 1");
      proxy.cutAfter(400_000, 4);
      const { rows } = await own.query("select id, repeat('x', 100) from range(0, 60000, 1, 8)");
      assert.ok(proxy.cuts >= 3, `${proxy.cuts} cuts`);
      assert.deepEqual(
        rows.map(([id]) => id),
        Array.from({ length: 60_000 }, (_, id) => BigInt(id)),
      );
    });

    test("a command whose answer is cut off is done once", async () => {
      const path = join(folder.path, "once");
      await session.run(`create table delta.\`${path}\` (n bigint) using delta`);
      await using proxy = await tcpProxy(spark.place.ports["connect"]!);
      await using own = await openSpark({ remote: `sc://127.0.0.1:${proxy.port}` });
      for (let n = 1n; n <= 5n; n += 1n) {
        await own.query("select 1");
        proxy.cutAfter(Number(n), 2);
        await own.run(`insert into delta.\`${path}\` values (?)`, { parameters: [n] });
      }
      assert.ok(proxy.cuts >= 5, `${proxy.cuts} cuts`);
      const { rows } = await session.query(`select n from delta.\`${path}\` order by n`);
      assert.deepEqual(rows, [[1n], [2n], [3n], [4n], [5n]]);
    });
  });

  describe("sessions", () => {
    test("one does not see the views and settings of another, and finds its own again", async () => {
      const name = "spark.sql.session.timeZone";
      await using first = await openSpark({ remote: spark.remote });
      await using second = await openSpark({ remote: spark.remote });
      await first.createView("own", first.relation("select ? as x", [7n]));
      await first.set({ [name]: "Asia/Tokyo" });
      assert.deepEqual((await first.query("select * from own")).rows, [[7n]]);
      await assert.rejects(second.query("select * from own"), { code: "QUERY_INVALID" });
      assert.equal((await second.settings([name])).get(name), "UTC");
      await first.leave();
      await using again = await openSpark({ remote: spark.remote, sessionId: first.id });
      assert.deepEqual((await again.query("select * from own")).rows, [[7n]]);
      const settings = await again.settings([name, "spark.no.such"]);
      assert.deepEqual(
        [...settings],
        [
          [name, "Asia/Tokyo"],
          ["spark.no.such", undefined],
        ],
      );
    });

    test("of two users, neither comes into the other's session", async () => {
      await using one = await openSpark({ remote: spark.remote, userId: "one" });
      await one.createView("own", one.relation("select 1"));
      await using two = await openSpark({ remote: spark.remote, userId: "two", sessionId: one.id });
      await assert.rejects(two.query("select * from own"), { code: "QUERY_INVALID" });
    });
  });

  describe("streams", () => {
    test("one from SQL over a source runs, is found, tells how far it is, and stops", async () => {
      const source = session.streamOf({ format: "rate", options: { rowsPerSecond: "1000" } });
      await session.createView("ticks", source);
      const stream = await session.streams.start("select value * 2 as even from ticks", {
        format: "memory",
        name: "evens",
      });
      while ((await stream.progress()).every(({ inputRows }) => inputRows === 0));
      assert.equal((await stream.status()).isActive, true);
      const [found, ...others] = await session.streams.list();
      assert.deepEqual(
        [found?.id, found?.runId, found?.name, others],
        [stream.id, stream.runId, "evens", []],
      );
      await assert.rejects(stream.ended(AbortSignal.abort(new Error("waited"))), { message: "waited" });
      await stream.stop();
      await stream.ended();
      assert.equal((await stream.status()).isActive, false);
      assert.deepEqual(await session.streams.list(), []);
      assert.deepEqual((await session.query("select count(*) > 0, min(even) from evens")).rows, [[true, 0n]]);
    });

    test("one over a Delta table goes on where its checkpoint ended, and takes each row once", async () => {
      const [from, to, checkpoint] = ["from", "to", "checkpoint"].map((name) => join(folder.path, name)) as [
        string,
        string,
        string,
      ];
      await session.run(`create table delta.\`${from}\` (n bigint) using delta`);
      for (const n of [1n, 2n]) {
        await session.run(`insert into delta.\`${from}\` values (?)`, { parameters: [n] });
        const source = session.streamOf({ format: "delta", paths: [from] });
        const stream = await session.streams.start(source, {
          format: "delta",
          path: to,
          checkpoint,
          trigger: "now",
        });
        await stream.ended();
        assert.equal(
          (await stream.progress()).reduce((sum, { inputRows }) => sum + inputRows, 0),
          1,
        );
      }
      assert.deepEqual((await session.query(`select n from delta.\`${to}\` order by n`)).rows, [[1n], [2n]]);
    });

    test("one that fails says why where it is awaited", async () => {
      await session.createView("ticks", session.streamOf({ format: "rate" }));
      const sql = "select raise_error('broken') as x from ticks";
      const stream = await session.streams.start(sql, { format: "noop" });
      await assert.rejects(stream.ended(), { code: "ENGINE_FAILED", message: /STREAM_FAILED.*broken/ });
    });
  });
});

/** Begins the slow statement: when this resolves, its first rows are here and the rest is being made. */
async function underWay(own: SparkSession, options: QueryOptions): Promise<{ end(): Promise<void> }> {
  const batches = own.batches(SLOW, options);
  await batches.next();
  return {
    end: async () => {
      for await (const _ of batches);
    },
  };
}

/** The server does not know the statement any more. Leaves the session. */
async function assertGone(own: SparkSession, operationId: string): Promise<void> {
  await own.leave();
  await using again = await openSpark({ remote: spark.remote, sessionId: own.id });
  assert.deepEqual(await again.interruptOperation(operationId), []);
}

// Spark and S3: drivers that race with each other and with our own writer for the versions of a table, and lakes both can read.

import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { type Spark, startSpark } from "../../services/spark.ts";
import { openSpark } from "../../src/adapters/spark/connect/session.ts";
import { append, every, fileOf, tableIn } from "../support/delta.ts";
import type { AppenderData } from "../support/s3-appender.ts";
import { type S3Proxy, s3Proxy } from "../support/s3-proxy.ts";
import { type S3Fixture, s3Fixture, testStore } from "../support/s3.ts";
import { withoutServices } from "../support/services.ts";

const skip = await withoutServices("s3", "spark");
const SPARK_COMMITS = 15;
const OUR_COMMITS = 40;
/** What Delta uses if nothing is set. */
const DELTAS_OWN = "io.delta.storage.S3SingleDriverLogStore";
/** The first version after that which made the table. */
const FIRST = "_delta_log/00000000000000000001.json";
/** No checkpoints: the tests' own codec is not Parquet. */
const SCHEMA = every(1_000_000);

describe("Spark's commits on S3", { skip }, () => {
  let fixture: S3Fixture;
  let proxy: S3Proxy;
  let drivers: readonly Spark[] = [];
  let careless: Spark;

  before(async () => {
    fixture = await s3Fixture();
    proxy = await s3Proxy(fixture.gateway.endpoint);
    const folder = (name: string): string => join(fixture.folder, name);
    const behindProxy = { ...accessOf(fixture), endpoint: proxy.endpoint };
    const first = await startSpark({ folder: folder("first"), s3: behindProxy });
    const second = await startSpark({ folder: folder("second"), s3: accessOf(fixture) });
    drivers = [first, second];
    careless = await startSpark({
      folder: folder("careless"),
      s3: behindProxy,
      conf: { "spark.delta.logStore.s3a.impl": DELTAS_OWN },
    });
  });
  after(async () => {
    for (const driver of [...drivers, careless]) await driver?.stop();
    await proxy?.[Symbol.asyncDispose]();
    await fixture?.[Symbol.asyncDispose]();
  });

  /** Spark is about to write version 1 when ours is committed: what the table then holds of both. */
  async function collide(
    driver: Spark,
    name: string,
  ): Promise<{ ours: boolean; version: number; rows: number }> {
    const url = `s3://lake/${name}`;
    await using store = testStore(fixture, url, { cache: name });
    const table = tableIn(store);
    const base = await table.create(SCHEMA);
    let hasCommitted = false;
    proxy.rule(({ method, url: path }) => {
      if (method !== "PUT" || hasCommitted || !path.includes(FIRST)) {
        return "pass";
      }
      hasCommitted = true;
      return { after: async () => void (await table.commit(append(base, [fileOf("413", "ours")]))) };
    });
    await using session = await openSpark({ remote: driver.remote });
    await session.run(`insert into delta.\`s3a://lake/${name}/bronze/readings\` values ('656A', 1.5)`);
    proxy.rule(() => "pass");
    assert.ok(hasCommitted);
    await using fresh = testStore(fixture, url, { cache: `${name}-fresh` });
    const { version, files } = (await tableIn(fresh).snapshot())!;
    return { ours: files.has("room=413/ours.parquet"), version, rows: files.size };
  }

  test("with our LogStore a commit that comes first is kept, and Spark's comes after it", async () => {
    assert.deepEqual(await collide(drivers[0]!, "kept"), { ours: true, version: 2, rows: 2 });
  });

  test("without it Spark overwrites the commit that came first: this is what it is for", async () => {
    assert.deepEqual(await collide(careless, "lost"), { ours: false, version: 1, rows: 1 });
  });

  test("a commit whose answer is lost is done once", async () => {
    const url = "s3://lake/answer";
    await using store = testStore(fixture, url, { cache: "answer" });
    const table = tableIn(store);
    await table.create(SCHEMA);
    let lost = 0;
    proxy.rule(({ method, url: path }) => {
      if (method !== "PUT" || lost > 0 || !path.includes(FIRST)) {
        return "pass";
      }
      lost += 1;
      return "lose answer";
    });
    await using session = await openSpark({ remote: drivers[0]!.remote });
    await session.run("insert into delta.`s3a://lake/answer/bronze/readings` values ('656A', 1.5)");
    proxy.rule(() => "pass");
    assert.equal(lost, 1);
    const { version, files } = (await table.snapshot())!;
    assert.deepEqual([version, files.size], [1, 1]);
  });

  test("two drivers and our own writer race for one table, and no commit is lost or doubled", async () => {
    const url = "s3://lake/race";
    await using store = testStore(fixture, url, { cache: "race" });
    await tableIn(store).create(SCHEMA);
    await Promise.all([
      ourWriter(url),
      ...drivers.map(async ({ remote }, place) => {
        await using session = await openSpark({ remote });
        for (let index = 0; index < SPARK_COMMITS; index += 1) {
          await session.run("insert into delta.`s3a://lake/race/bronze/readings` values (?, ?)", {
            parameters: [`spark-${place}`, index],
          });
        }
      }),
    ]);
    await using fresh = testStore(fixture, url, { cache: "race-fresh" });
    const { version, files } = (await tableIn(fresh).snapshot())!;
    assert.equal(version, OUR_COMMITS + 2 * SPARK_COMMITS);
    const rooms = [...files.values()].map(({ partitionValues }) => partitionValues["room"] ?? "");
    const counts = Map.groupBy(rooms, (room) => room);
    assert.deepEqual(Object.fromEntries([...counts].map(([room, all]) => [room, all.length])), {
      "413": OUR_COMMITS,
      "spark-0": SPARK_COMMITS,
      "spark-1": SPARK_COMMITS,
    });
    // Spark's own rows are all there, each once.
    await using session = await openSpark({ remote: drivers[1]!.remote });
    const { rows } = await session.query(
      "select room, count(*), count(distinct value) from delta.`s3a://lake/race/bronze/readings` where room like 'spark%' group by room order by room",
    );
    const all = BigInt(SPARK_COMMITS);
    assert.deepEqual(rows, [
      ["spark-0", all, all],
      ["spark-1", all, all],
    ]);
  });

  async function ourWriter(url: string): Promise<void> {
    const { endpoint, credentials } = fixture.gateway;
    const cache = join(fixture.folder, "ours");
    const workerData: AppenderData = {
      url,
      endpoint,
      ...credentials,
      cache,
      writerId: "ours",
      commits: OUR_COMMITS,
    };
    const worker = new Worker(new URL("../support/s3-appender.ts", import.meta.url), { workerData });
    const [exitCode] = (await once(worker, "exit")) as [number];
    assert.equal(exitCode, 0);
  }
});

function accessOf({ gateway }: S3Fixture): Pick<S3Fixture["gateway"], "endpoint" | "region" | "credentials"> {
  const { endpoint, region, credentials } = gateway;
  return { endpoint, region, credentials };
}

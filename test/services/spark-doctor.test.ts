// Doctor's look at a real Spark server, with a lake on S3 and in a folder.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Spark, startSpark } from "../../services/spark.ts";
import { versionFault } from "../../src/commands/doctor/spark.ts";
import { atrium, done } from "../support/program.ts";
import { type S3Fixture, s3Fixture, testStore } from "../support/s3.ts";
import { withoutServices } from "../support/services.ts";

const skip = await withoutServices("s3", "spark");

test("Spark 4.0 is taken, older ones and those whose Delta breaks parameters are refused", () => {
  assert.deepEqual(
    ["3.5.7", "4.0.0", "4.0.1", "4.1.1", "5.0.0", ""].map((version) => versionFault(version)?.state),
    ["fail", undefined, undefined, "fail", "fail", "fail"],
  );
});

describe("doctor on Spark", { skip }, () => {
  let fixture: S3Fixture;
  let spark: Spark;
  let bare: Spark;
  let raw = "";

  before(async () => {
    fixture = await s3Fixture();
    spark = await startSpark({ folder: join(fixture.folder, "spark") });
    // As somebody may have set one up: no Delta, no LogStore, another time zone, and not the gateway's address.
    bare = await startSpark({
      folder: join(fixture.folder, "elsewhere/spark"),
      conf: {
        "spark.sql.extensions": "",
        "spark.sql.catalog.spark_catalog": "",
        "spark.sql.session.timeZone": "Asia/Tokyo",
      },
    });
    raw = join(fixture.folder, "raw");
    await done(["generate", "--rooms", "1", "--days", "1", "--seed", "1", "--out", raw]);
  });
  after(async () => {
    await spark?.stop();
    await bare?.stop();
    await fixture?.[Symbol.asyncDispose]();
  });

  async function doctor(remote: string, lake: string): Promise<ReadonlyMap<string, string>> {
    const env = { ...fixture.env, SPARK_REMOTE: remote, LAKE_URL: lake, LOG_LEVEL: "error" };
    await done(["run", "--raw", raw], { env, cwd: fixture.folder });
    const { stdout } = await atrium(["doctor", "--json"], { env, cwd: fixture.folder });
    const findings = JSON.parse(stdout) as { state: string; what: string; found: string }[];
    return new Map(
      findings
        .filter(({ what }) => what.startsWith("spark"))
        .map(({ state, what, found }) => [what, `${state} ${found}`]),
    );
  }

  test("one that has all is well, reads and writes the lake on S3, and leaves nothing there", async () => {
    const found = await doctor(spark.remote, "s3://lake/doctor");
    assert.match(found.get("spark")!, /^ok sc:.*: Spark 4\.0\.1, time zone UTC, round trip \d+ ms$/);
    assert.deepEqual([...found.entries()].slice(1), [
      ["spark, Delta", "ok there"],
      ["spark, Kafka source", "ok there"],
      ["spark, commits on S3", "ok by a conditional put (atrium.spark.ConditionalPutLogStore)"],
      ["spark, reads the lake", found.get("spark, reads the lake")],
      ["spark, writes the lake", "ok a file of its own, which was there for us too"],
    ]);
    assert.match(found.get("spark, reads the lake")!, /^ok a file of bronze, [1-9][\d,]* rows?$/);
    await using store = testStore(fixture, "s3://lake/doctor", { cache: "doctor" });
    assert.deepEqual(await store.list("_atrium/probe/"), []);
  });

  test("one with a lake in a folder of the same machine, too", async () => {
    const found = await doctor(spark.remote, join(fixture.folder, "a lake"));
    assert.equal(found.has("spark, commits on S3"), false);
    assert.match(found.get("spark, reads the lake")!, /^ok a file of bronze/);
    assert.match(found.get("spark, writes the lake")!, /^ok /);
  });

  test("one that lacks what is needed is told what to set", async () => {
    const found = await doctor(bare.remote, "s3://lake/doctor");
    assert.match(found.get("spark")!, /^warn .*time zone Asia\/Tokyo.*set spark\.sql\.session\.timeZone=UTC/);
    assert.match(found.get("spark, Delta")!, /^warn not there: set spark\.sql\.extensions/);
    assert.match(found.get("spark, commits on S3")!, /^warn .*spark\.delta\.logStore\.s3a\.impl/);
    assert.match(found.get("spark, reads the lake")!, /^fail /);
    assert.match(found.get("spark, writes the lake")!, /^fail /);
  });

  test("one that is not there is one finding", async () => {
    const found = await doctor("sc://127.0.0.1:9", "s3://lake/doctor");
    assert.deepEqual([...found.keys()], ["spark"]);
    assert.match(found.get("spark")!, /^fail /);
  });
});

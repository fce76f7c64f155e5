// Lakes moved by `atrium table copy`, and what `atrium doctor` says of a store.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { makeReference, type Reference } from "../support/lake-folder.ts";
import { atrium, done } from "../support/program.ts";
import { type S3Proxy, s3Proxy } from "../support/s3-proxy.ts";
import { type S3Fixture, s3Fixture, testStore } from "../support/s3.ts";
import { withoutServices } from "../support/services.ts";

const skip = await withoutServices("s3");
const TABLES = ["bronze/readings", "silver/readings", "gold/room_daily"];

describe("copies and their stores", { skip }, () => {
  let fixture: S3Fixture;
  let proxy: S3Proxy;
  let reference: Reference;
  let env: Record<string, string>;

  before(async () => {
    fixture = await s3Fixture();
    proxy = await s3Proxy(fixture.gateway.endpoint);
    env = { ...fixture.env, LOG_LEVEL: "error" };
    reference = await makeReference(
      ["--rooms", "1", "--days", "2", "--seed", "3"],
      ["--batch-rows", "20000"],
    );
  });
  after(async () => {
    await proxy[Symbol.asyncDispose]();
    await fixture[Symbol.asyncDispose]();
    await reference.folder[Symbol.asyncDispose]();
  });

  const copy = async (from: string, into: string, more: Record<string, string> = {}) =>
    atrium(["table", "copy", "--lake", from, "--into", into, "--json"], { env: { ...env, ...more } });

  test("a lake goes to S3 and back, and has the same rows and versions", async () => {
    const back = join(reference.folder.path, "back");
    const there = await copy(reference.reference, "s3://lake/copied");
    assert.equal(there.code, 0, there.stderr);
    assert.equal((await copy("s3://lake/copied", back)).code, 0);
    for (const lake of ["s3://lake/copied", back]) {
      const verified = await atrium(["verify", "--lake", lake], { env });
      assert.equal(verified.code, 0, verified.stdout + verified.stderr);
      for (const table of TABLES) {
        const other = ["table", "diff", table, "--lake", lake, "--with", reference.reference];
        assert.match(await done(other, { env }), /the same [\d,]+ rows/);
        const history = async (of: string) =>
          done(["table", "history", table, "--lake", of, "--json"], { env });
        assert.equal(await history(lake), await history(reference.reference));
      }
    }
    const again = JSON.parse((await copy(reference.reference, "s3://lake/copied")).stdout) as {
      readonly files_copied: number;
    }[];
    assert.ok(again.length > 0 && again.every((row) => row.files_copied === 0));
  });

  test("a copy that ended early is no lake, and goes on", async () => {
    let puts = 0;
    proxy.rule(({ method }) =>
      method === "PUT" && (puts += 1) > 20 ? { status: 403, code: "AccessDenied" } : "pass",
    );
    const broken = { AWS_ENDPOINT_URL_S3: proxy.endpoint, S3_ENDPOINT: proxy.endpoint };
    const ended = await copy(reference.reference, "s3://lake/early", broken);
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /^error STORE_DENIED: /);
    const opened = await atrium(["table", "list", "--lake", "s3://lake/early"], { env });
    assert.match(opened.stderr, /^error LAKE_INVALID: /);
    const resumed = await copy(reference.reference, "s3://lake/early");
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.equal((await atrium(["verify", "--lake", "s3://lake/early"], { env })).code, 0);
  });

  test("a place that holds something else is left alone", async () => {
    const foreign = testStore(fixture, "s3://lake/foreign");
    await foreign.put("x/y", new Uint8Array(1));
    const ended = await copy(reference.reference, "s3://lake/foreign");
    assert.equal(ended.code, 2);
    assert.match(ended.stderr, /^error LAKE_INVALID: .*holds x\/y/);
    const other = await copy("s3://lake/copied", "s3://lake/early");
    assert.match(other.stderr, /^error LAKE_INVALID: .*is another copy/);
    assert.equal((await foreign.list("")).length, 1);
  });

  test("doctor says that the store keeps its promises, and leaves nothing behind", async () => {
    const report = await done(["doctor", "--lake", "s3://lake/copied"], { env });
    assert.match(report, /ok {4}store, put if absent: +20 writers at once, 10 times: one winner each time/);
    assert.match(report, /ok {4}store, list: +/);
    assert.deepEqual(await testStore(fixture, "s3://lake/copied").list("_atrium/probe/"), []);
  });

  test("doctor fails a store that ignores the condition, or refuses", async () => {
    const broken = { ...env, AWS_ENDPOINT_URL_S3: proxy.endpoint, S3_ENDPOINT: proxy.endpoint };
    proxy.rule(({ method, url }) => (method === "PUT" && url.includes("probe") ? "say done" : "pass"));
    const careless = await atrium(["doctor", "--lake", "s3://lake/copied"], { env: broken });
    assert.equal(careless.code, 1);
    assert.match(
      careless.stdout,
      /fail {2}store, put if absent: .* not exactly one winner in 10\..*Known to fail: Garage/,
    );
    proxy.rule(({ method }) => (method === "PUT" ? { status: 403, code: "AccessDenied" } : "pass"));
    const refusing = await atrium(["doctor", "--lake", "s3://lake/copied"], { env: broken });
    assert.equal(refusing.code, 1);
    assert.match(refusing.stdout, /fail {2}store: +Cannot write .* this user may not do that/);
  });
});

// Large files: sent in parts and fetched in ranges, and what becomes of them when a part fails.

import assert from "node:assert/strict";
import { createHash, randomFillSync } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import { openS3 } from "../../src/adapters/s3/client.ts";
import type { S3ObjectStore } from "../../src/adapters/s3/object-store.ts";
import { codeOf } from "../support/delta.ts";
import { type Fate, type S3Proxy, s3Proxy, type Seen } from "../support/s3-proxy.ts";
import { accessOptions, type S3Fixture, s3Fixture, testStore } from "../support/s3.ts";
import { withoutServices } from "../support/services.ts";

const skip = await withoutServices("s3");
const QUICK = { attemptsMax: 2, pauseMsFirst: 1, pauseMsMax: 2, totalMsMax: 60_000 };
/** Two whole parts and a bit. */
const BYTES = randomFillSync(Buffer.alloc(17 * 1024 * 1024 + 11));
const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const isPart = ({ method, url }: Seen): boolean => method === "PUT" && url.includes("partNumber=2");
const isEnd = ({ method, url }: Seen): boolean => method === "POST" && url.includes("uploadId=");

describe("a large file", { skip }, () => {
  let fixture: S3Fixture;
  let proxy: S3Proxy;
  let store: S3ObjectStore;
  let local: string;
  let count = 0;

  before(async () => {
    fixture = await s3Fixture();
    proxy = await s3Proxy(fixture.gateway.endpoint);
  });
  beforeEach(async () => {
    proxy.rule(() => "pass");
    proxy.seen.length = 0;
    count += 1;
    store = testStore(fixture, `s3://lake/large-${count}`, {
      cache: `cache-${count}`,
      settings: { endpoint: proxy.endpoint },
      limits: { retry: QUICK },
    });
    local = join(fixture.folder, `large-${count}`);
    await writeFile(local, BYTES);
  });
  after(async () => {
    await proxy[Symbol.asyncDispose]();
    await fixture[Symbol.asyncDispose]();
  });

  /** Keys of uploads that were begun and not ended. */
  async function unfinished(): Promise<readonly string[]> {
    await using access = openS3(accessOptions(fixture, "s3://lake"));
    const { Uploads = [] } = await access.client.send(new ListMultipartUploadsCommand({ Bucket: "lake" }));
    return Uploads.map(({ Key }) => String(Key));
  }
  const failing =
    (matches: (seen: Seen) => boolean, fate: Fate, times = Number.POSITIVE_INFINITY) =>
    (seen: Seen): Fate =>
      matches(seen) && (times -= 1) >= 0 ? fate : "pass";

  test("goes in parts, comes back in ranges, and is the same", async () => {
    await store.putFile("t/large", local);
    assert.ok(!existsSync(local));
    assert.equal(proxy.seen.filter(({ method }) => method === "PUT").length, 3);
    const [listed] = await store.list("t/");
    assert.equal(listed?.sizeBytes, BYTES.length);
    assert.equal(hashOf(await readFile(await store.localFile("t/large"))), hashOf(BYTES));
    assert.equal(
      proxy.seen.filter(({ method }) => method === "GET").length,
      1,
      "the copy is that of the put",
    );
    const other = testStore(fixture, store.url, { cache: "other", settings: { endpoint: proxy.endpoint } });
    proxy.rule(failing(({ headers }) => headers.range?.startsWith("bytes=8388608-") === true, "cut", 1));
    assert.equal(hashOf(await readFile(await other.localFile("t/large"))), hashOf(BYTES));
    assert.equal(proxy.seen.filter(({ headers }) => headers.range !== undefined).length, 4);
  });

  test("goes without checksums where the store knows none", async () => {
    store = testStore(fixture, store.url, { settings: { endpoint: proxy.endpoint, checksums: "required" } });
    await store.putFile("t/large", local);
    assert.equal(hashOf(await store.get("t/large")), hashOf(BYTES));
    assert.ok(proxy.seen.every(({ headers }) => !Object.keys(headers).join().includes("checksum")));
  });

  test("is no object when a part of it fails, leaves no upload behind, and stays where it was", async () => {
    proxy.rule(failing(isPart, { status: 500, code: "InternalError" }));
    assert.equal(await codeOf(store.putFile("t/large", local)), "STORE_FAILED");
    assert.equal(await codeOf(store.get("t/large")), "NOT_FOUND");
    assert.deepEqual(await unfinished(), []);
    assert.equal((await readFile(local)).length, BYTES.length);
    proxy.rule(failing(isPart, "lose answer", 1));
    await store.putFile("t/large", local);
    assert.equal(hashOf(await store.get("t/large")), hashOf(BYTES));
  });

  test("is there when only the answer to its completion was lost", async () => {
    proxy.rule(failing(isEnd, "lose answer", 1));
    await store.putFile("t/large", local);
    assert.equal(hashOf(await store.get("t/large")), hashOf(BYTES));
    // Two completions at once may leave an upload behind that is none: upkeep removes it, and not the object.
    await store.removeAbandoned(Date.now() + 3_600_000);
    assert.deepEqual(await unfinished(), []);
    assert.equal(hashOf(await store.get("t/large")), hashOf(BYTES));
  });

  test("whose upload was left by a process that died is removed by upkeep", async () => {
    proxy.rule((seen) => (isPart(seen) || seen.method === "DELETE" ? "break" : "pass"));
    assert.equal(await codeOf(store.putFile("t/large", local)), "STORE_FAILED");
    assert.deepEqual(await unfinished(), [`large-${count}/t/large`]);
    proxy.rule(() => "pass");
    assert.equal(await store.removeAbandoned(1000), 0);
    assert.equal(await store.removeAbandoned(Date.now() + 3_600_000), 1);
    assert.deepEqual(await unfinished(), []);
    await rm(local);
  });
});

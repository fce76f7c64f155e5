// Wrong keys, expired tokens, missing buckets: the message says which, and no secret.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { S3ObjectStore } from "../../src/adapters/s3/object-store.ts";
import { AtriumError, type ErrorCode } from "../../src/support/errors.ts";
import { secret } from "../../src/support/secret.ts";
import { atrium } from "../support/program.ts";
import { type S3Proxy, s3Proxy } from "../support/s3-proxy.ts";
import { type S3Fixture, s3Fixture, testStore, type TestStoreOptions } from "../support/s3.ts";
import { withoutServices } from "../support/services.ts";

const skip = await withoutServices("s3");
const ONCE = { attemptsMax: 1, pauseMsFirst: 1, pauseMsMax: 1, totalMsMax: 60_000 };
const WRONG = "this-is-no-secret-of-anybody";

describe("a store that lets nobody in", { skip }, () => {
  let fixture: S3Fixture;
  let proxy: S3Proxy;

  before(async () => {
    fixture = await s3Fixture();
    proxy = await s3Proxy(fixture.gateway.endpoint);
  });
  after(async () => {
    await proxy[Symbol.asyncDispose]();
    await fixture[Symbol.asyncDispose]();
  });

  const opened = (url: string, settings: TestStoreOptions["settings"] = {}): S3ObjectStore =>
    testStore(fixture, url, { settings, limits: { retry: ONCE } });

  async function fails(
    work: Promise<unknown>,
    { code, message }: { readonly code: ErrorCode; readonly message: RegExp },
  ): Promise<void> {
    await assert.rejects(work, (error) => {
      assert.ok(error instanceof AtriumError);
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      assert.ok(!error.message.includes(fixture.settings.secretAccessKey?.reveal() ?? "?"));
      assert.ok(!error.message.includes(WRONG) && !error.message.includes("\n"));
      return true;
    });
  }

  test("names a bucket that is not there, for reads as for writes", async () => {
    const store = opened("s3://nowhere/a");
    const wanted = { code: "STORE_DENIED", message: /no bucket nowhere at http/ } as const;
    await fails(store.get("t/a"), wanted);
    await fails(store.list(""), wanted);
    await fails(store.putIfAbsent("t/a", new Uint8Array(1)), wanted);
  });

  test("says whether the access key or the secret key is wrong", async () => {
    const wrongSecret = opened("s3://lake/a", { secretAccessKey: secret(WRONG) });
    await fails(wrongSecret.get("t/a"), { code: "STORE_DENIED", message: /secret key is not the one/ });
    const wrongId = opened("s3://lake/a", { accessKeyId: "nobody" });
    await fails(wrongId.get("t/a"), { code: "STORE_DENIED", message: /does not know the access key/ });
  });

  test("says that credentials have expired, and does not try again", async () => {
    const store = opened("s3://lake/a", { endpoint: proxy.endpoint });
    proxy.rule(() => ({ status: 400, code: "ExpiredToken" }));
    await fails(store.list(""), {
      code: "STORE_DENIED",
      message: /credentials have expired.*AWS_SESSION_TOKEN/,
    });
    assert.equal(proxy.seen.length, 1);
  });

  test("says that a quota is used up, and that the region is wrong", async () => {
    const store = opened("s3://lake/a", { endpoint: proxy.endpoint });
    proxy.rule(() => ({ status: 403, code: "QuotaExceeded" }));
    await fails(store.put("t/a", new Uint8Array(1)), { code: "STORE_FULL", message: /Make room there/ });
    proxy.rule(() => ({ status: 507, code: "InsufficientStorage" }));
    await fails(store.put("t/a", new Uint8Array(1)), { code: "STORE_FULL", message: /Make room there/ });
    proxy.rule(() => ({ status: 400, code: "AuthorizationHeaderMalformed" }));
    await fails(store.get("t/a"), { code: "STORE_DENIED", message: /AWS_DEFAULT_REGION/ });
  });

  test("says that nobody listens", async () => {
    const store = opened("s3://lake/a", { endpoint: "http://127.0.0.1:1" });
    await fails(store.get("t/a"), {
      code: "STORE_FAILED",
      message: /http:\/\/127\.0\.0\.1:1 cannot be reached.*ECONNREFUSED/,
    });
  });

  test("is one line on the command line", async () => {
    const env = { ...fixture.env, AWS_SECRET_ACCESS_KEY: WRONG };
    const ended = await atrium(["table", "list", "--lake", "s3://lake/a"], { env });
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /^error STORE_DENIED: [^\n]*secret key is not the one[^\n]*\n$/);
    const { AWS_ACCESS_KEY_ID: _id, AWS_SECRET_ACCESS_KEY: _secret, ...without } = fixture.env;
    const nobody = { ...without, HOME: fixture.folder, AWS_EC2_METADATA_DISABLED: "true" };
    const lost = await atrium(["table", "list", "--lake", "s3://lake/a"], { env: nobody });
    assert.match(lost.stderr, /^error STORE_DENIED: [^\n]*there are no credentials[^\n]*\n$/);
  });
});

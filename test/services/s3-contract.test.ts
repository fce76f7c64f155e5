// The contract of ObjectStore on a real S3 server.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { CreateMultipartUploadCommand } from "@aws-sdk/client-s3";
import { openS3 } from "../../src/adapters/s3/client.ts";
import { objectStoreContract } from "../contract/object-store.ts";
import { accessOptions, type S3Fixture, s3Fixture, testStore } from "../support/s3.ts";
import { withoutServices } from "../support/services.ts";

const skip = await withoutServices("s3");

/** UTF-8 sorts the last two the other way round than JavaScript does. */
const NAMES = ["a", "b", "ü", "\u{1F600}", "\uFFFD"];

describe("a lake on S3", { skip }, () => {
  let fixture: S3Fixture;
  let count = 0;

  before(async () => {
    fixture = await s3Fixture();
  });
  after(async () => fixture[Symbol.asyncDispose]());

  test("lists other letters in the order of JavaScript, from any of them on", async () => {
    await using store = testStore(fixture, "s3://lake/letters");
    for (const name of NAMES) await store.put(`t/${name}`, new Uint8Array(1));
    const sorted = NAMES.map((name) => `t/${name}`).toSorted((a, b) => (a < b ? -1 : 1));
    for (const after of ["", ...sorted]) {
      const listed = (await store.list("t/", after)).map(({ path }) => path);
      assert.deepEqual(
        listed,
        sorted.filter((path) => path > after),
      );
    }
  });

  objectStoreContract("S3", async () => {
    const prefix = `contract-${(count += 1)}`;
    const store = testStore(fixture, `s3://lake/${prefix}`);
    return {
      store,
      abandon: async (path) => {
        await using access = openS3(accessOptions(fixture, "s3://lake"));
        const upload = { Bucket: "lake", Key: `${prefix}/${path}` };
        await access.client.send(new CreateMultipartUploadCommand(upload));
      },
      dispose: async () => store[Symbol.asyncDispose](),
    };
  });
});

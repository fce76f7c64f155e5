// The contract of ObjectStore on a real S3 server.

import { after, before, describe } from "node:test";
import { CreateMultipartUploadCommand } from "@aws-sdk/client-s3";
import { openS3 } from "../../src/adapters/s3/client.ts";
import { objectStoreContract } from "../contract/object-store.ts";
import { accessOptions, type S3Fixture, s3Fixture, testStore } from "../support/s3.ts";
import { withoutServices } from "../support/services.ts";

const skip = await withoutServices("s3");

describe("a lake on S3", { skip }, () => {
  let fixture: S3Fixture;
  let count = 0;

  before(async () => {
    fixture = await s3Fixture();
  });
  after(async () => fixture[Symbol.asyncDispose]());

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

// Makes the buckets that are named as arguments, waiting up to a minute for the S3 server of S3_ENDPOINT; those that are there stay.

import { setTimeout as sleep } from "node:timers/promises";
import { CreateBucketCommand, S3Client, S3ServiceException } from "@aws-sdk/client-s3";

const WAIT_MS_MAX = 60_000;
const { S3_ENDPOINT: endpoint = "", AWS_DEFAULT_REGION: region = "us-east-1" } = process.env;
const client = new S3Client({ endpoint, region, forcePathStyle: true });
const endMs = Date.now() + WAIT_MS_MAX;
for (const bucket of process.argv.slice(2)) process.stdout.write(`${bucket}: ${await make(bucket)}\n`);

async function make(bucket: string): Promise<string> {
  for (;;) {
    try {
      await client.send(new CreateBucketCommand({ Bucket: bucket }));
      return "made";
    } catch (error) {
      // An answer of the server that says no will not change; without one it is still starting.
      if (error instanceof S3ServiceException) {
        if (/^BucketAlready(OwnedByYou|Exists)$/.test(error.name)) return "is there";
        throw error;
      }
      if (Date.now() > endMs) throw error;
    }
    await sleep(500);
  }
}

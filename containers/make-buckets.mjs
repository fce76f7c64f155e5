// Makes the buckets that are named as arguments, waiting up to a minute for the S3 server of S3_ENDPOINT; those that are there stay.

import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

const { CreateBucketCommand, S3Client } = createRequire("/app/")("@aws-sdk/client-s3");
const client = new S3Client({
  endpoint: process.env.S3_ENDPOINT,
  forcePathStyle: true,
  region: process.env.AWS_DEFAULT_REGION,
});
const endMs = Date.now() + 60_000;
for (const Bucket of process.argv.slice(2)) await make(Bucket);

async function make(Bucket) {
  try {
    await client.send(new CreateBucketCommand({ Bucket }));
    console.log(`${Bucket}: made`);
  } catch (error) {
    if (/^BucketAlready(OwnedByYou|Exists)$/.test(error.name)) return console.log(`${Bucket}: is there`);
    // Without an answer of the server it is still starting; an answer that says no will not change.
    if (error.$metadata?.httpStatusCode !== undefined || Date.now() > endMs) throw error;
    await sleep(500);
    return make(Bucket);
  }
}

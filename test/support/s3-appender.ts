// A worker that appends to a table on S3, and says after each commit that it is acknowledged.

import { parentPort, workerData } from "node:worker_threads";
import { s3ObjectStore } from "../../src/adapters/s3/object-store.ts";
import { systemClock } from "../../src/support/clock.ts";
import { parseS3Url } from "../../src/support/s3-url.ts";
import { secret } from "../../src/support/secret.ts";
import { append, fileOf, tableIn } from "./delta.ts";

/** What the worker is told. */
export interface AppenderData {
  readonly url: string;
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly cache: string;
  readonly writerId: string;
  readonly commits: number;
}

const data = workerData as AppenderData;
const place = parseS3Url(data.url)!;
const store = s3ObjectStore({
  place,
  settings: {
    endpoint: data.endpoint,
    pathStyle: true,
    accessKeyId: data.accessKeyId,
    secretAccessKey: secret(data.secretAccessKey),
    sse: "none",
    checksums: "always",
  },
  clock: systemClock,
  cache: { path: data.cache, bytesMax: 2 ** 30 },
});
const table = tableIn(store, { writerId: data.writerId });
for (let index = 0; index < data.commits; index += 1) {
  const base = (await table.snapshot())!;
  const name = `${data.writerId}-${index}`;
  await table.commit(append(base, [fileOf("413", name)], { [data.writerId]: BigInt(index) }));
  // eslint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(name);
}
await store[Symbol.asyncDispose]();

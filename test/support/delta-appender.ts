// A worker that appends to a table on a local folder: many of them at once race for its versions.

import { workerData } from "node:worker_threads";
import { localObjectStore } from "../../src/adapters/local/object-store.ts";
import { append, fileOf, tableIn } from "./delta.ts";

const { folder, writerId, commits } = workerData as { folder: string; writerId: string; commits: number };
const table = tableIn(localObjectStore(folder), { writerId });
for (let index = 0; index < commits; index += 1) {
  const base = (await table.snapshot())!;
  await table.commit(append(base, [fileOf("413", `${writerId}-${index}`)], { [writerId]: BigInt(index) }));
}

// Two processes that share a cache much too small for what they read.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { temporaryFolder } from "../support/program.ts";

const READER = resolve(import.meta.dirname, "../support/s3-reader.ts");

test("two processes that evict each other's copies read every object whole", async () => {
  await using folder = await temporaryFolder();
  const startMs = String(Date.now());
  const read = async (seed: string): Promise<unknown> =>
    promisify(execFile)(process.execPath, [READER, folder.path, seed, "300", startMs]);
  await Promise.all([read("1"), read("2")]);
  const left = readdirSync(folder.path, { recursive: true, encoding: "utf8" })
    .map((name) => statSync(join(folder.path, name)))
    .filter((facts) => facts.isFile());
  // Of 160 objects of 5,000 bytes each was read many times; what is left is near the bound of 50,000 bytes.
  assert.ok(left.length > 0 && left.length < 60, `${left.length} copies`);
});

// A lake on S3 as its user sees it, for tests of stores that fail: filled by the program, and held against a lake in a folder.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { TableName } from "../../src/reading/tables.ts";
import { makeReference, type Reference } from "./lake-folder.ts";
import { atrium, done, type Ended } from "./program.ts";
import type { S3Fixture } from "./s3.ts";

/** Small batches: many requests. */
const BATCHES = ["--batch-rows", "5000", "--bronze-partition-by", "event_date"];
const COMPARED: readonly TableName[] = [
  "bronze/readings",
  "bronze/rejected",
  "silver/readings",
  "gold/sensor_hourly",
  "gold/room_daily",
];

/** Makes a faulty room of one day, and the lake that a run into a folder makes of it. */
export async function makeSmallReference(): Promise<Reference> {
  return makeReference(["--rooms", "1", "--days", "1", "--seed", "11", "--faults"], BATCHES);
}

/** Runs everything into a lake on S3. Its log and its cache are its own; `env` comes before the environment of the fixture. */
export async function runOnS3(
  { fixture, reference, lake }: OnS3,
  env: Readonly<Record<string, string>>,
): Promise<Ended> {
  const name = lake.replaceAll(/\W/g, "-");
  const own = { LOG_PATH: join(fixture.folder, `${name}.db`), CACHE_DIR: join(fixture.folder, name) };
  const args = ["run", "--raw", reference.raw, "--lake", lake, "--json", ...BATCHES];
  return atrium(args, { env: { LOG_LEVEL: "error", ...fixture.env, ...own, ...env } });
}

/** A lake on the gateway, and what it is held against. */
export interface OnS3 {
  readonly fixture: S3Fixture;
  readonly reference: Reference;
  readonly lake: string;
}

/** Fails unless the lake, read straight from the gateway, has the rows of the reference: none lost, none doubled. */
export async function assertAsReference({ fixture, reference, lake }: OnS3): Promise<void> {
  for (const table of COMPARED) {
    const diff = ["table", "diff", table, "--lake", lake, "--with", reference.reference];
    assert.match(await done(diff, { env: { ...fixture.env } }), /the same [\d,]+ rows in both/);
  }
}

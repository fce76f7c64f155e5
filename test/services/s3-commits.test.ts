// Commits on S3: writers that race for versions lose none.

import { after, before, describe, test } from "node:test";
import { READINGS, tableIn } from "../support/delta.ts";
import { assertHoldsAll, commitAll } from "../support/s3-writers.ts";
import { type S3Fixture, s3Fixture, testStore } from "../support/s3.ts";
import { withoutServices } from "../support/services.ts";

const skip = await withoutServices("s3");

describe("commits on S3", { skip }, () => {
  let fixture: S3Fixture;

  before(async () => {
    fixture = await s3Fixture();
  });
  after(async () => fixture[Symbol.asyncDispose]());

  test("of 3 writers with 100 commits each, all 300 are in the table, none twice, none lost", async () => {
    const url = "s3://lake/race";
    await tableIn(testStore(fixture, url)).create(READINGS);
    await commitAll(fixture, url, () => undefined);
    await assertHoldsAll(fixture, url);
  });
});

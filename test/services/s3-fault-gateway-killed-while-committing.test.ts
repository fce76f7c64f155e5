// FAULT: the gateway is killed with -9 while writers commit: nothing acknowledged is lost, nothing is doubled.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { READINGS, tableIn } from "../support/delta.ts";
import { assertHoldsAll, commitAll, COMMITS, WRITERS } from "../support/s3-writers.ts";
import { type S3Fixture, s3Fixture, testStore } from "../support/s3.ts";
import { withoutServices } from "../support/services.ts";

const skip = await withoutServices("s3");
const KILLS = 4;

describe("a gateway that is killed", { skip }, () => {
  let fixture: S3Fixture;

  before(async () => {
    fixture = await s3Fixture();
  });
  after(async () => fixture[Symbol.asyncDispose]());

  test("writers go on through kill -9 of the gateway, and nothing acknowledged is lost or doubled", async () => {
    const url = "s3://lake/killed";
    await tableIn(testStore(fixture, url)).create(READINGS);
    const acknowledged: string[] = [];
    let kills = 0;
    let killing: Promise<void> | undefined;
    const lost: string[] = [];
    const strike = async (): Promise<void> => {
      kills += 1;
      const before = [...acknowledged];
      await fixture.gateway.kill("SIGKILL");
      await fixture.gateway.restart();
      const head = (await tableIn(testStore(fixture, url)).snapshot())!;
      lost.push(...before.filter((name) => !head.files.has(`room=413/${name}.parquet`)));
    };
    const heard = (name: string): void => {
      acknowledged.push(name);
      // Spread over the run, while the other writers are in the middle of something.
      if (kills >= KILLS || acknowledged.length < (kills + 1) * 50 || killing !== undefined) return;
      killing = strike().finally(() => (killing = undefined));
    };
    await commitAll(fixture, url, heard);
    await killing;
    assert.equal(kills, KILLS);
    assert.deepEqual(lost, []);
    assert.equal(acknowledged.length, WRITERS.length * COMMITS);
    await assertHoldsAll(fixture, url);
  });
});

// The simulation finds each of the deliberate defects, by a check that is meant for it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFECTS } from "./defects.ts";
import { runHistory } from "./history.ts";

/** A defect is found in one of so many histories. */
const SEEDS_MAX = 200;

for (const { name, tampering, foundBy, firstSeed = 1 } of DEFECTS) {
  test(`finds that ${name}`, async (t) => {
    for (let seed = firstSeed; seed < firstSeed + SEEDS_MAX; seed += 1) {
      const { failure } = await runHistory(seed, { tampering });
      if (failure === undefined) continue;
      t.diagnostic(`seed ${seed}, step ${failure.step}: ${failure.check}`);
      assert.ok(foundBy.includes(failure.check), `${failure.check}: ${failure.message}`);
      return;
    }
    assert.fail(`not found in ${SEEDS_MAX} histories`);
  });
}

// A clock that jumps back: times never go back in the tables, and the first of two duplicates stays the first.

import assert from "node:assert/strict";
import { test } from "node:test";
import { makeGold } from "../../src/lakehouse/gold/gold.ts";
import { makeTestLake, message, testClock } from "../support/lake.ts";

const DAY = 1377302400; // 2013-08-24T00:00:00Z
const NOW = Date.UTC(2026, 0, 10);
const DAY_MS = 86_400_000;

for (const jumpMs of [1, 3_600_000, 400 * DAY_MS]) {
  test(`a later duplicate does not win after a jump back of ${jumpMs} ms, in one batch of silver or in two`, async () => {
    for (const refinesBetween of [false, true]) {
      const clock = testClock(NOW);
      await using lake = await makeTestLake({ clock });
      await lake.send([message("413", "co2", DAY, 400)]);
      await lake.ingest();
      if (refinesBetween) await lake.refine();
      clock.set(NOW - jumpMs);
      await lake.send([message("413", "co2", DAY, 999), message("413", "co2", DAY + 5, 401)]);
      await lake.ingest();
      await lake.refine();
      assert.deepEqual(await lake.rows("select ts_unix, value_raw from silver_readings order by 1"), [
        [DAY, 400],
        [DAY + 5, 401],
      ]);
    }
  });
}

test("ingest times and the times of commits rise from commit to commit while the clock jumps about", async () => {
  const clock = testClock(NOW);
  await using lake = await makeTestLake({ clock });
  const jumps = [0, -DAY_MS, 5000, -3 * DAY_MS, 0, DAY_MS, -1];
  for (const [index, jump] of jumps.entries()) {
    clock.set(NOW + jump);
    await lake.send([
      message("413", "co2", DAY + index, 400),
      { key: "413:co2", value: Buffer.from("no reading") },
    ]);
    await lake.ingest();
    await lake.refine();
    await makeGold({ lake: lake.lake, queryTimeoutMs: 60_000 });
  }
  for (const table of ["bronze_readings", "bronze_rejected"]) {
    const times = await lake.rows(`select "offset", epoch_us(ingest_ts) from ${table} order by 1`);
    assert.equal(times.length, jumps.length);
    for (const [index, row] of times.entries()) {
      assert.ok(index === 0 || Number(row[1]) > Number(times[index - 1]?.[1]), `${table} ${index}`);
    }
  }
  for (const table of ["bronze/readings", "silver/readings", "gold/room_daily"] as const) {
    const commits = (await lake.lake.table(table).history(100)).toReversed();
    assert.ok(commits.length > 3);
    for (const [index, commit] of commits.entries()) {
      assert.ok(index === 0 || commit.timestampMs > (commits[index - 1]?.timestampMs ?? 0), table);
    }
  }
});

test("a batch whose clock jumps back before its commit is still earlier than the next one, of another process too", async () => {
  let calls = 0;
  // The wall time goes back each time it is asked for.
  const clock = { ...testClock(NOW), nowMs: () => NOW - 1000 * (calls += 1) };
  await using lake = await makeTestLake({ clock });
  for (const value of [400, 500, 600]) {
    await lake.send([message("413", "co2", DAY, value)]);
    await lake.ingest(1, await lake.reopen());
  }
  await lake.refine();
  assert.deepEqual(await lake.rows("select value_raw from silver_readings"), [[400]]);
  const times = await lake.rows('select "offset", epoch_us(ingest_ts) from bronze_readings order by 1');
  for (const [index, row] of times.entries()) {
    assert.ok(index === 0 || Number(row[1]) > Number(times[index - 1]?.[1]));
  }
});

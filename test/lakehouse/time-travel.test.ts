// Older versions: found by number and by time, and refused by name once their files are gone.

import assert from "node:assert/strict";
import { test } from "node:test";
import { tableInput } from "../../src/lakehouse/lake.ts";
import { rowsOf } from "../../src/lakehouse/summary.ts";
import { snapshotAsOf } from "../../src/lakehouse/time-travel.ts";
import { makeTestLake, message, testClock } from "../support/lake.ts";

const DAY = 1377302400; // 2013-08-24T00:00:00Z

test("tables are read as they were at a time, each at its own version", async () => {
  const clock = testClock();
  await using lake = await makeTestLake({ clock });
  const startMs = clock.nowMs();
  for (let batch = 0; batch < 3; batch += 1) {
    clock.set(startMs + (batch + 1) * 60_000);
    await lake.send([message("413", "co2", DAY + batch, 400 + batch)]);
    await lake.ingest();
    if (batch !== 1) await lake.refine();
  }
  const rowsAt = async (name: "bronze/readings" | "silver/readings", minute: number): Promise<number> =>
    rowsOf(await snapshotAsOf(lake.lake, name, { timeMs: startMs + minute * 60_000 + 30_000 }));
  assert.deepEqual([await rowsAt("bronze/readings", 1), await rowsAt("silver/readings", 1)], [1, 1]);
  assert.deepEqual([await rowsAt("bronze/readings", 2), await rowsAt("silver/readings", 2)], [2, 1]);
  assert.deepEqual([await rowsAt("bronze/readings", 3), await rowsAt("silver/readings", 3)], [3, 3]);
  const snapshot = await snapshotAsOf(lake.lake, "silver/readings", { timeMs: startMs + 150_000 });
  const input = tableInput(lake.lake, "silver/readings", { snapshot });
  const { rows } = await lake.lake.engine.query({
    sql: "select value_raw from silver_readings",
    inputs: [input],
    rowsMax: 10,
    timeoutMs: 60_000,
  });
  assert.deepEqual(rows, [[400]]);
});

test("a version whose files were vacuumed is refused with its number and the oldest that is whole", async () => {
  await using lake = await makeTestLake();
  for (let batch = 0; batch < 4; batch += 1) {
    await lake.send([message("413", "co2", DAY + batch, 400 + batch)]);
    await lake.ingest();
  }
  const table = lake.lake.table("bronze/readings");
  const base = (await table.snapshot())!;
  const [first, second] = [...base.files.keys()];
  const remove = async (path: string): Promise<void> => {
    const head = (await table.snapshot())!;
    const isolation = { kind: "append" } as const;
    const rest = {
      adds: [],
      txns: new Map<string, bigint>(),
      operation: "DELETE",
      isolation,
      dataChange: true,
    };
    await table.commit({ base: head, removes: [path], ...rest });
  };
  await remove(first!); // version 5
  await remove(second!); // version 6
  await lake.lake.store.delete([`bronze/readings/${first}`]);
  for (const version of [1, 4]) {
    await assert.rejects(snapshotAsOf(lake.lake, "bronze/readings", { version }), {
      code: "NOT_FOUND",
      message: new RegExp(
        `^Version ${version} of table bronze/readings is no longer whole: .*The oldest .* is 5\\.`,
      ),
    });
  }
  assert.equal((await snapshotAsOf(lake.lake, "bronze/readings", { version: 5 }))?.files.size, 3);
  assert.equal((await snapshotAsOf(lake.lake, "bronze/readings", { version: 0 }))?.files.size, 0);
  await lake.lake.store.delete([`bronze/readings/${second}`]);
  await assert.rejects(snapshotAsOf(lake.lake, "bronze/readings", { version: 1 }), /The oldest .* is 6\./);
  const live = [...(await table.snapshot())!.files.keys()][0];
  await lake.lake.store.delete([`bronze/readings/${live}`]);
  await assert.rejects(
    snapshotAsOf(lake.lake, "bronze/readings", { version: 4 }),
    /newest version is damaged too/,
  );
});

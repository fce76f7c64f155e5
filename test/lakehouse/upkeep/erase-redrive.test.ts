// Erasure beside a redrive: wherever the redrive sleeps meanwhile, its messages of the room do not come back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ensureTable } from "../../../src/lakehouse/lake.ts";
import { eraseRoom } from "../../../src/lakehouse/upkeep/erase.ts";
import { makeTestLake } from "../../support/lake.ts";
import { DAY, goodMessage, heldMessages, redriveAll, reject, startActor } from "../../support/redrive.ts";

const ROOM = "r0";

test("a redrive that sleeps before any of its steps brings nothing of an erased room back", async () => {
  for (let n = 0, isUnderWay = true; isUnderWay; n += 1) {
    await using lake = await makeTestLake();
    await ensureTable(lake.lake, "bronze/readings");
    await reject(
      lake.lake,
      [0, 1, 2, 3].map((offset) => {
        const room = `r${offset % 3}`;
        const value = { room, sensor: "co2", ts: DAY + offset, value: offset };
        return goodMessage(offset, { key: `${room}:co2`, value: Buffer.from(JSON.stringify(value)) });
      }),
    );
    const sleeper = await startActor(lake.lake, 100);
    for (let step = 0; step < n; step += 1) await sleeper.step();
    isUnderWay = !sleeper.hasEnded();
    let waitedMs = 0;
    const clock = {
      ...lake.lake.clock,
      monotonicMs: () => waitedMs,
      sleep: async (ms: number) => void (waitedMs += ms),
    };
    await eraseRoom({
      lake: { ...lake.lake, clock },
      room: ROOM,
      batchRowsMax: 1000,
      waitMsMax: 300_000,
      graceMs: 0,
      queryTimeoutMs: 60_000,
    });
    while (!sleeper.hasEnded()) await sleeper.step();
    await redriveAll(lake.lake);
    const of = "select count(*), count_if(room = 'r0') from";
    assert.deepEqual(await lake.rows(`${of} bronze_readings`), [[2, 0]], `after ${n} steps`);
    assert.deepEqual(await heldMessages(lake.lake), []);
  }
});

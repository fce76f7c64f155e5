// gold/restatements: which commits of gold/room_daily restate something, and that each does exactly once.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NO_GOLD } from "../../../src/lakehouse/gold/gold.ts";
import { OPERATIONS } from "../../../src/lakehouse/operations.ts";
import { AtriumError } from "../../../src/support/errors.ts";
import { silentLogger } from "../../../src/support/logger.ts";
import { codeOf } from "../../support/delta.ts";
import { DAY, DAY_ONE, dayOf, gold, newestOf, rewrite, toSilver, watched } from "../../support/gold.ts";
import { makeTestLake, message, testClock, type TestLake } from "../../support/lake.ts";

const ROWS =
  "select room, event_date, column_name, value_before, value_after, late_readings, revision from gold_restatements";
const CO2_MAX = `${ROWS} where column_name = 'co2_max' order by event_date, room, revision`;

/** Two days of a room, of which gold is made: the first is over. */
async function twoDays(): Promise<TestLake> {
  const lake = await makeTestLake();
  await toSilver(lake, [message("413", "co2", DAY_ONE, 400), message("413", "co2", DAY_ONE + DAY, 400)]);
  assert.deepEqual((await gold(lake.lake)).daysReplaced, [dayOf(0), dayOf(1)]);
  return lake;
}

/** A reading of the first day, `second` after its beginning. */
const late = (second: number, value: number, room = "413"): ReturnType<typeof message> =>
  message(room, "co2", DAY_ONE + second, value);

describe("a day is restated", () => {
  test("when it was over when it was made; one that is not over is only made again", async () => {
    await using lake = await twoDays();
    await toSilver(lake, [late(5, 600), message("413", "co2", DAY_ONE + DAY + 5, 600)]);
    const summary = await gold(lake.lake);
    assert.deepEqual([summary.daysReplaced, summary.daysRestated], [[dayOf(0), dayOf(1)], [dayOf(0)]]);
    assert.deepEqual([summary.valuesRestated, summary.lateReadings], [3, 1]);
    assert.deepEqual(await lake.rows(`${ROWS} where column_name <> 'coverage' order by column_name`), [
      ["413", dayOf(0), "co2_avg", 400, 500, 1, 2],
      ["413", dayOf(0), "co2_max", 400, 600, 1, 2],
    ]);
  });

  test("when it was not over when it was made, but gold was made of a later day since", async () => {
    await using lake = await makeTestLake();
    await toSilver(lake, [late(0, 400)]);
    await gold(lake.lake);
    await toSilver(lake, [message("413", "co2", DAY_ONE + 2 * DAY, 400)]);
    assert.deepEqual((await gold(lake.lake)).daysReplaced, [dayOf(2)]);
    await toSilver(lake, [late(5, 600), late(10, 500)]);
    assert.deepEqual((await gold(lake.lake)).daysRestated, [dayOf(0)]);
    assert.deepEqual(await lake.rows(CO2_MAX), [["413", dayOf(0), "co2_max", 400, 600, 2, 2]]);
  });

  test("not by what comes together with the first reading of the next day", async () => {
    await using lake = await makeTestLake();
    await toSilver(lake, [late(0, 400)]);
    await gold(lake.lake);
    await toSilver(lake, [late(86_399, 600), message("413", "co2", DAY_ONE + DAY, 400)]);
    const { daysReplaced, daysRestated } = await gold(lake.lake);
    assert.deepEqual([daysReplaced, daysRestated], [[dayOf(0), dayOf(1)], []]);
  });

  test("not because of a day that has not begun: its clock is fast", async () => {
    await using lake = await makeTestLake({ clock: testClock((DAY_ONE + DAY / 2) * 1000) });
    await toSilver(lake, [late(0, 400), message("415", "co2", DAY_ONE + DAY + 60, 400)]);
    await gold(lake.lake);
    await toSilver(lake, [late(5, 600)]);
    const { daysReplaced, daysRestated } = await gold(lake.lake);
    assert.deepEqual([daysReplaced, daysRestated], [[dayOf(0)], []]);
  });

  test("with a room that was not known: each of its values was null", async () => {
    await using lake = await twoDays();
    await toSilver(lake, [late(0, 700, "415"), late(5, 800, "415")]);
    const { valuesRestated, lateReadings } = await gold(lake.lake);
    assert.deepEqual(await lake.rows(`${ROWS} where column_name <> 'coverage' order by column_name`), [
      ["415", dayOf(0), "co2_above_1000_ratio", null, 0, 2, 2],
      ["415", dayOf(0), "co2_avg", null, 750, 2, 2],
      ["415", dayOf(0), "co2_max", null, 800, 2, 2],
      ["415", dayOf(0), "data_quality_score", null, 100, 2, 2],
    ]);
    assert.deepEqual([valuesRestated, lateReadings], [5, 2]);
  });

  test("again and again: each restatement goes on from the one before", async () => {
    await using lake = await twoDays();
    for (const [second, value] of [
      [5, 600],
      [10, 700],
      [15, 100],
      [20, 800],
    ] as const) {
      await toSilver(lake, [late(second, value)]);
      await gold(lake.lake);
    }
    assert.deepEqual(await lake.rows(CO2_MAX), [
      ["413", dayOf(0), "co2_max", 400, 600, 1, 2],
      ["413", dayOf(0), "co2_max", 600, 700, 1, 3],
      ["413", dayOf(0), "co2_max", 700, 800, 1, 5],
    ]);
  });

  for (const operation of [OPERATIONS.erase, OPERATIONS.expire, OPERATIONS.restore, OPERATIONS.compact]) {
    test(`not by a commit of ${operation}`, async () => {
      await using lake = await twoDays();
      const sql = "select * replace (co2_max + 1 as co2_max) from gold_room_daily";
      await rewrite(lake.lake, "gold/room_daily", {
        sql,
        operation,
        dataChange: operation !== OPERATIONS.compact,
      });
      assert.deepEqual(await gold(lake.lake), NO_GOLD);
      assert.deepEqual(await lake.rows(ROWS), []);
    });
  }
});

describe("exactly once", () => {
  test("a crash between the commits of the two tables is made good by the next run", async () => {
    await using lake = await twoDays();
    await toSilver(lake, [late(5, 600)]);
    const crashing = await watched(lake.lake, {
      onStore: async (method, path) => {
        const isCommit = method === "putIfAbsent" && path.startsWith("gold/restatements/_delta_log/");
        if (isCommit) throw new AtriumError("STORE_FAILED", "The power went out.");
      },
    });
    assert.equal(await codeOf(gold(crashing)), "STORE_FAILED");
    assert.deepEqual(await lake.rows("select revision from gold_room_daily order by 1"), [[1], [2]]);
    assert.deepEqual(await lake.rows(ROWS), []);
    const again = await gold(await lake.reopen());
    assert.deepEqual([again.daysReplaced, again.daysRestated, again.lateReadings], [[], [dayOf(0)], 1]);
    assert.deepEqual(await gold(lake.lake), NO_GOLD);
    assert.deepEqual(await lake.rows(CO2_MAX), [["413", dayOf(0), "co2_max", 400, 600, 1, 2]]);
  });

  test("of two processes that restate at once one takes note", async () => {
    await using lake = await twoDays();
    await toSilver(lake, [late(5, 600)]);
    let isFirst = true;
    const slow = await watched(lake.lake, {
      onEngine: async (inputs) => {
        if (!isFirst || !inputs.some((input) => input.name === "earlier")) return;
        isFirst = false;
        assert.deepEqual((await gold(await lake.reopen())).daysRestated, [dayOf(0)]);
      },
    });
    const { daysReplaced, daysRestated, valuesRestated } = await gold(slow);
    assert.deepEqual([isFirst, daysReplaced, daysRestated, valuesRestated], [false, [dayOf(0)], [], 0]);
    assert.deepEqual(await lake.rows(CO2_MAX), [["413", dayOf(0), "co2_max", 400, 600, 1, 2]]);
  });

  test("runs that restate nothing move the position, and a run without new commits makes no version", async () => {
    await using lake = await twoDays();
    const restated = async (): Promise<readonly unknown[]> => {
      const { version, txns } = await newestOf(lake.lake, "gold/restatements");
      return [version, txns.get("restate:gold/room_daily")];
    };
    assert.deepEqual(await restated(), [1, 1n]);
    await gold(lake.lake);
    assert.deepEqual(await restated(), [1, 1n]);
  });

  for (const what of ["commits", "data files"]) {
    test(`${what} that were removed by hand are lost with a warning, and what comes after is noted`, async () => {
      await using lake = await twoDays();
      const warnings: string[] = [];
      const warn = (text: string): void => void warnings.push(text);
      const crashing = await watched(lake.lake, {
        onEngine: async (inputs) => {
          if (inputs.some((input) => input.name === "earlier")) throw new Error("the power went out");
        },
      });
      // The day is replaced twice, and nobody takes note.
      for (const [second, value] of [
        [5, 600],
        [10, 700],
      ] as const) {
        await toSilver(lake, [late(second, value)]);
        await assert.rejects(gold(crashing), /the power went out/);
      }
      const { files, tombstones } = await newestOf(lake.lake, "gold/room_daily");
      assert.equal(files.size + tombstones.size, 4);
      const gone = what === "commits" ? [`_delta_log/${"2".padStart(20, "0")}.json`] : [...tombstones.keys()];
      await lake.lake.store.delete(gone.map((path) => `gold/room_daily/${path}`));
      const warned = { ...lake.lake, logger: { ...silentLogger, warn } };
      assert.deepEqual(await gold(warned), NO_GOLD);
      assert.equal(warnings.length, what === "commits" ? 1 : 2);
      assert.match(warnings[0]!, / of gold\/room_daily were removed by hand .* is lost$/);
      await toSilver(lake, [late(15, 800)]);
      await gold(warned);
      assert.deepEqual(await lake.rows(CO2_MAX), [["413", dayOf(0), "co2_max", 700, 800, 1, 4]]);
      assert.equal(warnings.length, what === "commits" ? 1 : 2);
    });
  }
});

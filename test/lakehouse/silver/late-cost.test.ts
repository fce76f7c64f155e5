// What a late batch costs: it is held against the files of silver whose time range it meets, whatever the table's age.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Input } from "../../../src/lakehouse/engine.ts";
import { refineBatch } from "../../../src/lakehouse/silver/refine.ts";
import { DAY, DAY_ONE, dayOf, gold, toSilver, watched } from "../../support/gold.ts";
import { makeTestLake, message, type TestLake } from "../../support/lake.ts";

const QUERY = { batchRowsMax: 1000, queryTimeoutMs: 60_000 };

/** A lake of so many days, each with a file of its morning and one of its evening; made in as many commits as another. */
async function lakeOf(days: number): Promise<TestLake> {
  const lake = await makeTestLake();
  for (const hour of [8, 20]) {
    const half = Array.from({ length: days }, (_, day) =>
      [0, 5, 10].map((second) => message("413", "co2", DAY_ONE + day * DAY + hour * 3600 + second, 400)),
    );
    await toSilver(lake, half.flat());
  }
  await gold(lake.lake);
  return lake;
}

interface Cost {
  /** Files that the engine is given, by call and input. */
  readonly engine: readonly string[];
  /** Objects that are asked for, read or written, by method, beside those of the log. */
  readonly objects: Readonly<Record<string, number>>;
  /** Calls that go to the table's log. */
  readonly log: Readonly<Record<string, number>>;
}

/** Does the work on a lake whose calls are counted. */
async function costOf(lake: TestLake, work: (counted: TestLake["lake"]) => Promise<unknown>): Promise<Cost> {
  const cost = {
    engine: [] as string[],
    objects: {} as Record<string, number>,
    log: {} as Record<string, number>,
  };
  const onEngine = async (inputs: readonly Input[]): Promise<void> => {
    const files = inputs.flatMap((input) =>
      input.kind === "files" ? [`${input.name} ${input.files.length}`] : [],
    );
    cost.engine.push(files.toSorted().join(", "));
  };
  const onStore = async (method: string, path: string): Promise<void> => {
    const counts = path.includes("/_delta_log/") ? cost.log : cost.objects;
    counts[method] = (counts[method] ?? 0) + 1;
  };
  const counted = await watched(lake.lake, { onEngine, onStore });
  await work(counted);
  return cost;
}

test("a late batch meets the files of its time range only, however old the table is", async () => {
  const costs: Cost[] = [];
  for (const days of [3, 90]) {
    await using lake = await lakeOf(days);
    // Three days late at least: one that silver has, and one that it has not, in the morning of the first day.
    const late = [
      message("413", "co2", DAY_ONE + 8 * 3600 + 5, 999),
      message("413", "co2", DAY_ONE + 8 * 3600 + 7, 500),
    ];
    await lake.send(late);
    await lake.ingest();
    const cost = await costOf(lake, async (counted) => {
      const batch = await refineBatch({ lake: counted, ...QUERY });
      assert.deepEqual([batch?.rowsRead, batch?.rowsAdded], [2, 1]);
    });
    costs.push(cost);
    const rows = await lake.rows(
      `select ts_unix, value_raw from silver_readings where event_date = '${dayOf(0)}' order by 1 limit 4`,
    );
    const values = rows.map(([ts, value]) => [Number(ts) - DAY_ONE - 8 * 3600, value]);
    assert.deepEqual(values, [
      [0, 400],
      [5, 400],
      [7, 500],
      [10, 400],
    ]);
  }
  const [young, old] = costs;
  assert.deepEqual(young?.engine, ["bronze_readings 1, silver_readings 1"]);
  assert.deepEqual(young.objects, { get: 1, localFile: 2, putFile: 1 });
  assert.deepEqual(old, young);
});

test("the gold of a late reading is made of the files of its day only, however old the tables are", async () => {
  const costs: Cost[] = [];
  for (const days of [3, 90]) {
    await using lake = await lakeOf(days);
    await toSilver(lake, [message("413", "co2", DAY_ONE + 8 * 3600 + 7, 500)]);
    const cost = await costOf(lake, async (counted) => {
      assert.deepEqual((await gold(counted)).daysRestated, [dayOf(0)]);
    });
    // A table of many days is made in more steps: how many commits its log has differs, and so does reading it at the start.
    costs.push({ ...cost, log: {} });
  }
  const [young, old] = costs;
  assert.deepEqual(old, young);
  assert.equal(young?.engine[0], "previous 1, silver_readings 3");
});

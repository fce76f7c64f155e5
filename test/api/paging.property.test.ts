// Paging: following the cursor visits each row exactly once, in order, whatever the page size and whatever is added meanwhile.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SENSOR_TYPES, type SensorType } from "../../src/reading/terms.ts";
import { DAY, FIRST_DAY, makeLakeApi, type JsonRow, type LakeApi } from "../support/api.ts";
import { message } from "../support/lake.ts";

interface Point {
  readonly room: string;
  readonly type: SensorType;
  readonly second: number;
}

const point: fc.Arbitrary<Point> = fc.record({
  room: fc.constantFrom("1", "10", "2", "é", "Z"),
  type: fc.constantFrom(...SENSOR_TYPES),
  second: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 4 * DAY })),
});
const points = (max: number): fc.Arbitrary<readonly Point[]> =>
  fc.uniqueArray(point, { minLength: 1, maxLength: max, selector: keyOf });

test("each reading that was there at the start comes exactly once, in order, though others are added between the pages", async () => {
  const added = fc.array(points(4), { maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(points(25), added, fc.integer({ min: 1, max: 7 }), async (before, between, limit) => {
      await using api = await makeLakeApi();
      await api.add(before.map(messageOf));
      const visited = await visit(
        api,
        `/v1/readings?from=2013-08-23&limit=${limit}`,
        between.map((batch) => async () => api.add(batch.map(messageOf))),
      );
      const keys = visited.map(({ ts_utc, sensor_type, room }) => [ts_utc, sensor_type, room].join("|"));
      assert.equal(new Set(keys).size, keys.length, "a row came twice");
      const missed = before.map(keyOf).filter((key) => !keys.includes(key));
      assert.deepEqual(missed, [], "rows were missed");
      assert.ok(between.length > 0 || keys.length === before.length);
      const order = visited.map((row) =>
        Buffer.from([row["ts_utc"], row["sensor_type"], row["room"]].join("\0")),
      );
      assert.deepEqual(
        order,
        order.toSorted((a, b) => Buffer.compare(a, b)),
      );
    }),
    { numRuns: 8 },
  );
});

test("each KPI, room and sensor comes exactly once", async () => {
  await fc.assert(
    fc.asyncProperty(points(20), points(6), fc.integer({ min: 1, max: 5 }), async (early, late, limit) => {
      await using api = await makeLakeApi();
      for (const some of [early, late]) {
        await api.add(some.map(messageOf));
        await api.gold();
      }
      const rows = [...early, ...late];
      for (const path of [
        "/v1/kpis/hourly",
        "/v1/kpis/daily",
        "/v1/kpis/restatements",
        "/v1/rooms",
        "/v1/sensors",
      ]) {
        const all = (await api.body(`${path}?limit=10000`)).data;
        assert.deepEqual(await visit(api, `${path}?limit=${limit}`, []), all, path);
      }
      const sensors = new Set(rows.map(({ room, type }) => `${room}-${type}`));
      assert.equal((await api.body("/v1/sensors")).data.length, sensors.size);
    }),
    { numRuns: 3 },
  );
});

/** Follows the cursor to the end; between pages one step is done after the other. */
async function visit(
  api: LakeApi,
  url: string,
  steps: readonly (() => Promise<void>)[],
): Promise<readonly JsonRow[]> {
  const rows: JsonRow[] = [];
  const left = [...steps];
  for (let cursor = ""; ;) {
    const page = await api.body(`${url}${cursor}`);
    assert.ok(page.data.length > 0 || page.next_cursor === null, "a page with a next one is not empty");
    rows.push(...page.data);
    if (page.next_cursor === null) return rows;
    cursor = `&cursor=${page.next_cursor}`;
    await left.shift()?.();
  }
}

function messageOf({ room, type, second }: Point) {
  return message(room, type, FIRST_DAY + second, 20);
}

function keyOf({ room, type, second }: Point): string {
  const time = new Date((FIRST_DAY + second) * 1000).toISOString().replace(".000Z", "Z");
  return [time, type, room].join("|");
}

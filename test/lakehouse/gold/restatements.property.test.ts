// Whatever comes late, and in which batches: the restatements lead from the first figures of a day to its last.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SENSOR_TYPES } from "../../../src/reading/terms.ts";
import { DAY, DAY_ONE, dayOf, gold, toSilver, VALUES } from "../../support/gold.ts";
import { makeTestLake, message, type TestLake } from "../../support/lake.ts";

const DAYS = 3;

const reading = fc.record({
  room: fc.constantFrom("413", "4/13 é", "__proto__"),
  type: fc.constantFrom(...SENSOR_TYPES),
  day: fc.integer({ min: 0, max: DAYS - 1 }),
  second: fc.constantFrom(0, 3600, 3605, 86_399),
  value: fc.constantFrom(0, 21, 35, 1200),
});
const batches = fc.array(fc.array(reading, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 5 });

test("restatements in their order, applied to the figures that they found, give the figures of gold/room_daily", async () => {
  let restated = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(reading, { maxLength: 6 }), batches, async (first, late) => {
      await using lake = await makeTestLake();
      // A reading of the day after all others: they are over from the first time gold is made.
      const closing = message("413", "pir", DAY_ONE + DAYS * DAY, 0);
      await toSilver(lake, [...first.map(messageOf), closing]);
      await gold(lake.lake);
      const figures = await figuresOf(lake);
      const firstFigures = new Map(figures);
      const daysMade = new Set(first.map(({ day }) => dayOf(day)));
      const readings = new Map<string, number>();
      // Of days whose figures they did not change, as readings that are not valid: the next restatement counts them too.
      const waiting = new Map<string, number>();
      let before = firstFigures;
      for (const batch of late) {
        const known = await readingsOf(lake);
        await toSilver(lake, batch.map(messageOf));
        const { daysReplaced, daysRestated, lateReadings } = await gold(lake.lake);
        // A day that is made for the first time restates nothing: the story of its figures begins here.
        const now = await figuresOf(lake);
        const changed = daysThatDiffer(before, now);
        before = now;
        assert.deepEqual(
          daysRestated,
          daysReplaced.filter((day) => daysMade.has(day) && changed.has(day)),
        );
        for (const [key, value] of now) if (!daysMade.has(dayIn(key))) figures.set(key, value);
        const came = [...(await readingsOf(lake))].map(
          ([key, count]) => [key, count - (known.get(key) ?? 0)] as const,
        );
        const cameLate = came.filter(([key, count]) => count > 0 && daysMade.has(dayIn(key)));
        for (const [key, count] of cameLate) waiting.set(key, (waiting.get(key) ?? 0) + count);
        let counted = 0;
        for (const [key, count] of waiting) {
          if (!daysRestated.includes(dayIn(key))) continue;
          counted += count;
          waiting.delete(key);
        }
        assert.equal(lateReadings, counted);
        for (const [key, count] of cameLate) readings.set(key, (readings.get(key) ?? 0) + count);
        for (const day of daysReplaced) daysMade.add(day);
      }
      const rows = await lake.rows(
        `select event_date, room, column_name, value_before, value_after, late_readings, revision
         from gold_restatements order by event_date, room, column_name, revision`,
      );
      const noted = new Map<string, number>();
      for (const [day, room, column, before, after, count, revision] of rows) {
        const key = keyOf(day, room, column);
        assert.equal(
          figures.get(key) ?? null,
          before,
          `${key}, revision ${String(revision)}: the chain is broken`,
        );
        assert.notEqual(before, after);
        figures.set(key, after);
        if (column === "coverage") {
          const place = keyOf(day, room);
          noted.set(place, (noted.get(place) ?? 0) + Number(count));
        }
      }
      // Null is no figure.
      const known = [...figures].filter(([, value]) => value !== null);
      assert.deepEqual(
        new Map(known),
        new Map([...(await figuresOf(lake))].filter(([, value]) => value !== null)),
      );
      for (const [place, count] of noted) assert.ok(count <= (readings.get(place) ?? 0), place);
      restated += rows.length;
    }),
    { numRuns: 8 },
  );
  assert.ok(restated > 30, `only ${restated} values were restated: the batches try nothing`);
});

const messageOf = ({
  room,
  type,
  day,
  second,
  value,
}: typeof reading extends fc.Arbitrary<infer T> ? T : never) =>
  message(room, type, DAY_ONE + day * DAY + second, value);

const keyOf = (...parts: readonly unknown[]): string => JSON.stringify(parts);
const dayIn = (key: string): string => String((JSON.parse(key) as unknown[])[0]);

function daysThatDiffer(
  a: ReadonlyMap<string, unknown>,
  b: ReadonlyMap<string, unknown>,
): ReadonlySet<string> {
  const keys = [...a.keys(), ...b.keys()].filter((key) => (a.get(key) ?? null) !== (b.get(key) ?? null));
  return new Set(keys.map(dayIn));
}

/** The figures of gold/room_daily by day, room and column. */
async function figuresOf(lake: TestLake): Promise<Map<string, unknown>> {
  const rows = await lake.rows(`select event_date, room, ${VALUES.join(", ")} from gold_room_daily`);
  return new Map(
    rows.flatMap(([day, room, ...values]) =>
      VALUES.map((column, index) => [keyOf(day, room, column), values[index]] as const),
    ),
  );
}

/** Readings in silver by day and room. */
async function readingsOf(lake: TestLake): Promise<Map<string, number>> {
  const rows = await lake.rows("select event_date, room, count(*) from silver_readings group by all");
  return new Map(rows.map(([day, room, count]) => [keyOf(day, room), Number(count)]));
}

// The generated readings have the shape of the KETI set.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SENSOR_TRAITS, SENSOR_TYPES } from "../../src/reading/terms.ts";
import { rawFilesOf, readReadings, withGenerated } from "../support/generated-folder.ts";

const FIRST_SECOND = 1_377_475_200; // 2013-08-26T00:00:00Z
const DAY = 86_400;
const HOUR = 3600;
const OUTAGE_FROM = FIRST_SECOND + DAY + 18 * HOUR + 300;
const OUTAGE_SECONDS = 19_080;

interface Reading {
  readonly ts: number;
  readonly value: number;
}

/** Mean value between two local hours of one local day, 0 being the Monday. */
function localMean(
  readings: readonly Reading[],
  day: number,
  [fromHour, toHour]: readonly [number, number],
): number {
  const midnight = FIRST_SECOND + day * DAY + 7 * HOUR;
  const inside = readings.filter(
    ({ ts }) => ts >= midnight + fromHour * HOUR && ts < midnight + toHour * HOUR,
  );
  assert.ok(inside.length > 0);
  return inside.reduce((sum, { value }) => sum + value, 0) / inside.length;
}

test("by day CO2 and temperature are above the night on a weekday, humidity below; a Sunday has little CO2", async () => {
  await withGenerated({ rooms: 5, days: 8 }, async ({ folder }) => {
    const rise = { co2: [0, 0], temperature: [0, 0], humidity: [0, 0] };
    for (const [type, sums] of Object.entries(rise)) {
      for (const file of (await rawFilesOf(folder)).filter((name) => name.endsWith(`/${type}.csv`))) {
        const readings = await readReadings(folder, file);
        // Thursday and the Sunday after it, mid-afternoon less early morning.
        for (const [index, day] of [3, 6].entries()) {
          sums[index]! += (localMean(readings, day, [13, 17]) - localMean(readings, day, [2, 5])) / 5;
        }
      }
    }
    assert.ok(rise.co2[0]! > 60 && rise.co2[0]! < 350, `CO2 on Thursday ${rise.co2[0]}`);
    assert.ok(Math.abs(rise.co2[1]!) < 50, `CO2 on Sunday ${rise.co2[1]}`);
    assert.ok(rise.temperature[0]! > 0.3, `temperature ${rise.temperature[0]}`);
    assert.ok(rise.humidity[0]! < -0.3, `humidity ${rise.humidity[0]}`);
  });
});

test("the PIR counts down by 1 every 10 s and motion sets it to 30", async () => {
  await withGenerated({ rooms: 3, days: 2 }, async ({ folder }) => {
    let motions = 0;
    for (const file of (await rawFilesOf(folder)).filter((name) => name.endsWith("/pir.csv"))) {
      const readings = await readReadings(folder, file);
      for (const [index, { ts, value }] of readings.entries()) {
        const before = readings[index - 1] ?? { ts: ts - 10, value: 0 };
        if (value === 30) motions += 1;
        else {
          assert.equal(
            value,
            Math.max(0, before.value - Math.round((ts - before.ts) / 10)),
            `${file}: ${ts}`,
          );
        }
      }
    }
    assert.ok(motions > 100, `${motions} motions`);
  });
});

test("rooms are used on weekdays by day, and hardly at night or at weekends", async () => {
  await withGenerated({ rooms: 5, days: 8 }, async ({ folder }) => {
    const shares = { weekday: 0, night: 0, weekend: 0 };
    for (const file of (await rawFilesOf(folder)).filter((name) => name.endsWith("/pir.csv"))) {
      const motion = (await readReadings(folder, file)).map(({ ts, value }) => ({
        ts,
        value: value > 0 ? 1 : 0,
      }));
      for (const day of [0, 1, 2, 3, 4]) {
        shares.weekday += localMean(motion, day, [8, 17]) / 25;
        shares.night += localMean(motion, day, [0, 5]) / 25;
      }
      for (const day of [5, 6]) shares.weekend += localMean(motion, day, [0, 16.9]) / 10;
    }
    assert.ok(shares.weekday > 0.08 && shares.weekday < 0.4, `weekday ${shares.weekday}`);
    assert.ok(shares.night < 0.03, `night ${shares.night}`);
    assert.ok(shares.weekend < 0.03, `weekend ${shares.weekend}`);
  });
});

test("the lamp of a room is on while its PIR counts down, and off at 0", async () => {
  await withGenerated({ rooms: 1, days: 3 }, async ({ folder }) => {
    const pir = await readReadings(folder, "411/pir.csv");
    const light = await readReadings(folder, "411/light.csv");
    let index = 0;
    const both = light.flatMap(({ ts, value }) => {
      while ((pir[index + 1]?.ts ?? Infinity) <= ts) index += 1;
      return pir[index]!.ts <= ts ? { countdown: pir[index]!.value, lux: value } : [];
    });
    const meanWhere = (from: number, to: number): number => {
      const some = both.filter(({ countdown }) => countdown >= from && countdown <= to);
      assert.ok(some.length > 100);
      return some.reduce((sum, { lux }) => sum + lux, 0) / some.length;
    };
    const off = meanWhere(0, 0);
    for (const on of [meanWhere(20, 30), meanWhere(2, 10)]) assert.ok(on > off + 20, `${on} on, ${off} off`);
  });
});

test("all but PIR miss 5.3 h from 18:05 UTC of the second day, and a run of one day misses nothing", async () => {
  await withGenerated({ days: 3 }, async ({ folder }) => {
    for (const file of await rawFilesOf(folder)) {
      const times = (await readReadings(folder, file)).map(({ ts }) => ts);
      const inside = times.filter((ts) => ts >= OUTAGE_FROM && ts < OUTAGE_FROM + OUTAGE_SECONDS);
      const gaps = times.slice(1).filter((ts, index) => ts - times[index]! > 60);
      if (file.endsWith("pir.csv")) assert.ok(inside.length > 1800 && gaps.length === 0, file);
      else {
        assert.ok(
          inside.length === 0 && gaps.length === 1 && gaps[0]! - OUTAGE_FROM - OUTAGE_SECONDS < 60,
          file,
        );
      }
    }
  });
  await withGenerated({ days: 1 }, async ({ folder }) => {
    const times = (await readReadings(folder, "411/co2.csv")).map(({ ts }) => ts);
    assert.ok(times.every((ts, index) => index === 0 || ts - times[index - 1]! < 60));
  });
});

test("about 0.28 % of the samples are lost and 1.9 % are a second off", async () => {
  await withGenerated({ rooms: 3, days: 1 }, async ({ folder }) => {
    let samples = 0;
    let kept = 0;
    let off = 0;
    for (const file of (await rawFilesOf(folder)).filter((name) => !name.endsWith("/pir.csv"))) {
      const readings = await readReadings(folder, file);
      const phases = [0, 0, 0, 0, 0];
      for (const { ts } of readings) phases[ts % 5]! += 1;
      samples += DAY / 5;
      kept += readings.length;
      off += readings.length - Math.max(...phases);
    }
    const lost = 1 - kept / samples;
    assert.ok(lost > 0.002 && lost < 0.0036, `lost ${lost}`);
    assert.ok(off / kept > 0.016 && off / kept < 0.022, `off ${off / kept}`);
  });
});

test("every clean value is plausible and has its type's resolution", async () => {
  const stepHundredths = { co2: 100, humidity: 3, luminosity: 100, pir: 100, temperature: 1 };
  await withGenerated({ rooms: 3, days: 2, seed: 5 }, async ({ folder }) => {
    for (const type of SENSOR_TYPES) {
      const { fileName, min, max, minIsPlausible } = SENSOR_TRAITS[type];
      for (const file of (await rawFilesOf(folder)).filter((name) => name.endsWith(`/${fileName}.csv`))) {
        for (const { ts, value } of await readReadings(folder, file)) {
          assert.ok(
            (minIsPlausible ? value >= min : value > min) && value <= max,
            `${file}: ${ts}, ${value}`,
          );
          assert.equal(Math.round(value * 100) % stepHundredths[type], 0, `${file}: ${ts}, ${value}`);
        }
      }
    }
  });
});

// From messages to gold: each message once in bronze or rejected, each reading once in silver, each day once in gold.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { makeGold, NO_GOLD } from "../../src/lakehouse/gold/gold.ts";
import { openLake } from "../../src/lakehouse/lake.ts";
import { SENSOR_TYPES } from "../../src/reading/terms.ts";
import { makeTestLake, message, testClock } from "../support/lake.ts";

const DAY = 1377302400; // 2013-08-24T00:00:00Z
const QUERY = { queryTimeoutMs: 60_000 };

test("every message is in bronze or in rejected, with its position, whole", async () => {
  await using lake = await makeTestLake();
  const odd = [Buffer.from("1377299108, nan"), Buffer.from([0xff, 0x00, 0x0a]), Buffer.from("")];
  await lake.send([
    message("413", "co2", DAY, 495),
    ...odd.map((value) => ({ key: "413:co2", value })),
    message("413", "pir", DAY, 30),
  ]);
  const summary = await lake.ingest();
  assert.deepEqual([summary.readings, summary.rejected], [2, 3]);
  assert.deepEqual(
    await lake.rows(
      `select room, sensor_type, value, topic, "offset", ts_unix from bronze_readings order by 2`,
    ),
    [
      ["413", "co2", 495, "iot.co2", 0, DAY],
      ["413", "pir", 30, "iot.pir", 0, DAY],
    ],
  );
  assert.deepEqual(
    await lake.rows(`select "offset", key, value, reason from bronze_rejected order by 1`),
    odd.map((value, index) => [
      index + 1,
      "413:co2",
      value.toString("base64"),
      index === 1 ? "not_utf8" : "not_json",
    ]),
  );
});

test("a second ingestion from the table's positions adds nothing, and new messages go on from there", async () => {
  await using lake = await makeTestLake();
  await lake.send([message("413", "co2", DAY, 495), message("413", "co2", DAY + 5, 496)]);
  await lake.ingest(1);
  assert.equal((await lake.ingest()).readings, 0);
  await lake.send([message("413", "co2", DAY + 10, 497)]);
  assert.equal((await lake.ingest()).readings, 1);
  assert.deepEqual(await lake.rows(`select "offset", value from bronze_readings order by 1`), [
    [0, 495],
    [1, 496],
    [2, 497],
  ]);
});

test("silver has one row a sensor and event time: the first in the log, however the duplicates are split into batches", async () => {
  const instants = fc.record({
    room: fc.constantFrom("1", "2"),
    sensorType: fc.constantFrom(...SENSOR_TYPES),
    second: fc.integer({ min: 0, max: 12 }),
    value: fc.integer({ min: 0, max: 40 }),
  });
  const rounds = fc.array(fc.array(instants, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(rounds, fc.boolean(), async (sent, refineEach) => {
      await using lake = await makeTestLake();
      const first = new Map<string, number>();
      for (const round of sent) {
        await lake.send(
          round.map(({ room, sensorType, second, value }) => message(room, sensorType, DAY + second, value)),
        );
        for (const { room, sensorType, second, value } of round) {
          const key = `${room}|${sensorType}|${DAY + second}`;
          if (!first.has(key)) first.set(key, value);
        }
        await lake.ingest();
        if (refineEach) await lake.refine();
      }
      await lake.refine();
      const rows = await lake.rows(
        "select concat(room, '|', sensor_type, '|', ts_unix), value_raw from silver_readings",
      );
      assert.equal(rows.length, first.size);
      assert.deepEqual(new Map(rows.map(([key, value]) => [String(key), Number(value)])), first);
    }),
    { numRuns: 12 },
  );
});

test("the quality flag follows the limits of the sensor type", async () => {
  await using lake = await makeTestLake();
  const cases = [
    ["co2", 0, "OUT_OF_RANGE"],
    ["co2", 0.01, "OK"],
    ["co2", 5000, "OK"],
    ["co2", 5000.01, "OUT_OF_RANGE"],
    ["humidity", -0.01, "OUT_OF_RANGE"],
    ["humidity", 0, "OK"],
    ["humidity", 100, "OK"],
    ["luminosity", 0, "OK"],
    ["luminosity", 3000, "OK"],
    ["luminosity", 3001, "OUT_OF_RANGE"],
    ["pir", 0, "OK"],
    ["pir", 30, "OK"],
    ["pir", 31, "OUT_OF_RANGE"],
    ["pir", 1.5, "OUT_OF_RANGE"],
    ["temperature", 10, "OK"],
    ["temperature", 40, "OK"],
    ["temperature", 9.99, "OUT_OF_RANGE"],
    ["temperature", 579.27, "OUT_OF_RANGE"],
  ] as const;
  await lake.send(cases.map(([type, value], index) => message("413", type, DAY + index, value)));
  await lake.ingest();
  await lake.refine();
  const rows = await lake.rows(
    "select sensor_type, value_raw, quality_flag, is_valid, value_clean, unit from silver_readings order by ts_utc",
  );
  assert.deepEqual(
    rows.map((row) => row.slice(0, 3)),
    cases.map((row) => [...row]),
  );
  for (const [, raw, flag, isValid, clean, unit] of rows) {
    assert.equal(isValid, flag === "OK");
    assert.equal(clean, flag === "OK" ? raw : null);
    assert.ok(unit);
  }
});

test("gold is made for the days that changed, replaced whole, and left alone when nothing differs", async () => {
  const clock = testClock();
  await using lake = await makeTestLake({ clock });
  await lake.send([message("413", "co2", DAY, 400), message("413", "co2", DAY + 86_400, 500)]);
  await lake.ingest();
  await lake.refine();
  assert.deepEqual((await makeGold({ lake: lake.lake, ...QUERY })).daysReplaced, [
    "2013-08-24",
    "2013-08-25",
  ]);
  const versions = async (): Promise<readonly (number | undefined)[]> =>
    Promise.all(
      (["gold/sensor_hourly", "gold/sensor_daily", "gold/room_daily"] as const).map(
        async (name) => (await lake.lake.table(name).snapshot())?.version,
      ),
    );
  const before = await versions();
  assert.deepEqual(await makeGold({ lake: lake.lake, ...QUERY }), NO_GOLD);
  clock.set(clock.nowMs() + 1000);
  const again = await makeGold({ lake: lake.lake, days: ["2013-08-24"], ...QUERY });
  assert.deepEqual(again, { ...NO_GOLD, daysChecked: ["2013-08-24"] });
  assert.deepEqual(await versions(), before);
  await lake.send([message("413", "co2", DAY + 5, 600)]);
  await lake.ingest();
  await lake.refine();
  assert.deepEqual((await makeGold({ lake: lake.lake, ...QUERY })).daysReplaced, ["2013-08-24"]);
  assert.deepEqual(await lake.rows("select event_date, co2_avg, revision from gold_room_daily order by 1"), [
    ["2013-08-24", 500, 2],
    ["2013-08-25", 500, 1],
  ]);
});

test("a score without one of its parts is null, and the coverage shows what is missing", async () => {
  await using lake = await makeTestLake();
  await lake.send([message("413", "temperature", DAY, 22), message("413", "humidity", DAY, 45)]);
  await lake.ingest();
  await lake.refine();
  await makeGold({ lake: lake.lake, ...QUERY });
  const [row] = await lake.rows(
    "select temp_comfort_ratio, humidity_in_range_ratio, co2_avg, comfort_score, coverage from gold_room_daily",
  );
  assert.deepEqual(row?.slice(0, 4), [1, 1, null, null]);
  assert.ok(Number(row?.[4]) < 0.001);
});

test("a table keeps its partition columns when the setting changes", async () => {
  await using lake = await makeTestLake();
  await lake.send([message("413", "co2", DAY, 400)]);
  await lake.ingest();
  const changed = await openLake({ ...lake.lake, bronzePartitionBy: ["event_date"] }, { create: false });
  await lake.send([message("415", "pir", DAY, 1)]);
  await lake.ingest(1, changed);
  const snapshot = await lake.lake.table("bronze/readings").snapshot();
  assert.deepEqual(
    [...(snapshot?.files.values() ?? [])].map((file) => file.partitionValues).toSorted(byRoom),
    [
      { event_date: "2013-08-24", room: "413", sensor_type: "co2" },
      { event_date: "2013-08-24", room: "415", sensor_type: "pir" },
    ],
  );
});

for (const partitionBy of [["event_date"], ["event_date", "room"], ["event_date", "room", "sensor_type"]]) {
  test(`bronze partitioned by ${partitionBy.join(", ")} holds the same rows, each in its partition`, async () => {
    await using lake = await makeTestLake({ bronzePartitionBy: partitionBy });
    const sent = [0, 1, 2].flatMap((day) =>
      SENSOR_TYPES.flatMap((type) =>
        ["413", "4 1/5"].map((room) => message(room, type, DAY + day * 86_400, 20)),
      ),
    );
    await lake.send(sent);
    await lake.ingest();
    const days =
      "count(*), count(distinct event_date), count(distinct room), count(distinct sensor_type), bool_and(cast(event_ts as date) = event_date)";
    assert.deepEqual(await lake.rows(`select ${days} from bronze_readings`), [[30, 3, 2, 5, true]]);
    const snapshot = await lake.lake.table("bronze/readings").snapshot();
    for (const file of snapshot?.files.values() ?? []) {
      assert.deepEqual(Object.keys(file.partitionValues), partitionBy);
    }
  });
}

function byRoom(
  a: Readonly<Record<string, string | null>>,
  b: Readonly<Record<string, string | null>>,
): number {
  return String(a["room"]).localeCompare(String(b["room"]));
}

// GET /v1/kpis/hourly, /v1/kpis/daily and /v1/kpis/restatements over a real lake.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { columnNames } from "../../src/api/row-schemas.ts";
import { DAY, FIRST_DAY, makeBuildingApi, makeLakeApi, type JsonRow, type LakeApi } from "../support/api.ts";
import { message } from "../support/lake.ts";

describe("the KPIs", () => {
  let api: LakeApi;
  before(async () => {
    api = await makeBuildingApi();
  });
  after(async () => api[Symbol.asyncDispose]());

  test("by day have all columns of room_daily, and the sensor types that are missing", async () => {
    const { data } = await api.body("/v1/kpis/daily");
    assert.deepEqual(
      data.map((row) => [row["event_date"], row["room"]].join(" ")),
      [
        "2013-08-23 413",
        "2013-08-23 415",
        "2013-08-24 413",
        "2013-08-24 415",
        "2013-08-25 413",
        "2013-08-25 415",
      ],
    );
    assert.deepEqual(Object.keys(data[0]!), [...columnNames("gold/room_daily"), "missing"]);
    assert.deepEqual([data[0]!["missing"], data[1]!["missing"]], [[], ["pir"]]);
    assert.deepEqual(
      [data[0]!["temp_avg"], data[0]!["comfort_score"], data[0]!["occupancy_rate"]],
      [22, 100, 0.5],
    );
    assert.deepEqual([data[1]!["occupancy_rate"], data[1]!["comfort_score"]], [null, 100]);
  });

  test("by day take days and rooms", async () => {
    const rows = async (query: string): Promise<number> =>
      (await api.body(`/v1/kpis/daily?${query}`)).data.length;
    assert.equal(await rows("from=2013-08-24&to=2013-08-24"), 2);
    assert.equal(await rows("from=2013-08-24"), 4);
    assert.equal(await rows("to=2013-08-23&room=415"), 1);
    assert.equal(await rows("from=2014-01-01"), 0);
  });

  test("by hour have all columns of sensor_hourly, in the order of day, hour, sensor type and room", async () => {
    const { data } = await api.body("/v1/kpis/hourly?from=2013-08-23&to=2013-08-23");
    assert.equal(data.length, 9 * 24);
    assert.deepEqual(Object.keys(data[0]!), columnNames("gold/sensor_hourly"));
    const keys = data.map((row) =>
      [String(row["hour_utc"]).padStart(2, "0"), row["sensor_type"], row["room"]].join(" "),
    );
    assert.deepEqual(keys, keys.toSorted());
    const [eight] = (
      await api.body("/v1/kpis/hourly?from=2013-08-23&room=413&sensor_type=co2&limit=1000")
    ).data.filter((row) => row["hour_utc"] === 8);
    assert.deepEqual(
      [
        eight!["nb_readings"],
        eight!["nb_valid"],
        eight!["nb_invalid"],
        eight!["value_avg"],
        eight!["pct_valid"],
      ],
      [2, 1, 1, 458, 0.5],
    );
  });

  test("are CSV too, with the missing types in a column", async () => {
    const lines = (await api.get("/v1/kpis/daily?format=csv&to=2013-08-23")).text.split("\r\n");
    assert.equal(lines[0], [...columnNames("gold/room_daily"), "missing"].join(","));
    assert.match(lines[2]!, /^415,2013-08-23,.*,pir$/);
    assert.match(
      (await api.get("/v1/kpis/hourly?format=csv&limit=1")).text,
      /^room,sensor_type,.*\r\n413,co2,2013-08-23,0,/,
    );
  });

  test("take days only: a moment, or days the wrong way round, are refused by name", async () => {
    for (const query of ["from=2013-08-23T00:00:00Z", "to=2013-02-30", "from=2013-08-24&to=2013-08-23"]) {
      for (const path of ["hourly", "daily", "restatements"]) {
        const reply = await api.get(`/v1/kpis/${path}?${query}`);
        assert.deepEqual([reply.status, reply.body["code"]], [400, "PARAMETER_INVALID"], query);
      }
    }
    assert.match(
      (await api.get("/v1/kpis/daily?sensor_type=co2")).body.detail,
      /There is no parameter sensor_type/,
    );
  });
});

test("before gold was made the lists are empty", async () => {
  await using api = await makeLakeApi();
  await api.add([message("413", "co2", FIRST_DAY, 400)]);
  for (const path of ["hourly", "daily", "restatements"]) {
    assert.equal((await api.get(`/v1/kpis/${path}`)).text, '{"data":[],"next_cursor":null}');
  }
});

test("what late readings changed comes by day, room, revision and column, and takes days and rooms", async () => {
  await using api = await makeBuildingApi();
  const restated = async (query = ""): Promise<readonly JsonRow[]> =>
    (await api.body(`/v1/kpis/restatements${query}`)).data;
  assert.deepEqual(await restated(), []);
  const late = [
    message("413", "co2", FIRST_DAY + 30, 1500),
    message("415", "co2", FIRST_DAY + DAY + 30, 900),
    // The newest day is not over: its figures are not restated.
    message("415", "co2", FIRST_DAY + 2 * DAY + 30, 900),
  ];
  await api.add(late);
  await api.gold();
  const rows = await restated();
  assert.deepEqual(Object.keys(rows[0]!), columnNames("gold/restatements"));
  const place = (row: JsonRow): unknown => [row["event_date"], row["room"], row["column_name"]].join(" ");
  assert.deepEqual(rows.map(place), [
    "2013-08-23 413 co2_avg",
    "2013-08-23 413 co2_max",
    "2013-08-23 413 coverage",
    "2013-08-23 413 data_quality_score",
    "2013-08-24 415 co2_avg",
    "2013-08-24 415 co2_max",
    "2013-08-24 415 coverage",
  ]);
  const { restated_at: _at, ...highest } = rows[1]!;
  assert.deepEqual(highest, {
    room: "413",
    event_date: "2013-08-23",
    column_name: "co2_max",
    value_before: 473,
    value_after: 1500,
    late_readings: 1,
    revision: 2,
  });
  assert.equal((await restated("?room=415")).length, 3);
  assert.equal((await restated("?to=2013-08-23")).length, 4);
  assert.equal((await restated("?from=2013-08-24&to=2013-08-24&room=413")).length, 0);
  assert.match(
    (await api.get("/v1/kpis/restatements?format=csv&limit=1")).text,
    /^room,event_date,column_name,.*\r\n413,2013-08-23,co2_avg,/,
  );
});

test("a room with nothing valid has no score, and every type is missing", async () => {
  await using api = await makeLakeApi();
  await api.add([message("413", "co2", FIRST_DAY, 0)]);
  await api.gold();
  const [day] = (await api.body("/v1/kpis/daily")).data;
  assert.deepEqual(
    [day!["comfort_score"], day!["missing"]],
    [null, ["co2", "humidity", "luminosity", "pir", "temperature"]],
  );
});

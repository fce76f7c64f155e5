// GET /v1/rooms, /v1/sensors and /v1/sensor-types: what there is, from gold where that is current.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SENSOR_TYPES } from "../../src/reading/terms.ts";
import {
  DAY,
  FIRST_DAY,
  buildingMessages,
  makeBuildingApi,
  makeLakeApi,
  type LakeApi,
} from "../support/api.ts";
import { message } from "../support/lake.ts";

const ROOM_413 = {
  room: "413",
  first_date: "2013-08-23",
  last_date: "2013-08-25",
  sensor_types: [...SENSOR_TYPES],
  nb_readings: 5 * 72 + 1,
};
const ROOM_415 = {
  room: "415",
  first_date: "2013-08-23",
  last_date: "2013-08-25",
  sensor_types: ["co2", "humidity", "luminosity", "temperature"],
  nb_readings: 4 * 72,
};

test("rooms and sensors are the same from silver and from gold", async () => {
  await using api = await makeLakeApi();
  await api.add(buildingMessages());
  const fromSilver = await api.get("/v1/rooms");
  const sensors = await api.body("/v1/sensors");
  assert.deepEqual(fromSilver.body.data, [ROOM_413, ROOM_415]);
  await api.gold();
  assert.deepEqual((await api.body("/v1/rooms")).data, fromSilver.body.data);
  assert.deepEqual((await api.body("/v1/sensors")).data, sensors.data);
  assert.deepEqual(
    sensors.data.map((row) => row["sensor_id"]),
    [
      ...SENSOR_TYPES.map((type) => `413-${type}`),
      ...SENSOR_TYPES.filter((type) => type !== "pir").map((type) => `415-${type}`),
    ],
  );
  assert.deepEqual(sensors.data[4], {
    sensor_id: "413-temperature",
    room: "413",
    sensor_type: "temperature",
    unit: "°C",
  });
});

test("gold that is behind, or was made for some days only, does not hide what silver has", async () => {
  await using api = await makeLakeApi();
  await api.add([message("1", "co2", FIRST_DAY, 400), message("1", "co2", FIRST_DAY + DAY, 400)]);
  await api.gold(["2013-08-23"]);
  assert.equal((await api.body("/v1/rooms/1"))["nb_readings"], 2);
  await api.gold();
  await api.add([message("2", "pir", FIRST_DAY, 0)]);
  assert.deepEqual(
    (await api.body("/v1/rooms")).data.map((row) => row["room"]),
    ["1", "2"],
  );
  assert.equal((await api.get("/v1/rooms/2")).status, 200);
});

let building: LakeApi;
before(async () => {
  building = await makeBuildingApi();
});
after(async () => building[Symbol.asyncDispose]());

test("one room is found by its name, and an unknown one is not", async () => {
  const api = building;
  assert.deepEqual(await api.body("/v1/rooms/413"), ROOM_413);
  const reply = await api.get("/v1/rooms/41%22");
  assert.equal(reply.status, 404);
  assert.deepEqual(
    [reply.body["code"], reply.body.detail],
    ["NOT_FOUND", 'There is no room "41\\"" with readings: /v1/rooms lists those there are.'],
  );
  assert.equal((await api.get(`/v1/rooms/${"x".repeat(2000)}`)).status, 404);
  const { etag } = (await api.get("/v1/rooms/413")).headers;
  assert.equal((await api.get("/v1/rooms/413", { "if-none-match": etag! })).status, 304);
  assert.equal((await api.get("/v1/rooms/413", { "if-none-match": "*" })).status, 304);
  assert.equal((await api.get("/v1/rooms/nowhere", { "if-none-match": "*" })).status, 404);
});

test("a room whose name needs escaping is found", async () => {
  await using api = await makeLakeApi();
  await api.add([message("2. OG/Süd %", "co2", FIRST_DAY, 400)]);
  assert.equal((await api.body(`/v1/rooms/${encodeURIComponent("2. OG/Süd %")}`))["room"], "2. OG/Süd %");
});

test("sensors are filtered by room and type", async () => {
  const api = building;
  const ids = async (query: string): Promise<unknown> =>
    (await api.body(`/v1/sensors?${query}`)).data.map((row) => row["sensor_id"]);
  assert.deepEqual(await ids("room=415&sensor_type=co2&sensor_type=motion"), ["415-co2"]);
  assert.deepEqual(await ids("sensor_type=pir"), ["413-pir"]);
  assert.deepEqual(await ids("room=1"), []);
});

test("sensor types come with unit, range and period", async () => {
  await using api = await makeLakeApi();
  const { data } = await api.body("/v1/sensor-types");
  assert.deepEqual(
    data.map((row) => row["sensor_type"]),
    SENSOR_TYPES,
  );
  assert.deepEqual(data[2], {
    sensor_type: "luminosity",
    aliases: ["light"],
    unit: "lux",
    min: 0,
    min_is_plausible: true,
    max: 3000,
    integer: false,
    sample_period_seconds: 5,
  });
});

test("before there is a table there are no rooms and no sensors", async () => {
  await using api = await makeLakeApi();
  assert.deepEqual((await api.body("/v1/rooms")).data, []);
  assert.deepEqual((await api.body("/v1/sensors")).data, []);
  assert.equal((await api.get("/v1/rooms/413")).status, 404);
});

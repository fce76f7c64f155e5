// The original's paths answer with its parameters.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { columnNames } from "../../src/api/row-schemas.ts";
import { makeBuildingApi, makeLakeApi, type LakeApi } from "../support/api.ts";

describe("the original's paths", () => {
  let api: LakeApi;
  before(async () => {
    api = await makeBuildingApi();
  });
  after(async () => api[Symbol.asyncDispose]());

  test("/health is ok", async () => assert.deepEqual(await api.body("/health"), { status: "ok" }));

  test("/silver/rooms lists the rooms of a day, or all", async () => {
    assert.deepEqual(await api.body("/silver/rooms"), { date: null, count: 2, rooms: ["413", "415"] });
    assert.deepEqual(await api.body("/silver/rooms?date=2013-08-24"), {
      date: "2013-08-24",
      count: 2,
      rooms: ["413", "415"],
    });
    assert.deepEqual(await api.body("/silver/rooms?date=2014-08-24"), {
      date: "2014-08-24",
      count: 0,
      rooms: [],
    });
  });

  test("/silver/sensor-types lists those of a day and a room, or all", async () => {
    assert.equal((await api.body("/silver/sensor-types"))["count"], 5);
    assert.deepEqual(await api.body("/silver/sensor-types?date=2013-08-24&room=415"), {
      date: "2013-08-24",
      count: 4,
      sensor_types: ["co2", "humidity", "luminosity", "temperature"],
    });
  });

  test("/silver/readings gives whole rows of silver, the first 100 of the day", async () => {
    const answer = await api.body("/silver/readings?date=2013-08-23");
    assert.deepEqual([answer["date"], answer["count"], answer.rows.length], ["2013-08-23", 100, 100]);
    assert.deepEqual(Object.keys(answer.rows[0]!), columnNames("silver/readings"));
    const some = await api.body("/silver/readings?date=2013-08-23&room=413&sensor_type=co2&limit=1000");
    assert.equal(some["count"], 25);
    assert.ok(some.rows.every((row) => row["event_date"] === "2013-08-23" && row["sensor_id"] === "413-co2"));
    assert.deepEqual(
      [some.rows[0]!["topic"], some.rows[0]!["partition"], some.rows[0]!["offset"]],
      ["iot.co2", 0, 0],
    );
  });

  test("/silver/readings needs a date, and at most 1000 rows", async () => {
    assert.equal((await api.get("/silver/readings")).body.detail, "date is required.");
    assert.match(
      (await api.get("/silver/readings?date=2013-08-23&limit=1001")).body.detail,
      /^limit is "1001": expected a whole number from 1 to 1000\.$/,
    );
    assert.match(
      (await api.get("/silver/readings?date=23.08.2013")).body.detail,
      /^date is "23\.08\.2013": expected a date such as/,
    );
    assert.match((await api.get("/silver/rooms?room=413")).body.detail, /There is no parameter room/);
  });

  test("they have tags too", async () => {
    const { etag } = (await api.get("/silver/rooms")).headers;
    assert.equal((await api.get("/silver/rooms", { "if-none-match": etag! })).status, 304);
  });
});

test("before there is a table they are empty", async () => {
  await using api = await makeLakeApi();
  assert.deepEqual(await api.body("/silver/rooms"), { date: null, count: 0, rooms: [] });
  assert.deepEqual(await api.body("/silver/readings?date=2013-08-23"), {
    date: "2013-08-23",
    count: 0,
    rows: [],
  });
});

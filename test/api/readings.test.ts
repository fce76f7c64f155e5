// GET /v1/readings over a real lake: ranges, filters, forms, pages.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { DAY, FIRST_DAY, makeBuildingApi, makeLakeApi, type JsonRow, type LakeApi } from "../support/api.ts";
import { message } from "../support/lake.ts";

describe("/v1/readings", () => {
  let api: LakeApi;
  before(async () => {
    api = await makeBuildingApi();
  });
  after(async () => api[Symbol.asyncDispose]());

  const rowsOf = async (query: string): Promise<readonly JsonRow[]> =>
    (await api.body(`/v1/readings?${query}`)).data;
  const keysOf = (rows: readonly JsonRow[]): readonly string[] =>
    rows.map((row) => [row["ts_utc"], row["sensor_type"], row["room"]].join(" "));

  test("gives a reading with its unit and quality", async () => {
    assert.deepEqual(
      await rowsOf("from=2013-08-23T08:00:00Z&to=2013-08-23T08:00:06Z&room=413&sensor_type=co2"),
      [
        {
          room: "413",
          sensor_type: "co2",
          sensor_id: "413-co2",
          ts_utc: "2013-08-23T08:00:00Z",
          value_raw: 458,
          value_clean: 458,
          unit: "ppm",
          is_valid: true,
          quality_flag: "OK",
        },
        {
          room: "413",
          sensor_type: "co2",
          sensor_id: "413-co2",
          ts_utc: "2013-08-23T08:00:05Z",
          value_raw: 0,
          value_clean: null,
          unit: "ppm",
          is_valid: false,
          quality_flag: "OUT_OF_RANGE",
        },
      ],
    );
  });

  test("orders by time, sensor type and room", async () => {
    const keys = keysOf(await rowsOf("from=2013-08-23&to=2013-08-23"));
    assert.equal(keys.length, 9 * 24 + 1);
    assert.deepEqual(keys, keys.toSorted());
  });

  test("a moment as to is left out, a day as to is whole", async () => {
    assert.equal(
      (await rowsOf("from=2013-08-23T08:00:00Z&to=2013-08-23T09:00:00Z&room=415&sensor_type=pir,temp"))
        .length,
      1,
    );
    assert.equal(
      (await rowsOf("from=2013-08-23T08:00:00Z&to=2013-08-23&room=415&sensor_type=temp")).length,
      16,
    );
    assert.equal((await rowsOf("to=2013-08-23&room=415&sensor_type=temp")).length, 24);
    assert.equal((await rowsOf("from=2013-08-25T23:00:00Z&room=415&sensor_type=temp")).length, 1);
    assert.equal(
      (
        await rowsOf(
          "from=2013-08-24T01:00:00%2B02:00&to=2013-08-24T02:00:00+02:00&room=415&sensor_type=temp",
        )
      ).length,
      1,
    );
  });

  test("without from and to it gives the 24 hours up to the newest reading", async () => {
    const rows = await rowsOf("room=413&sensor_type=co2");
    assert.equal(rows[0]!["ts_utc"], "2013-08-24T23:00:00Z");
    assert.equal(rows.at(-1)!["ts_utc"], "2013-08-25T23:00:00Z");
    assert.equal(rows.length, 25);
  });

  test("filters by several rooms, sensor types and quality flags", async () => {
    assert.equal((await rowsOf("from=2013-08-23&room=413&room=415&sensor_type=pir&limit=10000")).length, 72);
    assert.equal(
      (await rowsOf("from=2013-08-23&room=413,415&sensor_type=pir,co2&limit=10000")).length,
      72 * 3 + 1,
    );
    assert.equal((await rowsOf("from=2013-08-23&quality=OUT_OF_RANGE")).length, 1);
    assert.equal((await rowsOf("from=2013-08-23&quality=MISSING,OUT_OF_RANGE")).length, 1);
    assert.equal((await rowsOf("from=2013-08-23&sensor_type=co2&quality=OK&limit=10000")).length, 144);
    assert.deepEqual(await rowsOf("from=2013-08-23&room=nowhere"), []);
    assert.deepEqual(await rowsOf("from=2020-01-01"), []);
    assert.deepEqual(await rowsOf("to=2000-01-01"), []);
  });

  test("CSV comes by format or by the Accept header, with the same rows and the next page in Link", async () => {
    const url = "/v1/readings?from=2013-08-23T08:00:00Z&to=2013-08-23T08:00:06Z&room=413&sensor_type=co2";
    const expected =
      "room,sensor_type,sensor_id,ts_utc,value_raw,value_clean,unit,is_valid,quality_flag\r\n" +
      "413,co2,413-co2,2013-08-23T08:00:00Z,458,458,ppm,true,OK\r\n" +
      "413,co2,413-co2,2013-08-23T08:00:05Z,0,,ppm,false,OUT_OF_RANGE\r\n";
    const byFormat = await api.get(`${url}&format=csv`);
    const byAccept = await api.get(url, { accept: "text/csv" });
    assert.deepEqual([byFormat.text, byAccept.text], [expected, expected]);
    assert.match(byFormat.headers["content-type"]!, /^text\/csv; charset=utf-8/);
    assert.equal(byFormat.headers["link"], undefined);
    const first = await api.get(`${url}&format=csv&limit=1`);
    const next = /^<([^>]+)>; rel="next"$/.exec(first.headers["link"]!)![1]!;
    assert.equal((await api.get(next)).text, expected.split("\r\n").toSpliced(1, 1).join("\r\n"));
  });

  test("a client that accepts neither form is told so", async () => {
    const reply = await api.get("/v1/readings", { accept: "application/xml" });
    assert.deepEqual([reply.status, reply.body["code"]], [406, "NOT_ACCEPTABLE"]);
  });

  test("a cursor of other filters or of nobody is refused, by name", async () => {
    const { next_cursor: cursor } = await api.body("/v1/readings?from=2013-08-23&limit=1");
    assert.equal(
      (await api.get(`/v1/readings?from=2013-08-23&limit=5&format=csv&cursor=${cursor}`)).status,
      200,
    );
    for (const query of [
      `from=2013-08-24&cursor=${cursor}`,
      `from=2013-08-23&room=413&cursor=${cursor}`,
      "cursor=abc",
    ]) {
      const reply = await api.get(`/v1/readings?${query}`);
      assert.equal(reply.status, 400, query);
      assert.deepEqual(
        reply.body.errors.map(({ parameter }) => parameter),
        ["cursor"],
      );
    }
    assert.equal((await api.get(`/v1/rooms?cursor=${cursor}`)).status, 400);
  });

  test("room names are values, whatever is in them", async () => {
    for (const room of ["'; drop table x; --", "a%00b", "%F0%9F%8F%A2", "$p0", "%22"]) {
      assert.deepEqual(await rowsOf(`from=2013-08-23&room=${room}`), [], room);
    }
  });
});

test("before there is a table, the answer is an empty page", async () => {
  await using api = await makeLakeApi();
  const reply = await api.get("/v1/readings?from=2013-08-23");
  assert.deepEqual([reply.status, reply.text], [200, '{"data":[],"next_cursor":null}']);
  assert.equal(reply.headers["atrium-table-version"], "none");
  assert.match((await api.get("/v1/readings?format=csv")).text, /^room,[a-z_,]+\r\n$/);
});

test("an answer is always from the newest committed version, and its tag changes with it", async () => {
  await using api = await makeLakeApi();
  await api.add([message("413", "co2", FIRST_DAY, 400)]);
  const url = "/v1/readings?from=2013-08-23";
  const first = await api.get(url);
  const same = await api.get(url, { "if-none-match": `"other", W/${first.headers["etag"]}` });
  assert.deepEqual([same.status, same.text, same.headers["etag"]], [304, "", first.headers["etag"]]);
  await api.add([message("413", "co2", FIRST_DAY + 5, 401)]);
  const second = await api.get(url, { "if-none-match": first.headers["etag"]! });
  assert.deepEqual([second.status, second.body.data.length], [200, 2]);
  assert.equal(
    Number(second.headers["atrium-table-version"]),
    Number(first.headers["atrium-table-version"]) + 1,
  );
  assert.notEqual((await api.get(`${url}&room=413`)).headers["etag"], second.headers["etag"]);
  assert.notEqual((await api.get(url, { accept: "text/csv" })).headers["etag"], second.headers["etag"]);
});

test("without from and to, later pages keep the start of the first, though newer readings arrive", async () => {
  await using api = await makeLakeApi();
  const times = [FIRST_DAY, FIRST_DAY + 100, FIRST_DAY + 200];
  await api.add(times.map((ts) => message("413", "co2", ts, 400)));
  const first = await api.body("/v1/readings?limit=1");
  await api.add([message("413", "co2", FIRST_DAY + 2 * DAY, 400)]);
  const rest = await api.body(`/v1/readings?limit=10&cursor=${first.next_cursor}`);
  assert.deepEqual(
    rest.data.map((row) => row["ts_utc"]),
    ["2013-08-23T00:01:40Z", "2013-08-23T00:03:20Z", "2013-08-25T00:00:00Z"],
  );
});

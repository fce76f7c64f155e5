// Queries: values are parameters, never text, and the file filter covers what the text asks for.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  kpiQuery,
  KEYS,
  readingsQuery,
  roomsQuery,
  sensorsQuery,
  valuesQuery,
} from "../../src/api/queries.ts";

const EVIL = "'; drop table x; --";
const FROM = "2013-08-23T08:00:00.000000Z";
const BEFORE = "2013-08-24T00:00:00.000000Z";

test("no value of a client is in the text of a query", () => {
  const page = { after: [EVIL, EVIL, EVIL], limit: 10 };
  const oneOf = { room: [EVIL, "413"], sensor_type: [EVIL] };
  const queries = [
    readingsQuery(["room"], { range: { from: EVIL, before: EVIL }, oneOf }, page),
    kpiQuery(
      { relation: "gold_room_daily", columns: ["room"], keys: KEYS.daily },
      { range: { from: EVIL, to: EVIL }, oneOf },
      page,
    ),
    roomsQuery("silver/readings", oneOf, page),
    sensorsQuery("gold/sensor_daily", oneOf, page),
    valuesQuery("room", { date: EVIL, oneOf }, 10),
  ];
  for (const { sql, parameters } of queries) {
    assert.doesNotMatch(sql, /drop table/);
    assert.ok(Object.values(parameters).includes(EVIL));
    const named = [...sql.matchAll(/\$([a-z0-9_]+)/g)].map(([, name]) => name!);
    assert.deepEqual([...new Set(named)].toSorted(), Object.keys(parameters).toSorted());
  }
});

test("readings are asked for by range and lists, one row more than the page holds", () => {
  const query = readingsQuery(
    ["room", "offset"],
    { range: { from: FROM, before: BEFORE }, oneOf: { room: ["413", "415"], sensor_type: [] } },
    { after: undefined, limit: 2 },
  );
  assert.equal(
    query.sql,
    'select "room", "offset" from silver_readings where "room" in ($p0, $p1) and "ts_utc" >= cast($p2 as timestamptz) ' +
      'and "ts_utc" < cast($p3 as timestamptz) order by "ts_utc", "sensor_type", "room" limit $row_count',
  );
  assert.deepEqual(query.parameters, { p0: "413", p1: "415", p2: FROM, p3: BEFORE, row_count: 3 });
  assert.deepEqual(query.filter, {
    equals: { room: ["413", "415"] },
    ranges: { ts_utc: { from: FROM, to: BEFORE }, event_date: { from: "2013-08-23", to: "2013-08-24" } },
  });
  assert.equal(query.isByDay, true);
});

test("a page begins after the key of the one before, and its files with the day of that key", () => {
  const after = ["2013-08-25T01:00:00.000000Z", "co2", "413"];
  const query = readingsQuery(
    ["room"],
    { range: { from: FROM, before: undefined }, oneOf: {} },
    { after, limit: 2 },
  );
  assert.match(
    query.sql,
    /"ts_utc" >= cast\(\$p1 as timestamptz\) and \("ts_utc" > cast\(\$p1 as timestamptz\) or \("ts_utc" = cast\(\$p1 as timestamptz\) and "sensor_type" >= \$p2 and \("sensor_type" > \$p2 or \("sensor_type" = \$p2 and "room" > \$p3\)\)\)\)/,
  );
  assert.deepEqual(query.filter.ranges, { ts_utc: { from: after[0] }, event_date: { from: "2013-08-25" } });
});

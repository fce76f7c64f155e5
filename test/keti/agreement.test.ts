// On real readings: what the lake says is what plain SQL over the raw files says.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { KETI_DIR, WITHOUT_KETI } from "../support/keti.ts";
import { done, temporaryFolder } from "../support/program.ts";

const skip = WITHOUT_KETI;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let lake = "";
let raw: DuckDBConnection;

before(async () => {
  if (skip !== false) return;
  folder = await temporaryFolder();
  lake = join(folder.path, "lake");
  await done(["run", "--raw", KETI_DIR!, "--lake", lake]);
  raw = await (await DuckDBInstance.create(":memory:")).connect();
  await raw.run("set TimeZone = 'UTC'");
  const files = `'${join(KETI_DIR!, "*", "*.csv.gz")}'`;
  // The rules are written out once more here, on purpose: this is what the lake is held against.
  await raw.run(`create table readings as
    select room, sensor_type, seconds, value, epoch_ms(seconds * 1000)::timestamp as moment,
      case sensor_type when 'co2' then value > 0 and value <= 5000 when 'humidity' then value between 0 and 100
        when 'luminosity' then value between 0 and 3000 when 'pir' then value between 0 and 30 and value = trunc(value)
        else value between 10 and 40 end as valid
    from (select string_split(filename, '/')[-2] as room,
        replace(replace(string_split(filename, '/')[-1], '.csv.gz', ''), 'light', 'luminosity') as sensor_type,
        column0 as seconds, cast(column1 as double) as value
      from read_csv(${files}, header = false, filename = true))`);
});

after(async () => {
  if (skip !== false) return;
  raw.closeSync();
  await folder[Symbol.asyncDispose]();
});

async function lakeRows(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  return JSON.parse(await done(["sql", "--lake", lake, "--json", sql])) as Readonly<
    Record<string, unknown>
  >[];
}

async function rawRows(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  return (await raw.runAndReadAll(sql)).getRowObjectsJS();
}

/** Asserts the same rows, numbers to 1e-9. */
function assertClose(
  actual: readonly Readonly<Record<string, unknown>>[],
  expected: readonly Readonly<Record<string, unknown>>[],
): void {
  assert.equal(actual.length, expected.length);
  assert.ok(expected.length > 0);
  for (const [index, row] of expected.entries()) {
    for (const [column, value] of Object.entries(row)) {
      const found = actual[index]?.[column];
      const wanted = typeof value === "bigint" ? Number(value) : value;
      const isClose =
        typeof wanted === "number" && typeof found === "number"
          ? Math.abs(wanted - found) <= 1e-9 * Math.max(1, Math.abs(wanted))
          : found === wanted;
      assert.ok(
        isClose,
        `row ${index}, ${column}: ${String(found)} in the lake, ${String(wanted)} in the raw files; ${JSON.stringify(actual[index])}`,
      );
    }
  }
}

test("silver has every reading of the raw files, and judges as many valid", { skip }, async () => {
  const silver = await lakeRows(
    "select count(*) n, count(distinct sensor_id) s, sum(cast(is_valid as int)) v, sum(value_raw) total from silver_readings",
  );
  const files = await rawRows(
    "select count(*) n, count(distinct room || sensor_type) s, count_if(valid) v, sum(value) total from readings",
  );
  assertClose(silver, files);
});

test("gold_sensor_hourly agrees with plain SQL over the raw files", { skip }, async () => {
  const gold =
    await lakeRows(`select room, sensor_type, cast(event_date as varchar) d, hour_utc h, nb_readings, nb_valid, nb_invalid, value_min, value_max,
    value_avg, value_std, pct_valid, quality_flag_hour from gold_sensor_hourly order by 1, 2, 3, 4`);
  const files =
    await rawRows(`select room, sensor_type, cast(cast(moment as date) as varchar) d, hour(moment) h, count(*) nb_readings, count_if(valid) nb_valid,
      count_if(not valid) nb_invalid, min(value) filter (valid) value_min, max(value) filter (valid) value_max,
      avg(value) filter (valid) value_avg, stddev_samp(value) filter (valid) value_std, count_if(valid) / count(*) pct_valid,
      case when count_if(valid) / count(*) >= 0.9 then 'OK' when count_if(valid) / count(*) >= 0.7 then 'WARNING' else 'BAD' end quality_flag_hour
    from readings group by all order by 1, 2, 3, 4`);
  assertClose(gold, files);
});

test("gold_room_daily agrees with plain SQL over the raw files", { skip }, async () => {
  const gold =
    await lakeRows(`select * exclude (created_at, revision, event_date, coverage), cast(event_date as varchar) d
    from gold_room_daily order by room, d`);
  const files = await rawRows(`
    with valids as (select * from readings where valid),
    hours as (select room, cast(moment as date) d, sensor_type, hour(moment) h, avg(value) mean from valids group by all),
    shares as (select room, d,
        avg(case when sensor_type = 'temperature' then (mean between 20 and 24)::int end) temp_comfort_ratio,
        avg(case when sensor_type = 'co2' then (mean > 1000)::int end) co2_above_1000_ratio,
        avg(case when sensor_type = 'humidity' then (mean between 30 and 60)::int end) humidity_in_range_ratio
      from hours group by all),
    days as (select room, cast(moment as date) d,
        avg(value) filter (sensor_type = 'temperature') temp_avg, min(value) filter (sensor_type = 'temperature') temp_min,
        max(value) filter (sensor_type = 'temperature') temp_max,
        avg(value) filter (sensor_type = 'co2') co2_avg, max(value) filter (sensor_type = 'co2') co2_max,
        avg(value) filter (sensor_type = 'humidity') humidity_avg,
        avg(value) filter (sensor_type = 'luminosity') luminosity_avg, min(value) filter (sensor_type = 'luminosity') luminosity_min,
        max(value) filter (sensor_type = 'luminosity') luminosity_max,
        avg((value > 0)::int) filter (sensor_type = 'pir') occupancy_rate
      from valids group by all),
    quality as (select room, cast(moment as date) d, 100 * count_if(valid) / count(*) data_quality_score from readings group by all)
    select days.room, cast(d as varchar) d, * exclude (room, d),
      100 * (0.5 * temp_comfort_ratio + 0.3 * (1 - co2_above_1000_ratio) + 0.2 * humidity_in_range_ratio) comfort_score
    from days join shares using (room, d) join quality using (room, d) order by days.room, d`);
  assertClose(gold, files);
});

test("every malformed value of the known faults is flagged, none is lost", { skip }, async () => {
  const silver = await lakeRows(
    "select quality_flag f, count(*) n from silver_readings group by all order by 1",
  );
  const files = await rawRows(
    "select case when valid then 'OK' else 'OUT_OF_RANGE' end f, count(*) n from readings group by all order by 1",
  );
  assertClose(silver, files);
  assert.ok(silver.length === 2);
});

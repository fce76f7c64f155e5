// The silver transform as data: new bronze rows to one typed, judged row a sensor and event time.

import { qualityFlagSql, unitSql } from "./rules.ts";

/** Which duplicates a batch can hold, as far as a look at its keys and at the ranges of silver's files tells. */
export interface DuplicateRisk {
  /** Two new rows have the same room, type and event time. */
  readonly withinBatch: boolean;
  /** Silver has rows in the time range of the new ones. */
  readonly withSilver: boolean;
}

/** Counts new rows and their distinct keys. Input: bronze_readings. */
export const KEY_COUNT_SQL = `
  select count(*) as nb_rows, count(distinct (room, sensor_type, event_ts)) as nb_keys from bronze_readings`;

/**
 * New bronze rows to silver rows. Inputs: bronze_readings (the new files only), batch, and silver_readings where
 * `withSilver` is set. Of several rows with one key the first in the log stays; one that silver holds stays out.
 */
export function silverSql(risk: DuplicateRisk): string {
  return `
  select room, sensor_type, concat(room, '-', sensor_type) as sensor_id, ts_unix, event_ts as ts_utc, event_date,
    value as value_raw, case when quality_flag = 'OK' then value end as value_clean,
    ${unitSql()} as unit, quality_flag = 'OK' as is_valid, quality_flag,
    topic, "partition", "offset", ingest_ts, made_at as created_at
  from (select *, ${qualityFlagSql()} as quality_flag from ${sourceSql(risk)}) judged cross join batch`;
}

function sourceSql({ withinBatch, withSilver }: DuplicateRisk): string {
  const first = `(select * from (
      select *, row_number() over (
        partition by room, sensor_type, event_ts order by ingest_ts, topic, "partition", "offset") as place
      from bronze_readings) placed
    where place = 1)`;
  const source = withinBatch ? first : "bronze_readings";
  if (!withSilver) return source;
  // The bounds keep the side that is held in memory small: in order, only the last second of silver is left of it.
  return `(select fresh.* from ${source} fresh where not exists (
    select 1 from silver_readings held
    where held.ts_utc >= (select min(event_ts) from bronze_readings)
      and held.ts_utc <= (select max(event_ts) from bronze_readings)
      and held.room = fresh.room and held.sensor_type = fresh.sensor_type and held.ts_utc = fresh.event_ts)) unseen`;
}

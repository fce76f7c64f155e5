// The gold transforms as data: silver to KPIs by hour and by day.
//
// Sums go through decimals, so that the same silver gives the same gold bit for bit, however the engine splits the
// work. Every value is judged by its hour's mean; a day weights its hours by their valid readings. Missing data is
// null and never counts as good.

import type { TableName } from "../../reading/tables.ts";
import { SENSOR_TRAITS, SENSOR_TYPES } from "../../reading/terms.ts";

/** A gold table: what it is made of and how. */
export interface GoldTransform {
  readonly table: TableName;
  /** Other gold tables that the text reads, by the names of SQL; they are made first. `previous` is the table itself. */
  readonly reads: readonly TableName[];
  readonly sql: string;
  /** Columns that tell when a row was made, not what it says: a day that differs only in these is not replaced. */
  readonly bookkeeping: readonly string[];
}

/** The limits behind the KPIs: indoor comfort as the original judges it, on hourly means. */
export const COMFORT = {
  temperature: { min: 20, max: 24, weight: 0.5 },
  co2: { max: 1000, weight: 0.3 },
  humidity: { min: 30, max: 60, weight: 0.2 },
} as const;

/** A sensor's period is fit from this share of valid readings on; below the second it is bad. */
export const QUALITY_LIMITS = { ok: 0.9, warning: 0.7 } as const;

const SECONDS_PER_HOUR = 3600;
const SECONDS_PER_DAY = 86_400;

const samplePeriod = (sensorType: string): string =>
  `case ${sensorType} ${SENSOR_TYPES.map((type) => `when '${type}' then ${SENSOR_TRAITS[type].samplePeriodSeconds}`).join(" ")} end`;

/** Share of the readings that a healthy sensor sends in that time, at most 1. */
const coverage = (valid: string, seconds: number, sensorType = "sensor_type"): string =>
  `least(1.0, cast(${valid} * ${samplePeriod(sensorType)} as double) / ${seconds})`;

const qualityFlag = (share: string): string =>
  `case when ${share} >= ${QUALITY_LIMITS.ok} then 'OK' when ${share} >= ${QUALITY_LIMITS.warning} then 'WARNING' else 'BAD' end`;

/** A double as a decimal, by its shortest text: engines that go by the bits differ where a digit is just half. */
const exact = (value: string, type: string): string => `cast(cast(${value} as string) as ${type})`;

/**
 * n·Σv² - (Σv)² is exact in decimals, so that the deviation of a constant is 0 and not the noise of a subtraction.
 * One factor has 19 digits: with 18 in both, DuckDB keeps the product in 64 bits and overflows.
 */
const SPREAD = `cast(cast(nb_valid as decimal(8, 0)) * cast(sum_squares as decimal(29, 12))
      - cast(sum_values as decimal(19, 6)) * cast(sum_values as decimal(18, 6)) as double)`;

/** By whole numbers: extract(hour …) of a time with a zone goes through the calendar, which costs three times as much. */
const HOUR_OF_DAY = `cast(floor((ts_unix % ${SECONDS_PER_DAY}) / ${SECONDS_PER_HOUR}) as integer)`;

const HOURLY: GoldTransform = {
  table: "gold/sensor_hourly",
  reads: [],
  bookkeeping: ["created_at"],
  sql: `
  select room, sensor_type, event_date, hour_utc, nb_readings, nb_valid, nb_readings - nb_valid as nb_invalid,
    value_min, value_max,
    case when nb_valid > 0 then cast(sum_values as double) / nb_valid end as value_avg,
    case when nb_valid > 1 then sqrt(${SPREAD} / (cast(nb_valid as double) * (nb_valid - 1))) end as value_std,
    cast(nb_valid as double) / nb_readings as pct_valid,
    ${coverage("nb_valid", SECONDS_PER_HOUR)} as coverage,
    ${qualityFlag("cast(nb_valid as double) / nb_readings")} as quality_flag_hour,
    made_at as created_at
  from (
    select room, sensor_type, event_date, ${HOUR_OF_DAY} as hour_utc,
      count(*) as nb_readings, count(value_clean) as nb_valid, min(value_clean) as value_min, max(value_clean) as value_max,
      sum(cast(value_clean as decimal(18, 6))) as sum_values,
      sum(cast(value_clean as decimal(19, 6)) * cast(value_clean as decimal(18, 6))) as sum_squares
    from silver_readings
    group by room, sensor_type, event_date, ${HOUR_OF_DAY}) sums
  cross join batch`,
};

/** A day's mean and spread from its hours: within the hours, plus between them. */
const DAILY: GoldTransform = {
  table: "gold/sensor_daily",
  reads: ["gold/sensor_hourly"],
  bookkeeping: ["created_at"],
  sql: `
  with days as (
    select room, sensor_type, event_date,
      cast(sum(nb_readings) as bigint) as nb_readings, cast(sum(nb_valid) as bigint) as nb_valid,
      min(value_min) as value_min, max(value_max) as value_max, cast(count(value_avg) as integer) as nb_hours,
      cast(sum(${exact("value_avg * nb_valid", "decimal(28, 9)")}) as double) / nullif(cast(sum(nb_valid) as double), 0) as value_avg
    from gold_sensor_hourly group by room, sensor_type, event_date),
  spreads as (
    select hours.room, hours.sensor_type, hours.event_date,
      cast(sum(${exact("coalesce(hours.value_std * hours.value_std * (hours.nb_valid - 1), 0)", "decimal(38, 12)")}) as double)
      + cast(sum(${exact("hours.nb_valid * (hours.value_avg - days.value_avg) * (hours.value_avg - days.value_avg)", "decimal(38, 12)")}) as double)
        as spread
    from gold_sensor_hourly hours
    join days on days.room = hours.room and days.sensor_type = hours.sensor_type and days.event_date = hours.event_date
    group by hours.room, hours.sensor_type, hours.event_date)
  select days.room, days.sensor_type, days.event_date, nb_readings, nb_valid, nb_readings - nb_valid as nb_invalid,
    value_min, value_max, value_avg,
    case when nb_valid > 1 then sqrt(spread / (nb_valid - 1)) end as value_std,
    cast(nb_valid as double) / nb_readings as pct_valid,
    ${coverage("nb_valid", SECONDS_PER_DAY, "days.sensor_type")} as coverage,
    nb_hours, ${qualityFlag("cast(nb_valid as double) / nb_readings")} as quality_flag_day, made_at as created_at
  from days
  join spreads on spreads.room = days.room and spreads.sensor_type = days.sensor_type and spreads.event_date = days.event_date
  cross join batch`,
};

const pick = (type: string, column: string): string =>
  `max(case when sensor_type = '${type}' then ${column} end)`;

const { temperature, co2, humidity } = COMFORT;

const ROOM_DAILY: GoldTransform = {
  table: "gold/room_daily",
  reads: ["gold/sensor_hourly"],
  bookkeeping: ["created_at", "revision"],
  sql: `
  with sensors as (
    select room, sensor_type, event_date,
      cast(sum(nb_readings) as bigint) as nb_readings, cast(sum(nb_valid) as bigint) as nb_valid,
      min(value_min) as value_min, max(value_max) as value_max,
      cast(sum(${exact("value_avg * nb_valid", "decimal(28, 9)")}) as double) / nullif(cast(sum(nb_valid) as double), 0) as value_avg,
      cast(count_if(value_avg between ${temperature.min} and ${temperature.max}) as double) / nullif(count(value_avg), 0) as temp_comfort_ratio,
      cast(count_if(value_avg > ${co2.max}) as double) / nullif(count(value_avg), 0) as co2_above_ratio,
      cast(count_if(value_avg between ${humidity.min} and ${humidity.max}) as double) / nullif(count(value_avg), 0) as humidity_in_range_ratio
    from gold_sensor_hourly group by room, sensor_type, event_date),
  rooms as (
    select room, event_date,
      ${pick("temperature", "value_avg")} as temp_avg, ${pick("temperature", "value_min")} as temp_min,
      ${pick("temperature", "value_max")} as temp_max, ${pick("temperature", "temp_comfort_ratio")} as temp_comfort_ratio,
      ${pick("co2", "value_avg")} as co2_avg, ${pick("co2", "value_max")} as co2_max,
      ${pick("co2", "co2_above_ratio")} as co2_above_1000_ratio,
      ${pick("humidity", "value_avg")} as humidity_avg, ${pick("humidity", "humidity_in_range_ratio")} as humidity_in_range_ratio,
      ${pick("luminosity", "value_avg")} as luminosity_avg, ${pick("luminosity", "value_min")} as luminosity_min,
      ${pick("luminosity", "value_max")} as luminosity_max,
      100 * cast(sum(nb_valid) as double) / cast(sum(nb_readings) as double) as data_quality_score,
      cast(sum(${exact(coverage("nb_valid", SECONDS_PER_DAY), "decimal(18, 12)")}) as double) / ${SENSOR_TYPES.length} as coverage
    from sensors group by room, event_date),
  motion as (
    select room, event_date, cast(count_if(value_clean > 0) as double) / nullif(count(value_clean), 0) as occupancy_rate
    from silver_readings where sensor_type = 'pir' group by room, event_date),
  revisions as (select event_date, max(revision) as revision from previous group by event_date)
  select rooms.room, rooms.event_date, temp_avg, temp_min, temp_max, temp_comfort_ratio,
    co2_avg, co2_max, co2_above_1000_ratio, humidity_avg, humidity_in_range_ratio,
    luminosity_avg, luminosity_min, luminosity_max, occupancy_rate, data_quality_score,
    100 * (${temperature.weight} * temp_comfort_ratio + ${co2.weight} * (1 - co2_above_1000_ratio)
      + ${humidity.weight} * humidity_in_range_ratio) as comfort_score,
    coverage, coalesce(revisions.revision, 0) + 1 as revision, made_at as created_at
  from rooms
  left join motion on motion.room = rooms.room and motion.event_date = rooms.event_date
  left join revisions on revisions.event_date = rooms.event_date
  cross join batch`,
};

/** The gold tables in the order in which they are made. */
export const GOLD_TRANSFORMS: readonly GoldTransform[] = [HOURLY, DAILY, ROOM_DAILY];

// The quality rules of silver as SQL, made from the one table of sensor types.

import { SENSOR_TRAITS, SENSOR_TYPES, type SensorType } from "../../reading/terms.ts";

/** SQL text of the quality flag of a reading with columns sensor_type and value: OK, MISSING or OUT_OF_RANGE. */
export function qualityFlagSql(): string {
  const cases = SENSOR_TYPES.map(
    (type) => `when sensor_type = '${type}' and not (${plausibleSql(type)}) then 'OUT_OF_RANGE'`,
  );
  return `case when value is null then 'MISSING' ${cases.join(" ")} else 'OK' end`;
}

/** SQL text of the unit of a reading with column sensor_type. */
export function unitSql(): string {
  const cases = SENSOR_TYPES.map((type) => `when '${type}' then '${SENSOR_TRAITS[type].unit}'`);
  return `case sensor_type ${cases.join(" ")} end`;
}

/** True for NaN too would be wrong: `value <= max` is false for NaN on Spark and DuckDB, which order it last. */
function plausibleSql(type: SensorType): string {
  const { min, max, minIsPlausible, integer } = SENSOR_TRAITS[type];
  const lower = minIsPlausible ? ">=" : ">";
  const whole = integer ? " and value = floor(value)" : "";
  return `value ${lower} ${min} and value <= ${max}${whole}`;
}

// /v1/kpis/hourly and /v1/kpis/daily: the gold tables, page by page in the order of time.

import { Type } from "typebox";
import type { SensorType } from "../../reading/terms.ts";
import { answerList, cursorOf, LIST_HEADERS, LIST_PROBLEMS, listContent, type Row } from "../list-answer.ts";
import * as parameters from "../parameters.ts";
import { KEYS, kpiQuery } from "../queries.ts";
import { sealRoute, type Api } from "../route.ts";
import { columnNames, rowSchema, sensorTypesSchema } from "../row-schemas.ts";

const HOURLY = {
  relation: "gold_sensor_hourly",
  columns: columnNames("gold/sensor_hourly"),
  keys: KEYS.hourly,
};
const DAILY = { relation: "gold_room_daily", columns: columnNames("gold/room_daily"), keys: KEYS.daily };

/** Schema of an hour of a sensor. */
export const hourlySchema = rowSchema("HourlyKpi", { table: "gold/sensor_hourly", columns: HOURLY.columns });

/** Schema of a day of a room. */
export const dailySchema = rowSchema("DailyKpi", {
  table: "gold/room_daily",
  columns: DAILY.columns,
  extra: {
    missing: sensorTypesSchema(
      "Sensor types without a valid reading on that day: why their columns, and a score that needs them, are null.",
    ),
  },
});

const HOURLY_EXAMPLE: Row = {
  room: "413",
  sensor_type: "temperature",
  event_date: "2013-08-24",
  hour_utc: 10,
  nb_readings: 720,
  nb_valid: 719,
  nb_invalid: 1,
  value_min: 22.91,
  value_max: 23.4,
  value_avg: 23.12,
  value_std: 0.11,
  pct_valid: 0.9986,
  coverage: 0.9986,
  quality_flag_hour: "OK",
  created_at: "2026-01-01T00:00:00Z",
};

const DAILY_EXAMPLE: Row = {
  room: "413",
  event_date: "2013-08-24",
  temp_avg: 23.1,
  temp_min: 22.4,
  temp_max: 23.9,
  temp_comfort_ratio: 1,
  co2_avg: 431.7,
  co2_max: 702,
  co2_above_1000_ratio: 0,
  humidity_avg: 51.2,
  humidity_in_range_ratio: 1,
  luminosity_avg: 38.5,
  luminosity_min: 2,
  luminosity_max: 240,
  occupancy_rate: null,
  data_quality_score: 99.98,
  comfort_score: 100,
  coverage: 0.79,
  revision: 1,
  created_at: "2026-01-01T00:00:00Z",
  missing: ["pir"],
};

const RANGE_TEXT =
  "Without `from` and `to`: all days. Times and days are UTC. To page, repeat the request with `cursor` set to `next_cursor`.";

/** GET /v1/kpis/hourly. */
export const hourlyRoute = (api: Api) =>
  sealRoute({
    url: "/v1/kpis/hourly",
    operationId: "listHourlyKpis",
    tag: "kpis",
    summary: "Figures of each sensor and hour.",
    description: `Rows of gold/sensor_hourly in the order of day, hour, sensor type and room. ${RANGE_TEXT}`,
    parameters: {
      from: parameters.fromDate,
      to: parameters.toDate,
      room: parameters.rooms,
      sensor_type: parameters.sensorTypes,
      limit: parameters.limit,
      cursor: parameters.cursor,
      format: parameters.format,
    },
    content: listContent(Type.Ref("HourlyKpi#"), HOURLY_EXAMPLE, true),
    headers: LIST_HEADERS,
    problems: [...LIST_PROBLEMS, 406],
    handle: async (call, values) => {
      const range = parameters.dateRange(values);
      const oneOf = { room: values.room, sensor_type: values.sensor_type };
      const { hash, cursor } = cursorOf(call, values, { keys: KEYS.hourly, filters: { ...range, ...oneOf } });
      const view = await api.tables.open("gold/sensor_hourly");
      const query = kpiQuery(HOURLY, { range, oneOf }, { after: cursor?.key, limit: values.limit });
      const { limit, format } = values;
      return answerList(api, call, {
        view,
        keys: KEYS.hourly,
        hash,
        limit,
        query,
        csvColumns: HOURLY.columns,
        format,
      });
    },
  });

/** GET /v1/kpis/daily. */
export const dailyRoute = (api: Api) =>
  sealRoute({
    url: "/v1/kpis/daily",
    operationId: "listDailyKpis",
    tag: "kpis",
    summary: "Comfort, air, light and use of each room and day.",
    description:
      `Rows of gold/room_daily in the order of day and room. ${RANGE_TEXT} Missing data never improves a figure: ` +
      "`comfort_score` is null if temperature, CO2 or humidity has no valid reading, and `missing` says which.",
    parameters: {
      from: parameters.fromDate,
      to: parameters.toDate,
      room: parameters.rooms,
      limit: parameters.limit,
      cursor: parameters.cursor,
      format: parameters.format,
    },
    content: listContent(Type.Ref("DailyKpi#"), DAILY_EXAMPLE, true),
    headers: LIST_HEADERS,
    problems: [...LIST_PROBLEMS, 406],
    handle: async (call, values) => {
      const range = parameters.dateRange(values);
      const oneOf = { room: values.room };
      const { hash, cursor } = cursorOf(call, values, { keys: KEYS.daily, filters: { ...range, ...oneOf } });
      const view = await api.tables.open("gold/room_daily");
      const query = kpiQuery(DAILY, { range, oneOf }, { after: cursor?.key, limit: values.limit });
      const { limit, format } = values;
      const csvColumns = [...DAILY.columns, "missing"];
      return answerList(api, call, {
        view,
        keys: KEYS.daily,
        hash,
        limit,
        query,
        shape: withMissing,
        csvColumns,
        format,
      });
    },
  });

/** The column of room_daily that is null if a sensor type has no valid reading. */
const TELLING_COLUMNS: Readonly<Record<SensorType, string>> = {
  co2: "co2_avg",
  humidity: "humidity_avg",
  luminosity: "luminosity_avg",
  pir: "occupancy_rate",
  temperature: "temp_avg",
};

function withMissing(row: Row): Row {
  const missing = Object.entries(TELLING_COLUMNS).flatMap(([type, column]) =>
    row[column] === null ? [type] : [],
  );
  return { ...row, missing };
}

// The queries behind the paths: filters to SQL with named parameters, and the file filter that goes with it. Pure.
//
// Values never become SQL text: each is a parameter. All lists have a key that orders them and says where a page ended.

import type { FileFilter } from "../lakehouse/delta/stats.ts";
import type { TableName } from "../reading/tables.ts";
import { SENSOR_TYPES } from "../reading/terms.ts";
import {
  conditions,
  given,
  quoted,
  type Conditions,
  type KeyColumn,
  type KeyValue,
  type OneOf,
} from "./conditions.ts";
import type { Instant } from "./instants.ts";

/** A query on one table. */
export interface TableQuery {
  readonly sql: string;
  readonly parameters: Readonly<Record<string, KeyValue>>;
  /** Which files can hold rows of the answer. */
  readonly filter: FileFilter;
  /** At most this many rows are wanted; the text itself asks for one more, to know whether there are more. */
  readonly rowsMax: number;
  /** True if the rows come in the order of event_date and no row depends on another day: then it can be asked day by day. */
  readonly isByDay: boolean;
}

/** Where a page starts and how long it may be. */
export interface Page {
  /** Key of the row before it; undefined for the first page. */
  readonly after: readonly KeyValue[] | undefined;
  readonly limit: number;
}

/** Half of an interval each: from this on, and before that; undefined is open. */
export interface InstantRange {
  readonly from: Instant | undefined;
  readonly before: Instant | undefined;
}

/** Days, both included; undefined is open. */
export interface DateRange {
  readonly from: string | undefined;
  readonly to: string | undefined;
}

const key = (name: string, type: KeyColumn["type"] = "string"): KeyColumn => ({ name, type });

/** Keys of the lists: what they are ordered by. */
export const KEYS = {
  readings: [key("ts_utc", "timestamp"), key("sensor_type"), key("room")],
  hourly: [key("event_date", "date"), key("hour_utc", "integer"), key("sensor_type"), key("room")],
  daily: [key("event_date", "date"), key("room")],
  restatements: [
    key("event_date", "date"),
    key("room"),
    key("revision", "integer"),
    key("restated_at", "timestamp"),
    key("column_name"),
  ],
  rooms: [key("room")],
  sensors: [key("room"), key("sensor_type")],
  rejected: [
    key("ingest_ts", "timestamp"),
    key("topic"),
    key("partition", "integer"),
    key("offset", "long"),
    key("log_ts", "timestamp"),
  ],
  reasons: [key("reason")],
} as const satisfies Record<string, readonly KeyColumn[]>;

/** Readings of a time range, in the order of time, sensor type and room. */
export function readingsQuery(
  columns: readonly string[],
  { range, oneOf }: { readonly range: InstantRange; readonly oneOf: OneOf },
  page: Page,
): TableQuery {
  const where = conditions();
  where.oneOf(oneOf);
  where.compare("ts_utc", ">=", { type: "timestamp", value: range.from });
  where.compare("ts_utc", "<", { type: "timestamp", value: range.before });
  const start = page.after === undefined ? range.from : String(page.after[0]);
  const ranges = {
    ts_utc: ends(start, range.before),
    event_date: ends(start?.slice(0, 10), range.before?.slice(0, 10)),
  };
  const filter = { equals: given(oneOf), ranges };
  return listQuery({
    relation: "silver_readings",
    columns,
    keys: KEYS.readings,
    where,
    filter,
    page,
    isByDay: true,
  });
}

/** KPIs of some days, in the order of day, hour, sensor type and room. */
export function kpiQuery(
  list: {
    readonly relation: string;
    readonly columns: readonly string[];
    readonly keys: readonly KeyColumn[];
  },
  { range, oneOf }: { readonly range: DateRange; readonly oneOf: OneOf },
  page: Page,
): TableQuery {
  const where = conditions();
  where.oneOf(oneOf);
  where.compare("event_date", ">=", { type: "date", value: range.from });
  where.compare("event_date", "<=", { type: "date", value: range.to });
  const start = page.after === undefined ? range.from : String(page.after[0]);
  const filter = { equals: given(oneOf), ranges: { event_date: ends(start, range.to) } };
  return listQuery({ ...list, where, filter, page, isByDay: true });
}

/** Rejected messages of a range of ingest times, in the order of ingest time and position. */
export function rejectedQuery(
  columns: readonly string[],
  { range, oneOf }: { readonly range: InstantRange; readonly oneOf: OneOf },
  page: Page,
): TableQuery {
  const { where, filter } = ofRejected({ range, oneOf });
  return listQuery({
    relation: "bronze_rejected",
    columns,
    keys: KEYS.rejected,
    where,
    filter,
    page,
    isByDay: false,
  });
}

/** Rejected messages by reason, in the order of the reasons. */
export function reasonsQuery(
  wanted: { readonly range: InstantRange; readonly oneOf: OneOf },
  rowsMax: number,
): TableQuery {
  const { where, filter } = ofRejected(wanted);
  const sql = `select reason, count(*) as nb_messages from bronze_rejected${where.text()} group by reason order by reason limit $row_count`;
  return {
    sql,
    parameters: { ...where.parameters, row_count: rowsMax + 1 },
    filter,
    rowsMax,
    isByDay: false,
  };
}

function ofRejected({ range, oneOf }: { readonly range: InstantRange; readonly oneOf: OneOf }) {
  const where = conditions();
  where.oneOf(oneOf);
  where.compare("ingest_ts", ">=", { type: "timestamp", value: range.from });
  where.compare("ingest_ts", "<", { type: "timestamp", value: range.before });
  const days = ends(range.from?.slice(0, 10), range.before?.slice(0, 10));
  return { where, filter: { equals: given(oneOf), ranges: { ingest_date: days } } };
}

/** Columns of the answer to roomsQuery beside those of the room: readings by sensor type. */
export const ROOM_COLUMNS = ["room", "first_date", "last_date", "nb_readings", ...SENSOR_TYPES] as const;

/** Rooms with their first and last day and their readings by sensor type. */
export function roomsQuery(source: SensorSource, oneOf: OneOf, page: Page): TableQuery {
  const counts = SENSOR_TYPES.map(
    (type) => `cast(sum(case when sensor_type = '${type}' then nb else 0 end) as bigint) as ${type}`,
  );
  const relation = `(select room, min(event_date) as first_date, max(event_date) as last_date,
    cast(sum(nb) as bigint) as nb_readings, ${counts.join(", ")} from ${SOURCES[source]} group by room) rooms`;
  const where = conditions();
  where.oneOf(oneOf);
  const filter = { equals: given(oneOf) };
  return listQuery({
    relation,
    columns: ROOM_COLUMNS,
    keys: KEYS.rooms,
    where,
    filter,
    page,
    isByDay: false,
  });
}

/** The sensors that have readings. */
export function sensorsQuery(source: SensorSource, oneOf: OneOf, page: Page): TableQuery {
  const relation = `(select room, sensor_type, concat(room, '-', sensor_type) as sensor_id
    from ${SOURCES[source]} group by room, sensor_type) sensors`;
  const where = conditions();
  where.oneOf(oneOf);
  const filter = { equals: given(oneOf) };
  return listQuery({
    relation,
    columns: ["sensor_id", "room", "sensor_type"],
    keys: KEYS.sensors,
    where,
    filter,
    page,
    isByDay: false,
  });
}

/** The different values of a column on a day, or on all days. */
export function valuesQuery(
  column: "room" | "sensor_type",
  { date, oneOf }: { readonly date: string | undefined; readonly oneOf: OneOf },
  rowsMax: number,
): TableQuery {
  const where = conditions();
  where.oneOf(oneOf);
  where.compare("event_date", "=", { type: "date", value: date });
  const filter = { equals: given({ ...oneOf, event_date: date === undefined ? [] : [date] }) };
  const relation = `(select distinct ${quoted(column)} from silver_readings${where.text()}) found`;
  const sql = `select ${quoted(column)} from ${relation} order by 1 limit $row_count`;
  return {
    sql,
    parameters: { ...where.parameters, row_count: rowsMax + 1 },
    filter,
    rowsMax,
    isByDay: false,
  };
}

/** The tables that tell which sensors there are: gold has few rows, silver is never behind. */
export type SensorSource = Extract<TableName, "gold/sensor_daily" | "silver/readings">;

const SOURCES: Readonly<Record<SensorSource, string>> = {
  "gold/sensor_daily":
    "(select room, sensor_type, event_date, nb_readings as nb from gold_sensor_daily) days",
  "silver/readings": "(select room, sensor_type, event_date, 1 as nb from silver_readings) readings",
};

interface ListPlan {
  readonly relation: string;
  readonly columns: readonly string[];
  readonly keys: readonly KeyColumn[];
  readonly where: Conditions;
  readonly filter: FileFilter;
  readonly page: Page;
  readonly isByDay: boolean;
}

function listQuery({ relation, columns, keys, where, filter, page, isByDay }: ListPlan): TableQuery {
  if (page.after !== undefined) where.after(keys, page.after);
  const order = keys.map((column) => quoted(column.name)).join(", ");
  const sql = `select ${columns.map(quoted).join(", ")} from ${relation}${where.text()} order by ${order} limit $row_count`;
  return {
    sql,
    parameters: { ...where.parameters, row_count: page.limit + 1 },
    filter,
    rowsMax: page.limit,
    isByDay,
  };
}

function ends(
  from: string | undefined,
  to: string | undefined,
): { readonly from?: string; readonly to?: string } {
  return { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
}

// The tables of a lake as data: their names, columns and partitions. Everything that reads or writes one looks here.

/** Column types, by Delta's names. Timestamps are UTC with µs; a long has 64 bits, an integer 32. */
export type ColumnType =
  | "string"
  | "long"
  | "integer"
  | "double"
  | "date"
  | "timestamp"
  | "boolean"
  | "binary";

/** One column of a table. */
export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** What it holds, with its unit: for people. */
  readonly doc: string;
}

/** One table of a lake. */
export interface TableDefinition {
  /** Path below the lake's root, which is also its name on the command line. */
  readonly name: TableName;
  /** Its name in SQL. */
  readonly sqlName: string;
  readonly columns: readonly Column[];
  readonly partitionColumns: readonly string[];
  /** Delta settings with which it is made. */
  readonly configuration?: Readonly<Record<string, string>>;
}

/** Paths of the tables, in the order in which data flows. */
export const TABLE_NAMES = [
  "bronze/readings",
  "bronze/rejected",
  "silver/readings",
  "gold/sensor_hourly",
  "gold/sensor_daily",
  "gold/room_daily",
  "gold/restatements",
] as const;

/** Path of a table below the lake's root. */
export type TableName = (typeof TABLE_NAMES)[number];

const column = (name: string, type: ColumnType, doc: string): Column => ({ name, type, doc });

const ROOM = column("room", "string", "Room, as its raw folder or message names it.");
const SENSOR_TYPE = column("sensor_type", "string", "co2, humidity, luminosity, pir or temperature.");
const EVENT_DATE = column("event_date", "date", "UTC day of the event time.");
const TS_UNIX = column("ts_unix", "long", "Event time in whole seconds since 1970.");
const INGEST_TS = column("ingest_ts", "timestamp", "Ingest time: when bronze committed it.");
const CREATED_AT = column("created_at", "timestamp", "When this row was made.");

const POSITION: readonly Column[] = [
  column("topic", "string", "Topic of the message."),
  column("partition", "integer", "Partition of the message."),
  column("offset", "long", "Offset of the message: with topic and partition its position in the log."),
];

const COUNTS_AND_VALUES: readonly Column[] = [
  column("nb_readings", "long", "Readings."),
  column("nb_valid", "long", "Readings that are valid."),
  column("nb_invalid", "long", "Readings that are not valid."),
  column("value_min", "double", "Smallest valid value, in the type's unit; null without any."),
  column("value_max", "double", "Largest valid value."),
  column("value_avg", "double", "Mean of the valid values; a daily mean weights hours by nb_valid."),
  column("value_std", "double", "Sample standard deviation of the valid values; null below two."),
  column("pct_valid", "double", "nb_valid / nb_readings, 0 to 1."),
  column("coverage", "double", "nb_valid over what a healthy sensor sends in that time, 0 to 1."),
];

const TABLES: Readonly<Record<TableName, Omit<TableDefinition, "name" | "sqlName">>> = {
  "bronze/readings": {
    partitionColumns: ["event_date", "room", "sensor_type"],
    // A file a sensor and batch: what compaction has merged must go soon, or its files are millions. Rows tell by ingest_ts
    // what an older version held.
    configuration: { "delta.deletedFileRetentionDuration": "interval 1 hour" },
    columns: [
      ROOM,
      SENSOR_TYPE,
      TS_UNIX,
      column("value", "double", "Value as sent, in the type's unit."),
      column("event_ts", "timestamp", "Event time."),
      EVENT_DATE,
      ...POSITION,
      column("log_ts", "timestamp", "Log time: when the message entered the log."),
      INGEST_TS,
      column("attributes", "string", "Other fields of the message, as a JSON object; null without any."),
    ],
  },
  "bronze/rejected": {
    partitionColumns: ["ingest_date"],
    columns: [
      ...POSITION,
      column("log_ts", "timestamp", "Log time."),
      INGEST_TS,
      column("ingest_date", "date", "UTC day of the ingest time."),
      column("key", "string", "Key of the message."),
      column("value", "binary", "The message, byte for byte."),
      column("reason", "string", "Why it is no reading: one of a fixed list."),
      column("detail", "string", "The same in words, with what was found."),
    ],
  },
  "silver/readings": {
    partitionColumns: ["event_date"],
    columns: [
      ROOM,
      SENSOR_TYPE,
      column("sensor_id", "string", "room-sensor_type."),
      TS_UNIX,
      column("ts_utc", "timestamp", "Event time."),
      EVENT_DATE,
      column("value_raw", "double", "Value as sent."),
      column("value_clean", "double", "The value if it is valid, else null."),
      column("unit", "string", "Unit of the value."),
      column("is_valid", "boolean", "True if the quality flag is OK."),
      column("quality_flag", "string", "OK, MISSING or OUT_OF_RANGE."),
      ...POSITION,
      INGEST_TS,
      CREATED_AT,
    ],
  },
  "gold/sensor_hourly": {
    partitionColumns: ["event_date"],
    columns: [
      ROOM,
      SENSOR_TYPE,
      EVENT_DATE,
      column("hour_utc", "integer", "Hour of the UTC day, 0 to 23."),
      ...COUNTS_AND_VALUES,
      column("quality_flag_hour", "string", "By pct_valid: OK from 0.9, WARNING from 0.7, else BAD."),
      CREATED_AT,
    ],
  },
  "gold/sensor_daily": {
    partitionColumns: ["event_date"],
    columns: [
      ROOM,
      SENSOR_TYPE,
      EVENT_DATE,
      ...COUNTS_AND_VALUES,
      column("nb_hours", "integer", "Hours with at least one valid reading, 0 to 24."),
      column("quality_flag_day", "string", "By pct_valid: OK from 0.9, WARNING from 0.7, else BAD."),
      CREATED_AT,
    ],
  },
  "gold/room_daily": {
    partitionColumns: ["event_date"],
    columns: [
      ROOM,
      EVENT_DATE,
      column("temp_avg", "double", "°C."),
      column("temp_min", "double", "°C."),
      column("temp_max", "double", "°C."),
      column("temp_comfort_ratio", "double", "Share of hours whose mean is 20 to 24 °C."),
      column("co2_avg", "double", "ppm."),
      column("co2_max", "double", "ppm."),
      column("co2_above_1000_ratio", "double", "Share of hours whose mean is above 1000 ppm."),
      column("humidity_avg", "double", "%."),
      column("humidity_in_range_ratio", "double", "Share of hours whose mean is 30 to 60 %."),
      column("luminosity_avg", "double", "lux."),
      column("luminosity_min", "double", "lux."),
      column("luminosity_max", "double", "lux."),
      column(
        "occupancy_rate",
        "double",
        "Share of time with motion in the last 5 minutes, from the valid PIR samples.",
      ),
      column("data_quality_score", "double", "100 x valid readings / readings."),
      column(
        "comfort_score",
        "double",
        "0 to 100; null if temperature, CO2 or humidity has no valid reading.",
      ),
      column(
        "coverage",
        "double",
        "Mean daily coverage over the five sensor types; one without readings counts 0.",
      ),
      column("revision", "integer", "1 when the day was first made; rises when late readings changed it."),
      CREATED_AT,
    ],
  },
  "gold/restatements": {
    partitionColumns: ["event_date"],
    columns: [
      ROOM,
      EVENT_DATE,
      column("column_name", "string", "The column of gold/room_daily whose value was restated."),
      column("value_before", "double", "What it was; null if there was no value."),
      column("value_after", "double", "What it is since; null if there is no value any more."),
      column(
        "late_readings",
        "long",
        "Readings of this room and day that came after the value before was made.",
      ),
      column("revision", "integer", "The revision of gold/room_daily that brought the value after."),
      column("restated_at", "timestamp", "When gold/room_daily was made again."),
    ],
  },
};

/** The definition of a table; `partitionBy` replaces the default partition columns where a setting says so. */
export function tableDefinition(name: TableName, partitionBy?: readonly string[]): TableDefinition {
  const table = TABLES[name];
  return {
    ...table,
    name,
    sqlName: sqlNameOf(name),
    partitionColumns: partitionBy ?? table.partitionColumns,
  };
}

/** The name of a table in SQL: `bronze/readings` is `bronze_readings`. */
export function sqlNameOf(name: TableName): string {
  return name.replace("/", "_");
}

/** The table that a path or an SQL name means, or undefined. */
export function tableNamed(name: string): TableName | undefined {
  return TABLE_NAMES.find((known) => known === name || sqlNameOf(known) === name);
}

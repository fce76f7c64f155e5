// What the transforms of the lakehouse mean, as functions over rows. model-engine.test.ts holds them against DuckDB.

import { BRONZE_READINGS_SQL, BRONZE_REJECTED_SQL } from "../../src/lakehouse/bronze/transform.ts";
import type { AnswerValue } from "../../src/lakehouse/engine.ts";
import { GOLD_TRANSFORMS } from "../../src/lakehouse/gold/transforms.ts";
import { KEY_COUNT_SQL, silverSql, type DuplicateRisk } from "../../src/lakehouse/silver/transform.ts";
import { sqlNameOf, TABLE_NAMES } from "../../src/reading/tables.ts";
import { SENSOR_TRAITS, type SensorType } from "../../src/reading/terms.ts";
import { type Cell, isoOf, type Row } from "./model-rows.ts";

/** The rows of each input, by its name in SQL. */
export type Tables = Readonly<Record<string, readonly Row[]>>;

/** A transform of the model. */
export type Model = (tables: Tables) => readonly Row[];

/** The key of a reading in silver: room, type and event time (`ts_utc`, or `event_ts` in bronze). */
export function keyOf(row: Row): string {
  return `${row["room"]}|${row["sensor_type"]}|${row["ts_utc"] ?? row["event_ts"]}`;
}

/** The model of a transform by its text. @throws for a text that it does not know */
export function modelOf(sql: string): Model {
  const found = MODELS.get(sql) ?? (sql.includes("from earlier") ? restatements : undefined);
  if (found === undefined) throw new Error(`The model engine does not know this transform:\n${sql}`);
  return found;
}

/** How the simulation's reader counts the rows of its input `seen`. */
export const COUNT_SQL = "select count(*) from seen";

/** The answer of the stages' own queries. @throws for a text that it does not know */
export function answerOf(sql: string, tables: Tables): readonly (readonly AnswerValue[])[] {
  if (sql === KEY_COUNT_SQL) {
    const rows = tables["bronze_readings"] ?? [];
    return [[rows.length, new Set(rows.map(keyOf)).size]];
  }
  if (sql === COUNT_SQL) return [[(tables["seen"] ?? []).length]];
  if (sql.includes("from gold_sensor_hourly group by event_date, room")) {
    return groups(tables["gold_sensor_hourly"] ?? [], (row) => [row["event_date"]!, row["room"]!]).map(
      ({ key, rows }) => [...key, total(rows, "nb_readings")],
    );
  }
  const columns = /^select distinct event_date from \(\(select ((?:"\w+"(?:, )?)+) from made except/.exec(
    sql,
  );
  if (columns === null) throw new Error(`The model engine does not know this query:\n${sql}`);
  const names = columns[1]!.split(", ").map((name) => name.slice(1, -1));
  return differingDays(names, tables["made"] ?? [], tables["previous"] ?? []).map((day) => [day]);
}

/** The values of gold/room_daily that differ between two makings of a day. */
export function restatedValues(earlier: readonly Row[], later: readonly Row[]): readonly Row[] {
  return restatements({ earlier, later });
}

/** The gold tables of silver rows, without what says when they were made. */
export function goldOf(silver: readonly Row[]): Readonly<Record<string, readonly Row[]>> {
  const batch = [{ made_at: 0 }];
  const hours = hourly({ silver_readings: silver, batch });
  const tables = { silver_readings: silver, gold_sensor_hourly: hours, previous: [], batch };
  return {
    "gold/sensor_hourly": hours,
    "gold/sensor_daily": daily(tables),
    "gold/room_daily": roomDaily(tables),
  };
}

const bronzeReadings: Model = (tables) => {
  const sensors = new Map((tables["sensors"] ?? []).map((row) => [row["sensor_code"], row]));
  const sources = new Map((tables["sources"] ?? []).map((row) => [row["source_code"], row]));
  const attributes = new Map((tables["attribute_rows"] ?? []).map((row) => [row["attribute_code"], row]));
  return (tables["staged"] ?? []).map((row) => {
    const eventUs = Number(row["event_ts"]);
    const sensor = sensors.get(row["sensor_code"])!;
    const source = sources.get(row["source_code"])!;
    return {
      room: sensor["room"]!,
      sensor_type: sensor["sensor_type"]!,
      ts_unix: Math.floor(eventUs / 1e6),
      value: row["value"]!,
      event_ts: eventUs,
      event_date: isoOf(eventUs).slice(0, 10),
      topic: source["topic"]!,
      partition: source["partition"]!,
      offset: row["offset"]!,
      log_ts: row["log_ts"]!,
      ingest_ts: madeAt(tables),
      attributes: attributes.get(row["attribute_code"])?.["attributes"] ?? null,
      partition_code: row["partition_code"]!,
    };
  });
};

const bronzeRejected: Model = (tables) =>
  (tables["rejected"] ?? []).map((row) => ({
    ...row,
    ingest_ts: madeAt(tables),
    ingest_date: isoOf(madeAt(tables)).slice(0, 10),
  }));

const silver =
  ({ withinBatch, withSilver }: DuplicateRisk): Model =>
  (tables) => {
    const held = new Set(withSilver ? (tables["silver_readings"] ?? []).map(keyOf) : []);
    const fresh = (tables["bronze_readings"] ?? []).toSorted(withinBatch ? inSilverOrder : () => 0);
    const kept: Row[] = [];
    for (const row of fresh) {
      if (held.has(keyOf(row))) continue;
      if (withinBatch) held.add(keyOf(row));
      kept.push(silverRow(row, madeAt(tables)));
    }
    return kept;
  };

const SILVER_ORDER = ["ingest_ts", "topic", "partition", "offset"] as const;

function inSilverOrder(a: Row, b: Row): number {
  const column = SILVER_ORDER.find((name) => a[name] !== b[name]);
  return column === undefined ? 0 : a[column]! < b[column]! ? -1 : 1;
}

function silverRow(row: Row, madeAtUs: number): Row {
  const type = row["sensor_type"] as SensorType;
  const flag = flagOf(type, row["value"]!);
  const { room, sensor_type, ts_unix, event_date, topic, partition, offset, ingest_ts } = row;
  return {
    room: room!,
    sensor_type: sensor_type!,
    sensor_id: `${room}-${sensor_type}`,
    ts_unix: ts_unix!,
    ts_utc: row["event_ts"]!,
    event_date: event_date!,
    value_raw: row["value"]!,
    value_clean: flag === "OK" ? row["value"]! : null,
    unit: SENSOR_TRAITS[type].unit,
    is_valid: flag === "OK",
    quality_flag: flag,
    topic: topic!,
    partition: partition!,
    offset: offset!,
    ingest_ts: ingest_ts!,
    created_at: madeAtUs,
  };
}

/** The quality flag of a value. */
export function flagOf(type: SensorType, value: Cell): string {
  if (typeof value !== "number") return "MISSING";
  const { min, max, minIsPlausible, integer } = SENSOR_TRAITS[type];
  const isAbove = minIsPlausible ? value >= min : value > min;
  return isAbove && value <= max && (!integer || Number.isInteger(value)) ? "OK" : "OUT_OF_RANGE";
}

const hourly: Model = (tables) =>
  groups(tables["silver_readings"] ?? [], (row) => [
    row["room"]!,
    row["sensor_type"]!,
    row["event_date"]!,
    Math.floor((Number(row["ts_unix"]) % 86_400) / 3600),
  ]).map(({ key, rows }) => ({
    room: key[0]!,
    sensor_type: key[1]!,
    event_date: key[2]!,
    hour_utc: key[3]!,
    nb_readings: rows.length,
    nb_valid: rows.filter((row) => row["value_clean"] !== null).length,
    value_avg: micros(rows, "value_clean"),
    created_at: madeAt(tables),
  }));

const daily: Model = (tables) =>
  groups(tables["gold_sensor_hourly"] ?? [], (row) => [
    row["room"]!,
    row["sensor_type"]!,
    row["event_date"]!,
  ]).map(({ key, rows }) => ({
    room: key[0]!,
    sensor_type: key[1]!,
    event_date: key[2]!,
    nb_readings: total(rows, "nb_readings"),
    nb_valid: total(rows, "nb_valid"),
    value_avg: total(rows, "value_avg"),
    created_at: madeAt(tables),
  }));

const roomDaily: Model = (tables) => {
  const revisions = new Map<Cell, number>();
  for (const row of tables["previous"] ?? []) {
    const day = row["event_date"]!;
    revisions.set(day, Math.max(revisions.get(day) ?? 0, Number(row["revision"])));
  }
  const motion = (room: Cell, day: Cell): number =>
    (tables["silver_readings"] ?? []).filter(
      (row) =>
        row["room"] === room &&
        row["event_date"] === day &&
        row["sensor_type"] === "pir" &&
        Number(row["value_clean"]) > 0,
    ).length;
  return groups(tables["gold_sensor_hourly"] ?? [], (row) => [row["room"]!, row["event_date"]!]).map(
    ({ key, rows }) => ({
      room: key[0]!,
      event_date: key[1]!,
      temp_avg: total(rows, "value_avg"),
      coverage: total(rows, "nb_readings"),
      data_quality_score: total(rows, "nb_valid"),
      occupancy_rate: motion(key[0]!, key[1]!),
      revision: (revisions.get(key[1]!) ?? 0) + 1,
      created_at: madeAt(tables),
    }),
  );
};

/** The figures of gold/room_daily that the model has. */
const FIGURES = ["temp_avg", "coverage", "data_quality_score", "occupancy_rate"];

const restatements: Model = (tables) => {
  const [earlier, later] = [tables["earlier"] ?? [], tables["later"] ?? []];
  const keyOfDay = (row: Row): string => `${row["room"]}|${row["event_date"]}`;
  const late = new Map(
    (tables["late"] ?? []).map((row) => [`${row["room"]}|${row["event_day"]}`, row["readings"]!]),
  );
  return [...new Set([...earlier, ...later].map(keyOfDay))].flatMap((key) => {
    const before = earlier.find((row) => keyOfDay(row) === key);
    const after = later.find((row) => keyOfDay(row) === key);
    const { room, event_date: day } = (after ?? before)!;
    return FIGURES.filter((name) => (before?.[name] ?? null) !== (after?.[name] ?? null)).map((name) => ({
      room: room!,
      event_date: day!,
      column_name: name,
      value_before: before?.[name] ?? null,
      value_after: after?.[name] ?? null,
      late_readings: late.get(key) ?? 0,
      revision: after?.["revision"] ?? Number(before?.["revision"]) + 1,
      restated_at: after?.["created_at"] ?? madeAt(tables),
    }));
  });
};

/** Compaction: the same rows. */
const sameRows =
  (name: string): Model =>
  (tables) =>
    tables[name] ?? [];

const GOLD_MODELS: Readonly<Record<string, Model>> = {
  "gold/sensor_hourly": hourly,
  "gold/sensor_daily": daily,
  "gold/room_daily": roomDaily,
};

const RISKS = [true, false].flatMap((withinBatch) =>
  [true, false].map((withSilver): DuplicateRisk => ({ withinBatch, withSilver })),
);

const MODELS: ReadonlyMap<string, Model> = new Map<string, Model>([
  [BRONZE_READINGS_SQL, bronzeReadings],
  [BRONZE_REJECTED_SQL, bronzeRejected],
  ...RISKS.map((risk): [string, Model] => [silverSql(risk), silver(risk)]),
  ...TABLE_NAMES.map(sqlNameOf).map((name): [string, Model] => [`select * from ${name}`, sameRows(name)]),
  ...GOLD_TRANSFORMS.map(({ sql, table }): [string, Model] => [sql, GOLD_MODELS[table]!]),
]);

function differingDays(names: readonly string[], made: readonly Row[], previous: readonly Row[]): string[] {
  const textsOf = (rows: readonly Row[]): ReadonlyMap<string, readonly Row[]> =>
    Map.groupBy(rows, (row) => JSON.stringify(names.map((name) => row[name] ?? null)));
  const [a, b] = [textsOf(made), textsOf(previous)];
  const days = [...new Set([...a.keys(), ...b.keys()])]
    .filter((text) => a.get(text)?.length !== b.get(text)?.length)
    .map((text) => String((a.get(text) ?? b.get(text))![0]!["event_date"]));
  return [...new Set(days)];
}

function groups(
  rows: readonly Row[],
  keyOfRow: (row: Row) => readonly Cell[],
): readonly { readonly key: readonly Cell[]; readonly rows: readonly Row[] }[] {
  const grouped = Map.groupBy(rows, (row) => JSON.stringify(keyOfRow(row)));
  return [...grouped].map(([key, members]) => ({ key: JSON.parse(key) as Cell[], rows: members }));
}

/** Whole millionths, so that the order of adding does not matter. */
function micros(rows: readonly Row[], column: string): number {
  return rows.reduce((sum, row) => sum + Math.round(Number(row[column] ?? 0) * 1e6), 0);
}

function total(rows: readonly Row[], column: string): number {
  return rows.reduce((sum, row) => sum + Number(row[column] ?? 0), 0);
}

function madeAt(tables: Tables): number {
  return Number(tables["batch"]?.[0]?.["made_at"] ?? 0);
}

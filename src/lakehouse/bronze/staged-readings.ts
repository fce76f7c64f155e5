// Readings on their way from the log into bronze: columns in memory that grow, one row a reading.

import type { Reading } from "../../reading/parse-message.ts";
import { SENSOR_TYPES, type SensorType } from "../../reading/terms.ts";
import type { RowsInput } from "../engine.ts";
import { PartitionCodes } from "./partition-codes.ts";

const WORD = 2 ** 32;

/** A column of 64-bit whole numbers below 2^53, written as two words: far cheaper than a BigInt each. */
class LongColumn {
  #words: Uint32Array;

  constructor(capacity: number) {
    this.#words = new Uint32Array(capacity * 2);
  }

  set(row: number, value: number): void {
    const high = Math.floor(value / WORD);
    this.#words[row * 2] = value - high * WORD;
    this.#words[row * 2 + 1] = high;
  }

  grow(capacity: number): void {
    const grown = new Uint32Array(capacity * 2);
    grown.set(this.#words);
    this.#words = grown;
  }

  values(count: number): BigInt64Array {
    return new BigInt64Array(this.#words.buffer, 0, count);
  }
}

/** A position's partition, as the staged rows refer to it. */
interface Source {
  readonly topic: string;
  readonly partition: number;
}

/** What a staged row holds beside its reading. */
export interface RowOrigin {
  /** From `sourceCode`. */
  readonly source: number;
  readonly offset: number;
  readonly logTimeMs: number;
}

/** Columns of readings, with rooms, types and partitions as codes into small lists. Rows are added, or all taken out. */
export class StagedReadings {
  #capacity: number;
  #count = 0;
  #sensor: Int32Array;
  #value: Float64Array;
  #source: Int32Array;
  #partition: Int32Array;
  readonly #eventUs: LongColumn;
  readonly #offset: LongColumn;
  readonly #logUs: LongColumn;
  readonly #sensors: { readonly room: string; readonly sensorType: SensorType }[] = [];
  readonly #sensorCodes = new Map<string, number>();
  readonly #sources: Source[] = [];
  /** The latest event time of each sensor code, µs. */
  readonly #latestUs: number[] = [];
  #hasDistinctKeys = true;
  readonly #partitions: PartitionCodes;
  readonly #attributes: { readonly row: number; readonly text: string }[] = [];
  #attributeChars = 0;

  /**
   * Makes room for `capacity` rows (at least 1); it grows by doubling when they are used up. `partitionBy` are the
   * partition columns of the table: event_date, then room and sensor_type or not.
   */
  constructor(capacity: number, partitionBy: readonly string[]) {
    this.#partitions = new PartitionCodes(partitionBy);
    this.#capacity = Math.max(1, capacity);
    this.#partition = new Int32Array(this.#capacity);
    this.#sensor = new Int32Array(this.#capacity);
    this.#value = new Float64Array(this.#capacity);
    this.#source = new Int32Array(this.#capacity);
    this.#eventUs = new LongColumn(this.#capacity);
    this.#offset = new LongColumn(this.#capacity);
    this.#logUs = new LongColumn(this.#capacity);
  }

  /** Number of rows. */
  get count(): number {
    return this.#count;
  }

  /** True if the event times of every sensor rise from row to row, so that no two rows can have one key. */
  get hasDistinctKeys(): boolean {
    return this.#hasDistinctKeys;
  }

  /** Takes all rows out; the memory is used again, so what `inputs` gave before must not be in use any more. */
  clear(): void {
    this.#count = 0;
    this.#attributes.length = 0;
    this.#attributeChars = 0;
    this.#hasDistinctKeys = true;
    this.#latestUs.fill(-1);
  }

  /** The code of a room and type, for `add`. */
  sensorCode(room: string, sensorType: SensorType): number {
    const key = `${sensorType}:${room}`;
    const known = this.#sensorCodes.get(key);
    if (known !== undefined) return known;
    this.#sensors.push({ room, sensorType });
    this.#latestUs.push(-1);
    this.#partitions.addSensor(room, sensorType);
    this.#sensorCodes.set(key, this.#sensors.length - 1);
    return this.#sensors.length - 1;
  }

  /** The partition values of the table that a row's partition code stands for. */
  partitionValues(code: number): Readonly<Record<string, string>> {
    return this.#partitions.valuesOf(code);
  }

  /** The code of a topic's partition, for `add`. */
  sourceCode(topic: string, partition: number): number {
    const found = this.#sources.findIndex(
      (source) => source.topic === topic && source.partition === partition,
    );
    if (found >= 0) return found;
    this.#sources.push({ topic, partition });
    return this.#sources.length - 1;
  }

  /** Adds a row: the hot path of ingestion. */
  add(sensor: number, eventUs: number, value: number, origin: RowOrigin): void {
    if (this.#count === this.#capacity) this.#grow();
    const row = this.#count;
    if (eventUs > (this.#latestUs[sensor] ?? -1)) this.#latestUs[sensor] = eventUs;
    else this.#hasDistinctKeys = false;
    this.#partition[row] = this.#partitions.codeOf(sensor, eventUs);
    this.#sensor[row] = sensor;
    this.#eventUs.set(row, eventUs);
    this.#value[row] = value;
    this.#source[row] = origin.source;
    this.#offset.set(row, origin.offset);
    this.#logUs.set(row, origin.logTimeMs * 1000);
    this.#count += 1;
  }

  /** Characters of all attributes: they are kept as texts, beside the columns of fixed size. */
  get attributeChars(): number {
    return this.#attributeChars;
  }

  /** Adds a reading that came by the general path, attributes included. */
  addReading(reading: Reading, origin: RowOrigin): void {
    if (reading.attributes !== undefined) {
      this.#attributes.push({ row: this.#count, text: reading.attributes });
      this.#attributeChars += reading.attributes.length;
    }
    this.add(this.sensorCode(reading.room, reading.sensorType), reading.eventUs, reading.value, origin);
  }

  /** The rows and the small lists that their codes refer to: inputs of the bronze transform. */
  inputs(): readonly RowsInput[] {
    const { rows, row } = this.#attributeRows();
    return [
      this.#stagedRows(rows),
      {
        kind: "rows",
        name: "sensors",
        rowCount: this.#sensors.length,
        columns: [
          { name: "sensor_code", type: "integer", values: Int32Array.from(this.#sensors.keys()) },
          { name: "room", type: "string", values: this.#sensors.map((sensor) => sensor.room) },
          { name: "sensor_type", type: "string", values: this.#sensors.map((sensor) => sensor.sensorType) },
        ],
      },
      {
        kind: "rows",
        name: "sources",
        rowCount: this.#sources.length,
        columns: [
          { name: "source_code", type: "integer", values: Int32Array.from(this.#sources.keys()) },
          { name: "topic", type: "string", values: this.#sources.map((source) => source.topic) },
          {
            name: "partition",
            type: "integer",
            values: Int32Array.from(this.#sources, (source) => source.partition),
          },
        ],
      },
      {
        kind: "rows",
        name: "attribute_rows",
        rowCount: this.#attributes.length,
        columns: [
          { name: "attribute_code", type: "integer", values: row },
          { name: "attributes", type: "string", values: this.#attributes.map((attribute) => attribute.text) },
        ],
      },
    ];
  }

  #stagedRows(attributeCodes: Int32Array): RowsInput {
    const count = this.#count;
    return {
      kind: "rows",
      name: "staged",
      rowCount: count,
      columns: [
        { name: "sensor_code", type: "integer", values: this.#sensor.subarray(0, count) },
        { name: "event_ts", type: "timestamp", values: this.#eventUs.values(count) },
        { name: "value", type: "double", values: this.#value.subarray(0, count) },
        { name: "source_code", type: "integer", values: this.#source.subarray(0, count) },
        { name: "offset", type: "long", values: this.#offset.values(count) },
        { name: "log_ts", type: "timestamp", values: this.#logUs.values(count) },
        { name: "attribute_code", type: "integer", values: attributeCodes },
        { name: "partition_code", type: "integer", values: this.#partition.subarray(0, count) },
      ],
    };
  }

  /** For each row the code of its attributes, -1 for most: a join against a short list, not a text a row. */
  #attributeRows(): { readonly rows: Int32Array; readonly row: Int32Array } {
    const rows = new Int32Array(this.#count).fill(-1);
    for (const [code, attribute] of this.#attributes.entries()) rows[attribute.row] = code;
    return { rows, row: Int32Array.from(this.#attributes.keys()) };
  }

  #grow(): void {
    this.#capacity *= 2;
    const widen = <T extends Int32Array | Float64Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.#sensor = widen(this.#sensor, new Int32Array(this.#capacity));
    this.#source = widen(this.#source, new Int32Array(this.#capacity));
    this.#partition = widen(this.#partition, new Int32Array(this.#capacity));
    this.#value = widen(this.#value, new Float64Array(this.#capacity));
    for (const column of [this.#eventUs, this.#offset, this.#logUs]) column.grow(this.#capacity);
  }
}

/** Splits a key `room:type` at its last colon; undefined if it names no sensor type. */
export function splitKey(
  key: string,
): { readonly room: string; readonly sensorType: SensorType } | undefined {
  const colon = key.lastIndexOf(":");
  if (colon < 1) return undefined;
  const sensorType = SENSOR_TYPES.find((type) => type === key.slice(colon + 1));
  return sensorType === undefined ? undefined : { room: key.slice(0, colon), sensorType };
}

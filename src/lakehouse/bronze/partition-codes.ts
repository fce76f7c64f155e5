// One small number for each partition of bronze that a batch touches.
//
// The engine splits rows by this number and not by date, room and type: comparing three columns, two of them text, for
// every row costs more than all the rest of writing it.

import type { SensorType } from "../../reading/terms.ts";
import { present } from "../../support/assert.ts";

const DAY_US = 86_400e6;

/** Partition codes, from 0 on in the order in which their partitions come up. */
export class PartitionCodes {
  readonly #columns: readonly string[];
  /** For each sensor code the number of its group: the rows that only the day can still part. */
  readonly #groups: number[] = [];
  readonly #groupValues: Readonly<Record<string, string>>[] = [];
  readonly #groupNumbers = new Map<string, number>();
  /** For each group the day of its latest row, and its code: the next row is nearly always of the same day. */
  readonly #latestDay: number[] = [];
  readonly #latestCode: number[] = [];
  readonly #codes = new Map<string, number>();
  readonly #values: Readonly<Record<string, string>>[] = [];

  /** `columns` are partition columns of bronze/readings: event_date, room, sensor_type. */
  constructor(columns: readonly string[]) {
    this.#columns = columns;
  }

  /** Makes the next sensor code known. */
  addSensor(room: string, sensorType: SensorType): void {
    const values = Object.fromEntries(
      Object.entries({ room, sensor_type: sensorType }).filter(([column]) => this.#columns.includes(column)),
    );
    const key = JSON.stringify(values);
    const group = this.#groupNumbers.get(key) ?? this.#groupValues.length;
    if (group === this.#groupValues.length) {
      this.#groupNumbers.set(key, group);
      this.#groupValues.push(values);
      this.#latestDay.push(-1);
      this.#latestCode.push(-1);
    }
    this.#groups.push(group);
  }

  /** The code of a row: its sensor's code, its event time in µs. */
  codeOf(sensor: number, eventUs: number): number {
    const group = this.#groups[sensor] ?? 0;
    const day = Math.floor(eventUs / DAY_US);
    if (this.#latestDay[group] === day) return this.#latestCode[group] ?? 0;
    const code = this.#codeOf(group, day);
    this.#latestDay[group] = day;
    this.#latestCode[group] = code;
    return code;
  }

  /** The partition values that a code stands for. */
  valuesOf(code: number): Readonly<Record<string, string>> {
    return present(this.#values[code], `partition ${code}`);
  }

  #codeOf(group: number, day: number): number {
    const key = `${day}:${group}`;
    const known = this.#codes.get(key);
    if (known !== undefined) return known;
    const date = new Date((day * DAY_US) / 1000).toISOString().slice(0, 10);
    this.#codes.set(key, this.#values.length);
    this.#values.push({ event_date: date, ...this.#groupValues[group] });
    return this.#values.length - 1;
  }
}

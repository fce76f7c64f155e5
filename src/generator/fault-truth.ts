// The truth about injected faults: one row of faults.csv for each, written as the files are.

import type { SensorType } from "../reading/terms.ts";
import { type CsvWriter, openCsv, writerBuffer } from "./csv-writer.ts";

/** Name of the truth's file in the output folder. */
export const FAULT_FILE = "faults.csv";

/** Faults of single lines. */
export const ROW_FAULTS = ["duplicate", "late", "malformed"] as const;

/** Faults of a sensor over a time. */
export const INTERVAL_FAULTS = ["stuck", "spiking", "offset", "dead"] as const;

/** A fault of one line. */
export type RowFaultKind = (typeof ROW_FAULTS)[number];

/** A fault of a sensor over a time. */
export type IntervalFaultKind = (typeof INTERVAL_FAULTS)[number];

/** Any fault. */
export type FaultKind = RowFaultKind | IntervalFaultKind;

/** Number of faults by kind. */
export type FaultCounts = Readonly<Record<FaultKind, number>>;

/**
 * The columns of faults.csv, comma-separated under this header; no field holds a comma or a quote.
 *
 * | column | of a faulty line | of an interval |
 * |---|---|---|
 * | file | path below the output folder, `/` between its parts | the same |
 * | line | the line, counted from 1 | the first line inside it; empty for missing rows |
 * | room, sensor_type | room's name; co2, humidity, luminosity, pir or temperature | the same |
 * | kind | duplicate, late, malformed | stuck, spiking, offset, dead |
 * | ts | event time, s; empty if malformed | event time of the first row that bears (or lacks) it |
 * | value | as in the line; empty if malformed | the constant, the spikes' value, what was added, 0 for a dead PIR; else empty |
 * | detail | duplicate: `copy-of-line=N`; late: `lines-late=N`; malformed: the kind of damage | what was done |
 * | from_ts, to_ts | empty | bounds in s, `to_ts` outside |
 * | rows | 1 | rows that bear it; for `spiking` the spikes, for missing rows how many are missing |
 *
 * A duplicate is a copy of an earlier line of its file. A late row stands behind at least one line with a later time; its
 * own time is nobody else's. A line has one fault at most, and no line inside an interval is duplicate, late or copied.
 */
export const FAULT_COLUMNS = [
  "file",
  "line",
  "room",
  "sensor_type",
  "kind",
  "ts",
  "value",
  "detail",
  "from_ts",
  "to_ts",
  "rows",
] as const;

/** One row of faults.csv; what is left out is empty. */
export interface Fault {
  readonly kind: FaultKind;
  readonly line?: number;
  readonly unixSeconds?: number;
  readonly hundredths?: number;
  readonly detail: string;
  readonly from?: number;
  readonly to?: number;
  readonly rows: number;
}

/** The file that a fault is in. */
export interface FaultSource {
  readonly file: string;
  readonly room: string;
  readonly sensorType: SensorType;
}

const encoder = new TextEncoder();

/** faults.csv under way. */
export class FaultTruth implements AsyncDisposable {
  readonly #writer: CsvWriter;
  readonly #counts: Record<FaultKind, number> = { ...noFaults() };

  constructor(writer: CsvWriter) {
    this.#writer = writer;
    writer.line(encoder.encode(FAULT_COLUMNS.join(",")));
  }

  /** Notes one fault. */
  add(source: FaultSource, fault: Fault): void {
    this.#counts[fault.kind] += 1;
    const value = fault.hundredths === undefined ? "" : decimal(fault.hundredths);
    const fields = [
      source.file,
      fault.line,
      source.room,
      source.sensorType,
      fault.kind,
      fault.unixSeconds,
      value,
      fault.detail,
      fault.from,
      fault.to,
      fault.rows,
    ];
    this.#writer.line(encoder.encode(fields.join(",")));
  }

  /** Faults so far. */
  counts(): FaultCounts {
    return { ...this.#counts };
  }

  /** Writes to disk what has gathered, if it is much. @throws STORE_FULL, STORE_DENIED, STORE_FAILED */
  async flushIfLarge(): Promise<void> {
    await this.#writer.flushIfLarge();
  }

  /** Writes the rest to disk. @throws STORE_FULL, STORE_DENIED, STORE_FAILED */
  async finish(): Promise<void> {
    await this.#writer.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
  }
}

/** Makes or replaces faults.csv. @throws STORE_FULL, STORE_DENIED, STORE_FAILED */
export async function openFaultTruth(path: string): Promise<FaultTruth> {
  return new FaultTruth(await openCsv(path, writerBuffer()));
}

/** No fault of any kind. */
export function noFaults(): FaultCounts {
  return { duplicate: 0, late: 0, malformed: 0, stuck: 0, spiking: 0, offset: 0, dead: 0 };
}

/** Two decimals, as the raw files have them. */
function decimal(hundredths: number): string {
  const size = Math.abs(hundredths);
  return `${hundredths < 0 ? "-" : ""}${Math.floor(size / 100)}.${String(size % 100).padStart(2, "0")}`;
}

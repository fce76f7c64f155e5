// Faults of single lines: copies, rows that come later than their turn, and lines that are no reading.

import { SENSOR_TYPES, type SensorType } from "../reading/terms.ts";
import type { Chance } from "../support/chance.ts";
import type { CsvWriter } from "./csv-writer.ts";
import type { FaultSource, FaultTruth } from "./fault-truth.ts";
import type { IntervalFault } from "./interval-faults.ts";
import { DAMAGES, malformedLine } from "./malformed-lines.ts";
import type { DayRows, RoomContext } from "./series.ts";
import { rowFaultStreamOf } from "./streams.ts";

/** What the row faults of one file work with. */
export interface RowFaultOptions {
  readonly context: RoomContext;
  readonly type: SensorType;
  readonly source: FaultSource;
  readonly intervals: readonly IntervalFault[];
  readonly truth: FaultTruth;
  readonly writer: CsvWriter;
}

/** Writes the rows of a file with faults among them. */
export interface RowFaults {
  /** Writes the rows of the next day. */
  write(rows: DayRows): void;
  /** Writes what still waits for its turn, and the truth about the intervals. */
  finish(): void;
}

/** A line that comes later: a copy of one that is written, or a row that was held back. */
interface Waiting {
  readonly dueRow: number;
  readonly seconds: number;
  readonly hundredths: number;
  /** Line of the original, or for a late row the number of lines when its turn was. */
  readonly line: number;
  readonly isCopy: boolean;
}

const DUPLICATE_SHARE = 0.0005;
const LATE_SHARE = 0.0005;
const MALFORMED_SHARE = 0.0003;

/** Rows by which a line is late: up to 20 min in general, up to 6 h for one in ten (at 5 s). */
const DELAY_ROWS_MAX = 240;
const LONG_DELAY_ROWS_MAX = 4320;
const LONG_DELAY_SHARE = 0.1;

/** The row faults of one file. */
export function rowFaultsOf(options: RowFaultOptions): RowFaults {
  const state: State = { ...options, chance: streamFor(options), waiting: [], row: 0, damage: 0, latest: 0 };
  // Each file begins with another kind, so that a small set shows them all.
  state.damage = state.chance.below(DAMAGES.length);
  return {
    write: (rows) => {
      for (let i = 0; i < rows.count; i += 1) {
        writeDue(state, state.row);
        writeRow(state, rows, i);
        state.row += 1;
      }
    },
    finish: () => {
      writeDue(state, Infinity);
      for (const interval of options.intervals) noteInterval(options, interval);
    },
  };
}

interface State extends RowFaultOptions {
  readonly chance: Chance;
  /** In the order of their turns. */
  readonly waiting: Waiting[];
  /** Number of the next row of the clean file. */
  row: number;
  /** Which damage comes next. */
  damage: number;
  /** Latest event time written so far. */
  latest: number;
}

function writeRow(state: State, rows: DayRows, index: number): void {
  const { chance, writer } = state;
  const seconds = rows.seconds[index] ?? 0;
  const hundredths = rows.hundredths[index] ?? 0;
  if (rows.faulty[index] === 1) {
    writeReading(state, seconds, hundredths);
    noteFirstLine(state, seconds);
    return;
  }
  const fate = chance.next();
  if (fate < LATE_SHARE) {
    hold(state, { seconds, hundredths, line: writer.lines, isCopy: false });
    return;
  }
  writeReading(state, seconds, hundredths);
  if (fate < LATE_SHARE + DUPLICATE_SHARE) {
    hold(state, { seconds, hundredths, line: writer.lines, isCopy: true });
  } else if (fate < LATE_SHARE + DUPLICATE_SHARE + MALFORMED_SHARE) {
    writeMalformed(state, seconds);
  }
}

function writeReading(state: State, seconds: number, hundredths: number): void {
  state.writer.row(seconds, hundredths);
  if (seconds > state.latest) state.latest = seconds;
}

function writeMalformed(state: State, seconds: number): void {
  const { source, truth, writer, chance } = state;
  const detail = DAMAGES[state.damage % DAMAGES.length] ?? "nan";
  state.damage += 1;
  writer.line(malformedLine(detail, seconds, chance));
  truth.add(source, { kind: "malformed", line: writer.lines, detail, rows: 1 });
}

/** Puts a line among those that wait, before the first with a later turn. */
function hold(state: State, line: Omit<Waiting, "dueRow">): void {
  const { chance, waiting } = state;
  const delayMax = chance.next() < LONG_DELAY_SHARE ? LONG_DELAY_ROWS_MAX : DELAY_ROWS_MAX;
  const dueRow = state.row + 2 + chance.below(delayMax);
  const place = waiting.findIndex((other) => other.dueRow > dueRow);
  waiting.splice(place < 0 ? waiting.length : place, 0, { ...line, dueRow });
}

function writeDue(state: State, row: number): void {
  const { waiting } = state;
  while (waiting[0] !== undefined && waiting[0].dueRow <= row) {
    const line = waiting.shift();
    if (line !== undefined) writeWaiting(state, line);
  }
}

function writeWaiting(state: State, { seconds, hundredths, line, isCopy }: Waiting): void {
  const { source, truth, writer } = state;
  // At the end of a file a row that was held back may come in its turn after all.
  const isLate = seconds < state.latest;
  writeReading(state, seconds, hundredths);
  const fault = { line: writer.lines, unixSeconds: seconds, hundredths, rows: 1 };
  if (isCopy) {
    truth.add(source, { kind: "duplicate", detail: `copy-of-line=${line}`, ...fault });
  } else if (isLate) {
    truth.add(source, { kind: "late", detail: `lines-late=${writer.lines - 1 - line}`, ...fault });
  }
}

function noteFirstLine({ intervals, writer }: State, seconds: number): void {
  for (const interval of intervals) {
    if (seconds >= interval.from && seconds < interval.to) interval.firstLine ??= writer.lines;
  }
}

function noteInterval({ source, truth }: RowFaultOptions, interval: IntervalFault): void {
  const isMissing = interval.kind === "dead" && interval.type !== "pir";
  const details = {
    stuck: "constant",
    spiking: "spikes-to-constant",
    offset: "added",
    dead: isMissing ? "rows-missing" : "always-0",
  };
  truth.add(source, {
    kind: interval.kind,
    detail: details[interval.kind],
    from: interval.from,
    to: interval.to,
    rows: interval.rows,
    ...(interval.firstLine === undefined ? {} : { line: interval.firstLine }),
    ...(interval.firstSeconds === undefined ? {} : { unixSeconds: interval.firstSeconds }),
    ...(interval.hundredths === undefined || isMissing ? {} : { hundredths: interval.hundredths }),
  });
}

function streamFor({ context, type }: RowFaultOptions): Chance {
  return rowFaultStreamOf(context.seed, context.roomIndex, SENSOR_TYPES.indexOf(type));
}

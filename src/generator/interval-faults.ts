// Faults of a sensor that last for hours: stuck, spiking, offset and dead.

import { SENSOR_TYPES, type SensorType } from "../reading/terms.ts";
import type { Chance } from "../support/chance.ts";
import { DAY_SECONDS } from "./calendar.ts";
import { INTERVAL_FAULTS, type IntervalFaultKind } from "./fault-truth.ts";
import type { DayRows, RoomContext } from "./series.ts";
import { streamOf } from "./streams.ts";

/** A fault of one sensor from `from` to before `to` (seconds since 1970), and what came of it so far. */
export interface IntervalFault {
  readonly kind: IntervalFaultKind;
  readonly type: SensorType;
  readonly from: number;
  readonly to: number;
  /** The constant, the spikes' value or what is added, hundredths; undefined until the first row of a stuck sensor. */
  hundredths: number | undefined;
  /** Rows that bear it (or are missing because of it). */
  rows: number;
  /** Event time of the first of them. */
  firstSeconds: number | undefined;
  /** Line of the first row inside; undefined while there is none. */
  firstLine: number | undefined;
  /** Chooses the spikes. */
  readonly chance: Chance;
}

const WEEK_DAYS = 7;
const HOUR_SECONDS = 3600;
const SPIKE_SHARE = 0.02;

/** Constants that faulty sensors of the KETI set sent (CO2: what the same family of sensors sends), hundredths. */
const SPIKE_HUNDREDTHS: Readonly<Record<SensorType, number>> = {
  co2: 6_553_500,
  humidity: -50_096,
  luminosity: 2_280_900,
  pir: 3_445_600,
  temperature: 57_259,
};

/** Range of what an offset adds, hundredths, and whether it may be taken away instead. */
const OFFSETS: Readonly<
  Record<SensorType, { readonly min: number; readonly max: number; readonly bothWays: boolean }>
> = {
  co2: { min: 15_000, max: 40_000, bothWays: false },
  humidity: { min: 1_200, max: 2_000, bothWays: true },
  luminosity: { min: 30_000, max: 60_000, bothWays: false },
  pir: { min: 0, max: 0, bothWays: false },
  temperature: { min: 300, max: 800, bothWays: true },
};

/** Whose faults to plan. */
export interface IntervalPlanOptions {
  readonly context: RoomContext;
  readonly type: SensorType;
  readonly days: number;
}

/**
 * The interval faults of one sensor, in order and without overlap. A room has one in each started week, of 6 to 24 h, in
 * one of its sensors; the kinds take turns, so that four rooms show all four.
 */
export function planIntervalFaults({ context, type, days }: IntervalPlanOptions): IntervalFault[] {
  const chance = streamOf(context.seed, context.roomIndex, "intervalFaults");
  const faults: IntervalFault[] = [];
  for (let week = 0; week * WEEK_DAYS < days; week += 1) {
    const kind = INTERVAL_FAULTS[(context.roomIndex + week) % INTERVAL_FAULTS.length] ?? "stuck";
    const fault = drawFault(kind, Math.min(WEEK_DAYS, days - week * WEEK_DAYS) * DAY_SECONDS, chance);
    const shift = context.calendar.startUnix + week * WEEK_DAYS * DAY_SECONDS;
    if (fault.type === type) faults.push({ ...fault, from: fault.from + shift, to: fault.to + shift });
  }
  return faults;
}

/** Changes or removes the rows of a day that lie in an interval, and marks those that stay. */
export function applyIntervalFaults(faults: readonly IntervalFault[], rows: DayRows): void {
  const first = rows.seconds[0] ?? 0;
  const last = rows.seconds[Math.max(0, rows.count - 1)] ?? 0;
  for (const fault of faults) {
    if (rows.count > 0 && fault.from <= last && fault.to > first) applyFault(fault, rows);
  }
}

/** A fault within a week of `lengthSeconds`: 6 to 24 h, at most half of it, so longer than the outage. */
function drawFault(kind: IntervalFaultKind, lengthSeconds: number, chance: Chance): IntervalFault {
  const durationMax = Math.min(24 * HOUR_SECONDS, lengthSeconds / 2);
  const duration = 6 * HOUR_SECONDS + chance.below(durationMax - 6 * HOUR_SECONDS + 1);
  const from = chance.below(lengthSeconds - duration + 1);
  // The countdown of a PIR has no offset.
  const types = SENSOR_TYPES.filter((type) => kind !== "offset" || type !== "pir");
  const type = types[chance.below(types.length)] ?? "co2";
  const offset = OFFSETS[type];
  const size = offset.min + chance.below(offset.max - offset.min + 1);
  const sign = chance.next() < 0.5 && offset.bothWays ? -1 : 1;
  const hundredths = { stuck: undefined, spiking: SPIKE_HUNDREDTHS[type], offset: sign * size, dead: 0 }[
    kind
  ];
  return {
    kind,
    type,
    from,
    to: from + duration,
    hundredths,
    rows: 0,
    firstSeconds: undefined,
    firstLine: undefined,
    chance,
  };
}

function applyFault(fault: IntervalFault, rows: DayRows): void {
  const removesRows = fault.kind === "dead" && fault.type !== "pir";
  let kept = 0;
  for (let i = 0; i < rows.count; i += 1) {
    const seconds = rows.seconds[i] ?? 0;
    const isInside = seconds >= fault.from && seconds < fault.to;
    if (isInside) fault.firstSeconds ??= seconds;
    if (isInside && removesRows) {
      fault.rows += 1;
      continue;
    }
    rows.seconds[kept] = seconds;
    rows.hundredths[kept] = isInside
      ? faultyValue(fault, rows.hundredths[i] ?? 0)
      : (rows.hundredths[i] ?? 0);
    rows.faulty[kept] = isInside ? 1 : (rows.faulty[i] ?? 0);
    kept += 1;
  }
  rows.count = kept;
}

/** The value that the faulty sensor sends for the true one; counts the rows that bear the fault. */
function faultyValue(fault: IntervalFault, hundredths: number): number {
  // The first row always spikes, so that a short interval has a spike.
  if (fault.kind === "spiking" && fault.rows > 0 && fault.chance.next() >= SPIKE_SHARE) return hundredths;
  fault.rows += 1;
  if (fault.kind === "offset") return hundredths + (fault.hundredths ?? 0);
  // A PIR stuck at 0 would be a dead one.
  fault.hundredths ??= fault.type === "pir" ? 3000 : hundredths;
  return fault.hundredths;
}

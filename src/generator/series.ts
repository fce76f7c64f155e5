// A sensor's readings day by day: when the samples fall, and which of them are lost.

import type { Chance } from "../support/chance.ts";
import { type Calendar, DAY_SECONDS, type Stretch } from "./calendar.ts";
import type { Occupancy } from "./occupancy.ts";
import type { RoomTraits } from "./room-traits.ts";

/** The readings of one sensor and UTC day, one array a column; reused from day to day. */
export interface DayRows {
  /** Rows in use, from the front. */
  count: number;
  /** Event time, seconds since 1970. */
  readonly seconds: Uint32Array;
  /** Value in hundredths of its unit. */
  readonly hundredths: Int32Array;
  /** 1 where an interval fault holds. */
  readonly faulty: Uint8Array;
}

/** Gives the days of one sensor one after the other. */
export interface Series {
  /** Replaces `rows` by the readings of UTC day `day`; days are asked for in order, from 0. */
  fillDay(day: number, rows: DayRows): void;
}

/** What the readings of a room depend on. */
export interface RoomContext {
  readonly seed: number;
  readonly roomIndex: number;
  readonly traits: RoomTraits;
  readonly occupancy: Occupancy;
  readonly calendar: Calendar;
}

/** Seconds between two samples of all sensors but PIR. */
export const SAMPLE_SECONDS = 5;

/** The gateway's outage, seconds since the first UTC midnight: 18:05 UTC of the second day, 5.3 h. Source: KETI, 27 August 2013. */
export const OUTAGE: Stretch = {
  from: DAY_SECONDS + 18 * 3600 + 5 * 60,
  to: DAY_SECONDS + 18 * 3600 + 5 * 60 + 19_080,
};

/** Share of samples that are lost. Source: KETI. */
export const LOST_SHARE = 0.0028;

/** Share of samples that are a second early or late. Source: KETI. */
export const JITTER_SHARE = 0.019;

/** Rows that a day can have: one a second. */
const DAY_ROWS_MAX = DAY_SECONDS;

/** An empty day with room for any. */
export function emptyDay(): DayRows {
  return {
    count: 0,
    seconds: new Uint32Array(DAY_ROWS_MAX),
    hundredths: new Int32Array(DAY_ROWS_MAX),
    faulty: new Uint8Array(DAY_ROWS_MAX),
  };
}

/** Appends a reading to the day. */
export function pushRow(rows: DayRows, unixSeconds: number, hundredths: number): void {
  rows.seconds[rows.count] = unixSeconds;
  rows.hundredths[rows.count] = hundredths;
  rows.faulty[rows.count] = 0;
  rows.count += 1;
}

/**
 * A series sampled every 5 s with jitter, losses and the outage. `hundredthsAt` is asked for every sample in order of
 * time (seconds since the first UTC midnight), the lost ones too, so that what it models goes on while nobody listens.
 */
export function sampledSeries(
  context: RoomContext,
  chance: Chance,
  hundredthsAt: (seconds: number) => number,
): Series {
  const { startUnix } = context.calendar;
  const outage = context.traits.inOutage ? OUTAGE : { from: Infinity, to: Infinity };
  // 1..3, so that a sample stays in its day with its jitter.
  const phase = 1 + chance.below(3);
  return {
    fillDay: (day, rows) => {
      rows.count = 0;
      const end = (day + 1) * DAY_SECONDS;
      for (let nominal = day * DAY_SECONDS + phase; nominal < end; nominal += SAMPLE_SECONDS) {
        const hundredths = hundredthsAt(nominal);
        const fate = chance.next();
        if (fate < LOST_SHARE) continue;
        const seconds = nominal + jitterOf(fate - LOST_SHARE);
        if (seconds >= outage.from && seconds < outage.to) continue;
        pushRow(rows, startUnix + seconds, hundredths);
      }
    },
  };
}

/** -1, 0 or +1 s from a number that is uniform from 0 on. */
export function jitterOf(fate: number): number {
  if (fate >= JITTER_SHARE) return 0;
  return fate < JITTER_SHARE / 2 ? -1 : 1;
}

// Gold for the days that are over: each is made once, and again only when late readings come.
//
//   silver's commits --> days that changed --> over? --- no --> they wait; gold goes on reflecting the version before them
//                                               '------ yes --> under the lease: make them, and note that for the others
//
// What a day waits for is found again in the tables after a crash, so a day that was missed is made at the next start.

import type { TableName } from "../../reading/tables.ts";
import type { Logger } from "../../support/logger.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { statsOf, timestampMs } from "../delta/stats.ts";
import type { Lake } from "../lake.ts";
import { type Lease, openLease } from "../lease.ts";
import { allDays, daysSince, type VersionSpan, withinHorizon } from "./changed-days.ts";
import { watermarksOf } from "./day-tags.ts";
import { GOLD_APP_ID, type GoldSummary, makeGold } from "./gold.ts";
import type { MakeOptions } from "./replace-days.ts";
import { GOLD_TRANSFORMS } from "./transforms.ts";

const DAY_MS = 86_400_000;
/** Days that the note of the lease names: more than a building is ever late with at a time. */
const NOTED_DAYS_MAX = 100;

/** Where to make them, and when a day is over. */
export interface DaysOverOptions extends MakeOptions {
  readonly logger: Logger;
  /** So long after its end, in event time or in quiet, a day is over; ms. */
  readonly delayMs: number;
}

/** What a look at the tables led to. */
export interface Look {
  /** True: days are due, and another process is at it. */
  readonly isElsewhere: boolean;
  readonly made: GoldSummary | undefined;
}

/** The days that wait, as one process sees them. */
export interface DaysOver {
  /** Makes the days that are due. @throws COMMIT_CONFLICT, COMMIT_OVERTAKEN if other writers were faster a few times in a row */
  look(): Promise<Look>;
}

/** What is known from the last look. */
interface Watch {
  /** The version of silver that gold reflected. */
  readonly reflected: number;
  /** The version of silver up to which `waiting` is whole, and since when it is the newest (monotonic ms). */
  readonly seen: number;
  readonly seenAtMs: number;
  readonly waiting: ReadonlyMap<string, VersionSpan>;
}

/** When a day is over. */
export interface Moment {
  /** The newest event time in silver, ms since the epoch. */
  readonly newestMs: number;
  readonly nowMs: number;
  /** For how long silver has not changed, ms. */
  readonly quietMs: number;
  readonly delayMs: number;
}

/** True for a day after which readings have come for `delayMs`, or none at all for as long. */
export function isOver(day: string, { newestMs, nowMs, quietMs, delayMs }: Moment): boolean {
  const wantedMs = Date.parse(day) + DAY_MS + delayMs;
  return newestMs >= wantedMs || (nowMs >= wantedMs && quietMs >= delayMs);
}

/** Watches the days of a lake; the first look finds what was missed before. */
export function watchDaysOver(options: DaysOverOptions): DaysOver {
  const { store, clock } = options.lake;
  const lease = openLease({ store, clock, logger: options.logger, name: "gold" });
  let watch: Watch | undefined;
  return {
    look: async () => {
      const silver = await options.lake.table("silver/readings").snapshot();
      if (silver === undefined) return { isElsewhere: false, made: undefined };
      watch = await watchOn(options.lake, watch, silver);
      const due = dueDays(options, watch, silver);
      if (due.length === 0) return { isElsewhere: false, made: undefined };
      const looked = await makeDue(options, { lease, watch, due });
      // Whatever was made is seen in the tables next time.
      if (!looked.isElsewhere) watch = { ...watch, waiting: without(watch.waiting, due) };
      return looked;
    },
  };
}

/** Follows silver's commits. Anew if gold has gone back, as after a restore. */
async function watchOn(lake: Lake, before: Watch | undefined, silver: Snapshot): Promise<Watch> {
  const nowMs = lake.clock.monotonicMs();
  const gold = await Promise.all(GOLD_TRANSFORMS.map(async ({ table }) => goldOf(lake, table)));
  const reflected = Math.min(...gold.map((known) => known.reflected));
  const isFollowed = before !== undefined && reflected >= before.reflected && silver.version >= before.seen;
  if (isFollowed && silver.version === before.seen) return { ...before, reflected };
  const from = isFollowed ? before.seen : reflected;
  const changed = await daysSince(lake, from, silver);
  const all = gold.flatMap(({ snapshot }) => allDays(silver, snapshot ?? silver));
  // Commits that were cleaned up may have changed any day.
  const days = changed ?? new Map(all.map((day) => [day, { first: from + 1, last: silver.version }]));
  const waiting = new Map(isFollowed ? before.waiting : []);
  for (const [day, { first, last }] of days) {
    waiting.set(day, { first: waiting.get(day)?.first ?? first, last });
  }
  return { reflected, seen: silver.version, seenAtMs: nowMs, waiting };
}

async function goldOf(
  lake: Lake,
  table: TableName,
): Promise<{ readonly snapshot: Snapshot | undefined; readonly reflected: number }> {
  const snapshot = await lake.table(table).snapshot();
  return { snapshot, reflected: Number(snapshot?.txns.get(GOLD_APP_ID) ?? 0n) };
}

/** Also days that retention has taken from silver: nothing waits for them any more. */
function dueDays({ lake, delayMs }: DaysOverOptions, watch: Watch, silver: Snapshot): readonly string[] {
  const moment = {
    newestMs: newestEventMs(silver, lake.clock.nowMs()),
    nowMs: lake.clock.nowMs(),
    quietMs: lake.clock.monotonicMs() - watch.seenAtMs,
    delayMs,
  };
  const days = [...watch.waiting.keys()].toSorted();
  const { expired } = withinHorizon(silver, days);
  return days.filter((day) => expired.includes(day) || isOver(day, moment));
}

/** The newest event time in silver; readings of days that have not begun, from a fast clock, are left out. */
function newestEventMs(silver: Snapshot, nowMs: number): number {
  const { newest } = watermarksOf(silver, silver, nowMs);
  const files = [...silver.files.values()].filter((file) => file.partitionValues["event_date"] === newest);
  const times = files.map((file) => timestampMs(String(statsOf(file)?.maxValues?.["ts_utc"] ?? ""), false));
  // Without statistics: the day has begun, and that is all that is known.
  return Math.max(Date.parse(newest) || 0, ...times.filter((time) => !Number.isNaN(time)));
}

interface Due {
  readonly lease: Lease;
  readonly watch: Watch;
  readonly due: readonly string[];
}

async function makeDue(options: DaysOverOptions, { lease, watch, due }: Due): Promise<Look> {
  let made: GoldSummary | undefined;
  const waiting = without(watch.waiting, due);
  const firstWaiting = Math.min(watch.seen + 1, ...[...waiting.values()].map(({ first }) => first));
  const isDone = await lease.during(async (note) => {
    const noted = parseNote(note);
    const isMade = (day: string): boolean => (noted.get(day) ?? -1) >= (watch.waiting.get(day)?.last ?? 0);
    const days = due.filter((day) => !isMade(day));
    const reflects = { from: watch.reflected, to: Math.max(watch.reflected, firstWaiting - 1) };
    if (days.length > 0 || reflects.to > reflects.from) made = await makeGold({ ...options, days, reflects });
    for (const day of days) noted.set(day, watch.waiting.get(day)?.last ?? watch.seen);
    return noteText(noted);
  });
  return { isElsewhere: !isDone, made };
}

function without(
  waiting: ReadonlyMap<string, VersionSpan>,
  days: readonly string[],
): ReadonlyMap<string, VersionSpan> {
  return new Map([...waiting].filter(([day]) => !days.includes(day)));
}

/** Day -> the version of silver with whose changes it was made. */
function parseNote(note: string): Map<string, number> {
  const entries = note.split(" ").map((entry) => entry.split("@"));
  return new Map(
    entries.flatMap(([day = "", version]) => (version === undefined ? [] : [[day, Number(version)]])),
  );
}

function noteText(noted: ReadonlyMap<string, number>): string {
  const newest = [...noted].toSorted(([a], [b]) => (a < b ? 1 : -1)).slice(0, NOTED_DAYS_MAX);
  return newest.map(([day, version]) => `${day}@${version}`).join(" ");
}

// Which days are over, and what the files of a day in gold/room_daily note of it beside their rows, as tags. Whoever moves
// the rows of a day to another file (compaction) takes the tags along.
//
//   silver's newest day   23rd        24th              26th
//   gold is made          23rd open   23rd closed, 24th open   late reading: 23rd or 24th again, which restates it
//
// A file does not know of later days that left its own day alone, so the table keeps how far silver was (txn).

import type { AddFile } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { horizonPosition } from "../operations.ts";

/** The table whose files carry these tags. */
export const TAGGED_TABLE = "gold/room_daily";

/**
 * The txn appId under which gold/room_daily keeps silver's newest event day when it was last made (days since 1970): the
 * days before it were over.
 */
export const NEWEST_DAY_APP_ID = "gold:event_date";

/** Readings in silver by room. */
export type ReadingsByRoom = ReadonlyMap<string, number>;

/** Readings by room as a JSON object: what silver held of the day. */
const READINGS = "atrium.readings";
/** `true` if silver had a later day when this one was made. */
const DAY_CLOSED = "atrium.dayClosed";
/** `true` if the day was already over when gold was last made: these rows replace figures that were final. */
const RESTATES = "atrium.restates";

type Tagged = Pick<AddFile, "tags">;

/** How far silver is now, and was when gold was last made. */
export interface Watermarks {
  /** Silver's newest day; "" without any. */
  readonly newest: string;
  readonly previous: bigint | undefined;
}

/** The watermarks of silver. A day that has not begun yet, from a clock that is fast, does not tell that today is over. */
export function watermarksOf(silver: Snapshot, gold: Snapshot, nowMs: number): Watermarks {
  const today = new Date(nowMs).toISOString().slice(0, 10);
  let newest = "";
  for (const { partitionValues } of silver.files.values()) {
    const day = partitionValues["event_date"] ?? "";
    if (day > newest && day <= today) newest = day;
  }
  return { newest, previous: gold.txns.get(NEWEST_DAY_APP_ID) };
}

/** The position of NEWEST_DAY_APP_ID that a commit moves; none if silver has no newer day. */
export function newestDayTxn({ newest, previous }: Watermarks): ReadonlyMap<string, bigint> {
  const isNewer = newest !== "" && horizonPosition(newest) > (previous ?? -1n);
  return new Map(isNewer ? [[NEWEST_DAY_APP_ID, horizonPosition(newest)]] : []);
}

/** The tags of a day's files. */
export function dayTags(
  day: string,
  { newest, previous }: Watermarks,
  readings: ReadingsByRoom,
): Readonly<Record<string, string>> {
  const wasClosed = previous !== undefined && previous > horizonPosition(day);
  return {
    [READINGS]: JSON.stringify(Object.fromEntries(readings)),
    ...(newest > day ? { [DAY_CLOSED]: "true" } : {}),
    ...(wasClosed ? { [RESTATES]: "true" } : {}),
  };
}

/** True if the files of a day that were replaced were final; false for files without tags. */
export function wereFinal(removes: readonly Tagged[], adds: readonly Tagged[]): boolean {
  return (
    removes.some(({ tags }) => tags?.[DAY_CLOSED] === "true") ||
    adds.some(({ tags }) => tags?.[RESTATES] === "true")
  );
}

/** The readings that a day's files are made of; undefined if they have no tags, or none that can be read. */
export function readingsOfDay(files: readonly Tagged[]): ReadingsByRoom | undefined {
  const [text] = files.flatMap((file) => file.tags?.[READINGS] ?? []);
  if (text === undefined) return undefined;
  try {
    const counts: unknown = JSON.parse(text);
    if (typeof counts !== "object" || counts === null) return undefined;
    const entries = Object.entries(counts).map(([room, count]) => [room, Number(count)] as const);
    return new Map(entries.filter(([, count]) => Number.isSafeInteger(count)));
  } catch {
    // Another writer's tag: the rows are right without it.
    return undefined;
  }
}

/** True if the tags of a file count readings of the room. */
export function tagsNameRoom(file: Tagged, room: string): boolean {
  return readingsOfDay([file])?.has(room) ?? false;
}

/** The tags without the room's readings. */
export function tagsWithoutRoom(
  tags: Readonly<Record<string, string | null>>,
  room: string,
): Readonly<Record<string, string | null>> {
  const readings = readingsOfDay([{ tags }]);
  if (readings === undefined) return tags;
  const others = [...readings].filter(([name]) => name !== room);
  return { ...tags, [READINGS]: JSON.stringify(Object.fromEntries(others)) };
}

// What the files of a day in gold/room_daily note beside their rows: the readings that they are made of, and whether the
// day was over by then. Whoever moves the rows of a day to another file (compaction) takes the tags along.

import type { AddFile } from "../delta/actions.ts";

/** The table whose files carry these tags. */
export const TAGGED_TABLE = "gold/room_daily";

/** Readings in silver by room. */
export type ReadingsByRoom = ReadonlyMap<string, number>;

/** Readings by room as a JSON object: what silver held of the day. */
const READINGS = "atrium.readings";
/** `true` if silver had a later day when this one was made: what changes it from then on is late. */
const DAY_CLOSED = "atrium.dayClosed";

type Tagged = Pick<AddFile, "tags">;

/** The tags of a day's files. */
export function dayTags(readings: ReadingsByRoom, isClosed: boolean): Readonly<Record<string, string>> {
  const counts = JSON.stringify(Object.fromEntries(readings));
  return { [READINGS]: counts, ...(isClosed ? { [DAY_CLOSED]: "true" } : {}) };
}

/** True if the day was over when these files of it were made; false for files without tags. */
export function isClosedDay(files: readonly Tagged[]): boolean {
  return files.some((file) => file.tags?.[DAY_CLOSED] === "true");
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

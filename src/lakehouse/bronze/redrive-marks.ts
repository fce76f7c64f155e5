// What a redrive leaves in the two bronze tables, and what can be read from it. Pure; redrive.ts has the protocol.

import type { AddFile } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";

/**
 * The txn appId under which both bronze tables keep the last attempt: even numbers are attempts, an odd one is the fence
 * that keeps the attempt before it out of bronze/readings for good.
 */
export const REDRIVE_APP_ID = "redrive";

/** The tag of files of bronze/rejected whose messages are on their way to bronze/readings: the attempt's number. */
const TAG = "atrium.redrive";

/** The files of one attempt in bronze/rejected. */
export interface MarkedFiles {
  readonly attempt: bigint;
  readonly files: readonly AddFile[];
}

/** The file, marked as one whose messages an attempt moves. */
export function markMoving(file: AddFile, attempt: bigint): AddFile {
  return { ...file, tags: { ...file.tags, [TAG]: String(attempt) } };
}

/** True if an attempt has marked the file: nothing else may rewrite it without carrying the mark on. */
export function isMoving(file: AddFile): boolean {
  return attemptOf(file) !== undefined;
}

/** The files of the newest attempt that left any, with its number; undefined if no file is marked. */
export function movingFiles(rejected: Snapshot): MarkedFiles | undefined {
  const marked = [...rejected.files.values()].filter(isMoving);
  const numbers = marked.map((file) => attemptOf(file) ?? 0n);
  if (numbers.length === 0) return undefined;
  const attempt = numbers.reduce((last, number) => (number > last ? number : last));
  return { attempt, files: marked.filter((file) => attemptOf(file) === attempt) };
}

/** The last attempt or fence that a table holds; 0 before the first. */
export function lastAttempt(snapshot: Snapshot | undefined): bigint {
  return snapshot?.txns.get(REDRIVE_APP_ID) ?? 0n;
}

/** The number of the next attempt: even, and above all that the two tables know. */
export function nextAttempt(rejected: Snapshot, readings: Snapshot): bigint {
  const [a, b] = [lastAttempt(rejected), lastAttempt(readings)];
  const last = a > b ? a : b;
  return last + 2n - (last % 2n);
}

/**
 * The files of bronze/rejected without those whose messages bronze/readings holds already: between two commits of a
 * redrive, and after one that was cut short there, both tables have them.
 */
export function filesNotMoved(rejected: Snapshot, readings: Snapshot | undefined): readonly AddFile[] {
  const moved = lastAttempt(readings);
  return [...rejected.files.values()].filter((file) => attemptOf(file) !== moved);
}

function attemptOf(file: AddFile): bigint | undefined {
  const text = file.tags?.[TAG];
  return text === undefined || text === null || !/^\d+$/.test(text) ? undefined : BigInt(text);
}

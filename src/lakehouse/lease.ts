// A lease on a lake: one process at a time does a piece of work that would be right, but wasted, if two did it.
//
//   _atrium/leases/<name>/<term>.json   {"beat": 3, "isFree": false, "note": "…"}
//
//   term 7, free or dead     two take it        putIfAbsent 8.json --- true  -> work, a beat now and then, then isFree
//                                                               '--- false -> the other one has it
//
// It saves work and nothing more. A holder that was paused for longer than its lease goes on beside the next one, so what
// it does must be safe for two: its commits are. No clock is compared with another one: a holder is dead for whoever has
// seen the same beat for LEASE_MS by its own monotonic clock. So a clock that is wrong or jumps frees and blocks nothing.

import type { Clock } from "../support/clock.ts";
import { messageOf } from "../support/errors.ts";
import type { Logger } from "../support/logger.ts";
import type { ObjectStore } from "./delta/object-store.ts";

/** A holder that shows no sign of life for so long, ms, has lost its lease. */
export const LEASE_MS = 30_000;
/** How often a holder shows a sign of life, ms. */
const BEAT_MS = LEASE_MS / 6;
const TERM_DIGITS = 20;

/** What a lease needs. */
export interface LeaseOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What is leased, as a part of a path. */
  readonly name: string;
}

/** A lease as one process sees it. */
export interface Lease {
  /**
   * Does the work if nobody else holds the lease; false if another does. The work is given what the last holder noted, and
   * returns the note for the next; the note is lost when the holder dies. Never waits for the other.
   */
  during(work: (note: string) => Promise<string>): Promise<boolean>;
}

interface Term {
  readonly number: bigint;
  readonly beat: number;
  readonly isFree: boolean;
  readonly note: string;
}

/** Opens a lease; nothing is written until there is work. */
export function openLease(options: LeaseOptions): Lease {
  /** The sign of life that was seen last, and when first, by the monotonic clock. */
  let seen: { readonly sign: string; readonly atMs: number } | undefined;
  const isDead = ({ number, beat }: Term): boolean => {
    const nowMs = options.clock.monotonicMs();
    const sign = `${number} ${beat}`;
    if (seen?.sign !== sign) seen = { sign, atMs: nowMs };
    return nowMs - seen.atMs >= LEASE_MS;
  };
  return {
    during: async (work) => {
      const last = await lastTerm(options);
      if (last !== undefined && !last.isFree && !isDead(last)) return false;
      const own = { number: (last?.number ?? 0n) + 1n, beat: 0, isFree: false, note: last?.note ?? "" };
      if (!(await options.store.putIfAbsent(pathOf(options, own.number), bytesOf(own)))) return false;
      if (last !== undefined) await removeUpTo(options, last.number);
      await hold(options, own, work);
      return true;
    },
  };
}

/** Works with a beat beside it, and frees the lease whatever becomes of the work. */
async function hold(
  options: LeaseOptions,
  own: Term,
  work: (note: string) => Promise<string>,
): Promise<void> {
  const ended = new AbortController();
  const beating = keepBeating(options, own, ended.signal);
  let { note } = own;
  try {
    note = await work(own.note);
  } finally {
    ended.abort();
    const beat = await beating;
    await tell(options, { ...own, beat: beat + 1, isFree: true, note });
  }
}

async function keepBeating(options: LeaseOptions, own: Term, signal: AbortSignal): Promise<number> {
  let beat = 0;
  for (;;) {
    await options.clock.sleep(BEAT_MS, signal);
    if (signal.aborted) return beat;
    beat += 1;
    await tell(options, { ...own, beat });
  }
}

/** Only the holder writes its term. One that cannot be told of is taken for dead by and by, which does no harm. */
async function tell(options: LeaseOptions, term: Term): Promise<void> {
  try {
    await options.store.put(pathOf(options, term.number), bytesOf(term));
  } catch (error) {
    options.logger.warn("the lease could not be renewed", { lease: options.name, error: messageOf(error) });
  }
}

async function lastTerm(options: LeaseOptions): Promise<Term | undefined> {
  const { store } = options;
  const last = (await store.list(folderOf(options))).at(-1);
  if (last === undefined) return undefined;
  const number = BigInt(/(\d+)\.json$/.exec(last.path)?.[1] ?? "0");
  // Gone meanwhile, or not ours to read: as if its holder had just begun.
  const text = new TextDecoder().decode(await store.get(last.path).catch(() => new Uint8Array()));
  return { number, ...parseTerm(text) };
}

function parseTerm(text: string): Omit<Term, "number"> {
  try {
    const { beat, isFree, note } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    return { beat: Number(beat), isFree: isFree === true, note: typeof note === "string" ? note : "" };
  } catch {
    return { beat: -1, isFree: false, note: "" };
  }
}

/** Terms that have passed are of no use; a late beat may bring one back, and the next holder removes it again. */
async function removeUpTo(options: LeaseOptions, number: bigint): Promise<void> {
  const passed = (await options.store.list(folderOf(options))).filter(
    ({ path }) => path <= pathOf(options, number),
  );
  await options.store.delete(passed.map(({ path }) => path));
}

function bytesOf({ beat, isFree, note }: Term): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify({ beat, isFree, note })}\n`);
}

function folderOf({ name }: LeaseOptions): string {
  return `_atrium/leases/${name}/`;
}

function pathOf(options: LeaseOptions, number: bigint): string {
  return `${folderOf(options)}${String(number).padStart(TERM_DIGITS, "0")}.json`;
}

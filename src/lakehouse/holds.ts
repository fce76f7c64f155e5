// Holds: versions that are being read are kept alive, so that vacuum in another process removes none of their files.
//
//   an engine call holds the versions of its inputs -- in memory alone while it is short
//        |--- a version that has been replaced for a while: published before the call runs
//        |--- still running after HOLD_MS: published, and renewed, until no call is left
//        v
//   _atrium/holds/<id>.json   {"expiresMs": …, "tables": {"silver/readings": [17]}}
//
// Short calls on new versions need no file: vacuum keeps what was removed for much longer than HOLD_MS anyway.

import { setImmediate as turn } from "node:timers/promises";
import type { Clock } from "../support/clock.ts";
import { messageOf } from "../support/errors.ts";
import type { Logger } from "../support/logger.ts";
import type { ObjectStore } from "./delta/object-store.ts";
import type { Engine, Input, TableVersion } from "./engine.ts";

/** Where holds are published. */
const HOLDS_FOLDER = "_atrium/holds/";
/** Calls on new versions that are shorter than this, ms, are not published; published holds are renewed as often. */
export const HOLD_MS = 30_000;
/** A published hold counts for so long, ms, unless it is renewed. */
const EXPIRES_AFTER_MS = 4 * HOLD_MS;

/** What holds need. */
export interface HoldsOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A name that no other process has. */
  readonly id: string;
  /** True if the version was the newest of its table at most `withinMs` ago. */
  readonly wasNewest: (version: TableVersion, withinMs: number) => boolean;
}

/** The holds of one opening of a lake. */
export interface Holds {
  /** Runs `work` while vacuum removes no file of these versions. */
  during<Result>(versions: readonly TableVersion[], work: () => Promise<Result>): Promise<Result>;
}

/** Versions by table. */
export type HeldVersions = ReadonlyMap<string, ReadonlySet<number>>;

/** Makes the holds; nothing is written until a call lasts or reads an old version. */
export function makeHolds(options: HoldsOptions): Holds {
  return new OpenHolds(options);
}

/** The engine, each of whose calls holds the versions of its inputs. */
export function holdingEngine(engine: Engine, holds: Holds): Engine {
  return {
    write: async (transform, signal) =>
      holds.during(sourcesOf(transform.inputs), async () => engine.write(transform, signal)),
    query: async (query, signal) =>
      holds.during(sourcesOf(query.inputs), async () => engine.query(query, signal)),
    [Symbol.asyncDispose]: async () => engine[Symbol.asyncDispose](),
  };
}

/** All versions that are held by published holds; those that expired before `nowMs` are removed unless `keep` is set. */
export async function publishedHolds(
  store: ObjectStore,
  { nowMs, keep = false }: { readonly nowMs: number; readonly keep?: boolean },
): Promise<HeldVersions> {
  const held = new Map<string, Set<number>>();
  const expired: string[] = [];
  for (const { path, modifiedMs } of await store.list(HOLDS_FOLDER)) {
    const hold = parseHold(await store.get(path).catch(() => new Uint8Array()));
    // A hold that was let go between the two calls, or that cannot be read, counts by the age of its file.
    const expiresMs = hold?.expiresMs ?? modifiedMs + EXPIRES_AFTER_MS;
    if (expiresMs < nowMs && modifiedMs + EXPIRES_AFTER_MS < nowMs) expired.push(path);
    for (const { table, version } of hold?.versions ?? []) {
      if (!expired.includes(path)) held.set(table, (held.get(table) ?? new Set()).add(version));
    }
  }
  if (expired.length > 0 && !keep) await store.delete(expired);
  return held;
}

function sourcesOf(inputs: readonly Input[]): readonly TableVersion[] {
  return inputs.flatMap((input) => (input.kind === "files" ? (input.source ?? []) : []));
}

class OpenHolds implements Holds {
  readonly #options: HoldsOptions;
  readonly #path: string;
  /** Version -> calls that hold it; versions by `table@version`. */
  readonly #calls = new Map<string, { readonly version: TableVersion; count: number }>();
  #isPublished = false;
  /** Stops the keeper, which runs while there are calls. */
  #keeper: AbortController | undefined;
  /** The last write or delete of the file: one at a time, in order. Never rejects. */
  #writing: Promise<void> = Promise.resolve();

  constructor(options: HoldsOptions) {
    this.#options = options;
    this.#path = `${HOLDS_FOLDER}${options.id}.json`;
  }

  async during<Result>(versions: readonly TableVersion[], work: () => Promise<Result>): Promise<Result> {
    if (versions.length === 0) return work();
    this.#begin(versions);
    try {
      const isOld = versions.some((version) => !this.#options.wasNewest(version, HOLD_MS));
      if (isOld) await this.#publish();
      return await work();
    } finally {
      this.#end(versions);
      if (this.#calls.size === 0 && this.#isPublished) await this.#publish();
    }
  }

  #begin(versions: readonly TableVersion[]): void {
    for (const version of versions) {
      const key = keyOf(version);
      const call = this.#calls.get(key) ?? { version, count: 0 };
      call.count += 1;
      this.#calls.set(key, call);
    }
    if (this.#keeper !== undefined) return;
    this.#keeper = new AbortController();
    void this.#keep(this.#keeper.signal);
  }

  #end(versions: readonly TableVersion[]): void {
    for (const version of versions) {
      const call = this.#calls.get(keyOf(version));
      if (call !== undefined) call.count -= 1;
      if (call?.count === 0) this.#calls.delete(keyOf(version));
    }
    if (this.#calls.size > 0) return;
    this.#keeper?.abort();
    this.#keeper = undefined;
  }

  /** Publishes what has lasted, and renews it. Ends with the last call; publishing never rejects. */
  async #keep(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#options.clock.sleep(HOLD_MS, signal);
      // On a clock that does not really wait the call that is held must still get its turn.
      await turn();
      if (signal.aborted) return;
      await this.#publish();
    }
  }

  /** Makes the file say what is held when its turn comes. */
  async #publish(): Promise<void> {
    this.#writing = this.#writing.then(async () => this.#write());
    await this.#writing;
  }

  async #write(): Promise<void> {
    const { store, clock, logger } = this.#options;
    try {
      if (this.#calls.size === 0) {
        if (this.#isPublished) await store.delete([this.#path]);
        this.#isPublished = false;
        return;
      }
      const versions = [...this.#calls.values()].map(({ version }) => version);
      const text = holdText(clock.nowMs() + EXPIRES_AFTER_MS, versions);
      this.#isPublished = true;
      await store.put(this.#path, new TextEncoder().encode(text));
    } catch (error) {
      // A reader may lack the right to write: it goes on, and its versions live as long as vacuum's grace.
      logger.warn("versions that are read could not be held", { error: messageOf(error) });
    }
  }
}

const keyOf = ({ table, version }: TableVersion): string => `${table}@${version}`;

function holdText(expiresMs: number, versions: readonly TableVersion[]): string {
  const byTable = Map.groupBy(versions, ({ table }) => table);
  const tables: Record<string, readonly number[]> = {};
  for (const [table, held] of byTable) tables[table] = held.map(({ version }) => version);
  return `${JSON.stringify({ expiresMs, tables })}\n`;
}

interface ParsedHold {
  readonly expiresMs: number;
  readonly versions: readonly TableVersion[];
}

/** Undefined for text that is no hold. */
function parseHold(bytes: Uint8Array): ParsedHold | undefined {
  let hold: unknown;
  try {
    hold = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
  if (typeof hold !== "object" || hold === null || !("expiresMs" in hold) || !("tables" in hold)) {
    return undefined;
  }
  const { expiresMs, tables } = hold;
  if (typeof expiresMs !== "number" || typeof tables !== "object" || tables === null) return undefined;
  const versions = Object.entries<unknown>({ ...tables }).flatMap(([table, held]) =>
    Array.isArray(held) ? held.flatMap((version) => ({ table, version: Number(version) })) : [],
  );
  return { expiresMs, versions: versions.filter(({ version }) => Number.isSafeInteger(version)) };
}

// Lakes with rejected messages, stores that stop at every step, and the check that each message is exactly one row.

import assert from "node:assert/strict";
import type { RejectedMessage } from "../../src/lakehouse/bronze/decode.ts";
import { redrive, type RedriveSummary } from "../../src/lakehouse/bronze/redrive.ts";
import { nextPage, openRejected, type HeldMessage, type Place } from "../../src/lakehouse/bronze/rejected.ts";
import { BRONZE_REJECTED_SQL, batchInput, rejectedInput } from "../../src/lakehouse/bronze/transform.ts";
import type { ObjectStore } from "../../src/lakehouse/delta/object-store.ts";
import { ensureTable, openLake, writeFiles, type Lake } from "../../src/lakehouse/lake.ts";
import { AtriumError } from "../../src/support/errors.ts";
import { rows } from "./lake.ts";

/** 2013-08-24T00:00:00Z, s. */
export const DAY = 1_377_302_400;
/** When the messages entered the log, ms. */
export const LOG_TIME_MS = 1_400_000_000_000;

const TIMEOUT_MS = 60_000;

/** A message that an older program rejected, and which is a reading by the rules of today. */
export function goodMessage(offset: number, more: Partial<RejectedMessage> = {}): RejectedMessage {
  const value = { room: `r${offset % 3}`, sensor: "co2", ts: DAY + offset, value: offset };
  return { ...badMessage(offset), value: Buffer.from(JSON.stringify(value)), ...more };
}

/** A message that is no reading by the rules of today either. */
export function badMessage(offset: number, more: Partial<RejectedMessage> = {}): RejectedMessage {
  return {
    topic: "iot.co2",
    partition: 0,
    offset: BigInt(offset),
    logTimeMs: LOG_TIME_MS,
    key: "413:co2",
    value: Buffer.concat([Buffer.from(`${offset}, `), Buffer.from([0xff, 0])]),
    reason: "not_json",
    detail: "by older rules",
    ...more,
  };
}

/** Puts messages into bronze/rejected, as one batch of ingestion would. */
export async function reject(lake: Lake, messages: readonly RejectedMessage[]): Promise<void> {
  const base = await ensureTable(lake, "bronze/rejected");
  const inputs = [rejectedInput(messages), batchInput(lake.clock.nowMs())];
  const adds = await writeFiles(lake, "bronze/rejected", { sql: BRONZE_REJECTED_SQL, inputs });
  await lake.table("bronze/rejected").commit({
    base,
    adds,
    removes: [],
    txns: new Map(),
    operation: "INGEST",
    isolation: { kind: "append" },
    dataChange: true,
  });
}

/** Redrives all messages, a few at a time if `rowsMax` is given. */
export async function redriveAll(lake: Lake, rowsMax = 10_000): Promise<RedriveSummary> {
  const bounds = { rowsMax, bytesMax: 1_000_000 };
  return redrive({ lake, isDryRun: false, queryTimeoutMs: TIMEOUT_MS, bounds });
}

/** All rejected messages that are not readings by now. */
export async function heldMessages(lake: Lake): Promise<readonly HeldMessage[]> {
  const source = await openRejected(lake, TIMEOUT_MS);
  const found: HeldMessage[] = [];
  if (source === undefined) return [];
  for (let after: Place | undefined; ;) {
    const page = await nextPage(source, {}, { after, bounds: { rowsMax: 1000, bytesMax: 1_000_000 } });
    if (page === undefined) break;
    found.push(...page.messages);
    after = page.end;
  }
  return found;
}

/**
 * Fails unless every message is exactly one row, whole: of bronze/readings, or of what `rejected list` shows. With
 * `isSettled` nothing is left half done either: also of bronze/rejected as SQL sees it.
 */
export async function assertEachOnce(
  lake: Lake,
  messages: readonly RejectedMessage[],
  { isSettled }: { readonly isSettled: boolean },
): Promise<void> {
  const moved = (await ensureTable(lake, "bronze/readings")) && (await redrivenRows(lake));
  const held = (await heldMessages(lake)).map((message) => lineOf(message.offset, message.value));
  const expected = messages.map((message) => lineOf(message.offset, message.value));
  assert.deepEqual([...moved, ...held].toSorted(), expected.toSorted());
  if (!isSettled) return;
  const [[inTable] = []] = await rows(lake, "select count(*) from bronze_rejected");
  assert.equal(inTable, held.length, "bronze/rejected holds messages that have moved");
}

async function redrivenRows(lake: Lake): Promise<readonly string[]> {
  const found = await rows(
    lake,
    `select "offset", attributes from bronze_readings where attributes is not null`,
  );
  return found.map(([offset, attributes]) => {
    const { original } = (JSON.parse(String(attributes)) as Attributes)["atrium.redriven"];
    return lineOf(
      Number(offset),
      typeof original === "string" ? Buffer.from(original) : Buffer.from(original.base64, "base64"),
    );
  });
}

interface Attributes {
  readonly "atrium.redriven": { readonly original: string | { readonly base64: string } };
}

function lineOf(offset: number | bigint, value: Uint8Array): string {
  return `${offset} ${Buffer.from(value).toString("hex")}`;
}

/** Called around an operation of a store; what it throws is what the store throws. */
export type Around = (path: string, act: () => Promise<unknown>, isCommit?: boolean) => Promise<unknown>;

/** The same lake in the eyes of another process, whose store hands what it does to `around` once its tables are known. */
export async function openThrough(lake: Lake, watch: Around): Promise<Lake> {
  const { store } = lake;
  let isOpen = false;
  const around: Around = async (path, act, isCommit = false) => (isOpen ? watch(path, act, isCommit) : act());
  const wrapped: ObjectStore = {
    ...store,
    get: async (path) => (await around(path, async () => store.get(path))) as Uint8Array,
    putIfAbsent: async (path, bytes) =>
      (await around(path, async () => store.putIfAbsent(path, bytes), true)) as boolean,
    putFile: async (path, local) => void (await around(path, async () => store.putFile(path, local))),
    localFile: async (path) => (await around(path, async () => store.localFile(path))) as string,
  };
  const opened = await openLake({ ...lake, store: wrapped }, { create: false });
  // What is in the log by now is read in one go: from here on a read is one newer commit, or none.
  await ensureTable(opened, "bronze/readings");
  await ensureTable(opened, "bronze/rejected");
  isOpen = true;
  return opened;
}

/** What a process that dies sees last. */
export function death(): AtriumError {
  return new AtriumError("STORE_FAILED", "The process is dead.");
}

/** Redrives side by side, each standing still before every step until it is told to go on. */
export interface Actor {
  readonly hasEnded: () => boolean;
  /** How it ended, once it has: nothing, or an error. */
  readonly error: () => unknown;
  /** Lets it take its next step and waits until it stands still again or has ended; a death comes before or after the step. */
  step(how?: "live" | "die before" | "die after"): Promise<void>;
}

/**
 * Starts a redrive that stands still before its first step. Steps are reads and commits of the tables' logs, or commits
 * only.
 */
export async function startActor(
  lake: Lake,
  rowsMax: number,
  steps: "reads and commits" | "commits" = "reads and commits",
): Promise<Actor> {
  let still = Promise.withResolvers<void>();
  let orders = Promise.withResolvers<"live" | "die before" | "die after">();
  let isDead = false;
  /** Reads that a process makes side by side are steps too, one after the other. */
  let before: Promise<unknown> = Promise.resolve();
  let outcome: { readonly error: unknown } | undefined;
  const takeStep = async (act: () => Promise<unknown>): Promise<unknown> => {
    if (isDead) throw death();
    orders = Promise.withResolvers();
    still.resolve();
    const how = await orders.promise;
    isDead = how !== "live";
    if (how === "die before") throw death();
    const [result] = await Promise.allSettled([act()]);
    if (how === "die after") throw death();
    if (result.status === "rejected") throw result.reason;
    return result.value;
  };
  const opened = await openThrough(lake, async (path, act, isCommit) => {
    if (isDead) throw death();
    if (!path.includes("_delta_log") || (steps === "commits" && isCommit !== true)) return act();
    const step = before.then(async () => takeStep(act));
    before = step.catch(() => undefined);
    return step;
  });
  const end = (error: unknown): void => {
    outcome = { error };
    still.resolve();
  };
  void redriveAll(opened, rowsMax).then(() => end(undefined), end);
  await still.promise;
  return {
    hasEnded: () => outcome !== undefined,
    error: () => outcome?.error,
    step: async (how = "live") => {
      if (outcome !== undefined) return;
      still = Promise.withResolvers();
      orders.resolve(how);
      await still.promise;
    },
  };
}

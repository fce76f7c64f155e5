// Retention: whole days that are older than a table keeps leave it in one commit. What was made of them stays elsewhere.
//
// The commit leaves a horizon in the table's txns, the first day that is kept: gold does not make days again that silver no
// longer has whole. The horizon only rises, and nothing below it comes back.

import type { TableName } from "../../reading/tables.ts";
import { isAtriumError } from "../../support/errors.ts";
import type { AddFile } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import type { Lake } from "../lake.ts";
import { horizonOf, horizonPosition, HORIZON_APP_ID, OPERATIONS } from "../operations.ts";
import { consumedVersion, untakenFiles } from "./consumers.ts";
import { dayOf, newestDayIn } from "./days.ts";

/** Days that each kind of table keeps; undefined keeps all. */
export interface RetentionDays {
  readonly bronze: number | undefined;
  readonly silver: number | undefined;
  readonly gold: number | undefined;
  readonly rejected: number | undefined;
}

/** What retention removed. */
export interface RetainSummary {
  readonly daysRemoved: readonly string[];
  readonly filesRemoved: number;
}

const DAY_MS = 86_400_000;
const NOTHING: RetainSummary = { daysRemoved: [], filesRemoved: 0 };
/** A commit that lost so often to others is left for the next time. */
const ATTEMPTS_MAX = 5;

/**
 * Removes the days of a table that are more than so many days before its newest one (of bronze/rejected: before today).
 * Days of bronze wait for silver.
 */
export async function retainTable(lake: Lake, name: TableName, days: RetentionDays): Promise<RetainSummary> {
  const kept = days[kindOf(name)];
  if (kept === undefined) return NOTHING;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await retainOnce(lake, name, kept);
    } catch (error) {
      const isLost = isAtriumError(error, "COMMIT_CONFLICT") || isAtriumError(error, "COMMIT_OVERTAKEN");
      if (!isLost || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

function kindOf(name: TableName): keyof RetentionDays {
  if (name === "bronze/rejected") return "rejected";
  if (name === "bronze/readings") return "bronze";
  return name === "silver/readings" ? "silver" : "gold";
}

async function retainOnce(lake: Lake, name: TableName, kept: number): Promise<RetainSummary> {
  const consumed = name === "bronze/readings" ? await consumedVersion(lake, name) : undefined;
  const snapshot = await lake.table(name).snapshot();
  const newest = snapshot && newestDayIn(name, snapshot, lake.clock.nowMs());
  if (snapshot === undefined || newest === undefined) return NOTHING;
  const { added: untaken } = await untakenFiles(lake, name, { consumed, snapshot });
  const horizon = [...untaken].reduce(
    (day, path) => lesser(day, dayOf(name, snapshot.files.get(path))),
    dayBefore(newest, kept),
  );
  const files = [...snapshot.files.values()].filter((file) => (dayOf(name, file) ?? horizon) < horizon);
  if (files.length === 0) return NOTHING;
  await expire(lake, name, { snapshot, files, horizon });
  const daysRemoved = [...new Set(files.flatMap((file) => dayOf(name, file) ?? []))].toSorted();
  return { daysRemoved, filesRemoved: files.length };
}

interface Expiry {
  readonly snapshot: Snapshot;
  readonly files: readonly AddFile[];
  readonly horizon: string;
}

async function expire(lake: Lake, name: TableName, { snapshot, files, horizon }: Expiry): Promise<void> {
  const isRaised = horizon > (horizonOf(snapshot) ?? "");
  await lake.table(name).commit({
    base: snapshot,
    adds: [],
    removes: files.map((file) => file.path),
    txns: isRaised ? new Map([[HORIZON_APP_ID, horizonPosition(horizon)]]) : new Map(),
    operation: OPERATIONS.expire,
    parameters: { before: horizon },
    isolation: { kind: "append" },
    dataChange: true,
  });
}

function dayBefore(day: string, days: number): string {
  return new Date(Date.parse(day) - days * DAY_MS).toISOString().slice(0, 10);
}

const lesser = (a: string, b: string | undefined): string => (b !== undefined && b < a ? b : a);

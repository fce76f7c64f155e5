// The Delta settings of a table that Atrium honours, read from its configuration. Source: Delta's table properties.

import { AtriumError } from "../../support/errors.ts";
import type { TableSchema } from "./actions.ts";

const DAY_MS = 86_400_000;
const UNIT_MS: Readonly<Record<string, number>> = {
  week: 7 * DAY_MS,
  day: DAY_MS,
  hour: 3_600_000,
  minute: 60_000,
  second: 1000,
  millisecond: 1,
};

/** Commits from one checkpoint to the next: `delta.checkpointInterval`, default 100. @throws TABLE_UNSUPPORTED */
export function checkpointInterval(schema: TableSchema): number {
  const text = schema.configuration?.["delta.checkpointInterval"] ?? "100";
  const interval = Number(text);
  if (!Number.isSafeInteger(interval) || interval < 1) {
    throw unreadable("delta.checkpointInterval", text, "100");
  }
  return interval;
}

/** Time that removed files are kept, ms: `delta.deletedFileRetentionDuration`, default 7 days. @throws TABLE_UNSUPPORTED */
export function deletedFileRetentionMs(schema: TableSchema): number {
  return durationMs(schema, "delta.deletedFileRetentionDuration", 7 * DAY_MS);
}

/** How long commits are kept: `delta.logRetentionDuration`, ms, default 30 days. @throws TABLE_UNSUPPORTED */
export function logRetentionMs(schema: TableSchema): number {
  return durationMs(schema, "delta.logRetentionDuration", 30 * DAY_MS);
}

/** True if rows may only be added: `delta.appendOnly`. Files may then leave the table by compaction alone. */
export function isAppendOnly(schema: TableSchema): boolean {
  return schema.configuration?.["delta.appendOnly"]?.toLowerCase() === "true";
}

/** Reads `interval 1 week 2 days`, as Spark writes durations. */
function durationMs(schema: TableSchema, setting: string, defaultMs: number): number {
  const text = schema.configuration?.[setting];
  if (text === undefined) return defaultMs;
  const words = text.trim().toLowerCase().split(/\s+/);
  if (words[0] === "interval") words.shift();
  let totalMs = words.length === 0 ? Number.NaN : 0;
  for (let index = 0; index < words.length; index += 2) {
    const unitMs = UNIT_MS[(words[index + 1] ?? "").replace(/s$/, "")];
    totalMs += Number(words[index]) * (unitMs ?? Number.NaN);
  }
  if (!Number.isFinite(totalMs) || totalMs < 0) throw unreadable(setting, text, "interval 7 days");
  return totalMs;
}

function unreadable(setting: string, text: string, example: string): AtriumError {
  const message = `The table has ${setting}="${text}", which Atrium cannot read. Set it to such as "${example}".`;
  return new AtriumError("TABLE_UNSUPPORTED", message);
}

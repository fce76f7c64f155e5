// What doctor finds, and how it writes sizes and ages.

import { isAtriumError, messageOf } from "../../support/errors.ts";

/** One line of doctor. */
export interface Finding {
  readonly state: "ok" | "warn" | "fail";
  readonly what: string;
  readonly found: string;
  /** The parts of `found` where they stand below those of other lines. */
  readonly cells?: readonly string[];
}

/** Looks; what fails is a finding too. What is not there, or may not be opened, is a warning. */
export async function examine(
  what: string,
  look: () => Promise<string | Pick<Finding, "state" | "found" | "cells">>,
): Promise<Finding> {
  try {
    const found = await look();
    return typeof found === "string" ? { state: "ok", what, found } : { what, ...found };
  } catch (error) {
    const isMild = isAtriumError(error, "NOT_FOUND") || isAtriumError(error, "STORE_DENIED");
    return { state: isMild ? "warn" : "fail", what, found: messageOf(error) };
  }
}

/** Bytes as megabytes: whole ones from 10 on. */
export function megabytes(bytes: number): string {
  const value = bytes / 1_048_576;
  const digits = value >= 10 || value === 0 ? 0 : 1;
  return `${value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })} MB`;
}

const UNITS: readonly (readonly [string, number])[] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
];

/** A span of time in its largest unit: `3 hours`. */
export function span(ms: number): string {
  const [unit, unitMs] = UNITS.find(([, size]) => ms >= size) ?? ["second", 1000];
  return plural(Math.max(0, Math.floor(ms / unitMs)), unit);
}

/** A count with its noun: `1 file`, `2,000 files`. */
export function plural(count: number | bigint, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${Number(count) === 1 ? "" : "s"}`;
}

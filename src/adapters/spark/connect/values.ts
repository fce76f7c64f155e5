// The values that go to Spark and come back, exact: no type loses digits on its way.

import { AtriumError } from "../../../support/errors.ts";

/**
 * A value of a row. bigint: `bigint`, and µs for timestamps (since 1970; with `timestamp_ntz` as if it were UTC) and for
 * intervals of days and time; number: the other integers, float, double, and months for intervals of years and months;
 * text: strings, decimals (`-1.50`, with all digits of their scale) and dates (`2024-02-29`); pairs: maps.
 */
export type SparkValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly SparkValue[]
  | readonly (readonly [SparkValue, SparkValue])[]
  | { readonly [field: string]: SparkValue };

/** A row: its values in the order of the columns, whose names need not differ. */
export type SparkRow = readonly SparkValue[];

/** A column of a result. */
export interface SparkColumn {
  readonly name: string;
  /** As Spark writes it in SQL: `decimal(18,6)`, `array<int>`. */
  readonly type: string;
}

/**
 * A value for a statement: null (of the type void), boolean, text (string), bytes (binary), number (always double),
 * bigint (always bigint), or one of the others by name. Text must be well-formed Unicode.
 */
export type SparkParameter =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | { readonly timestampUs: bigint }
  /** `2024-02-29`. */
  | { readonly date: string }
  /** `-12.50`; precision and scale are those of the text. At most 38 digits. */
  | { readonly decimal: string };

/** Parameters for `?`, in their order, or for `:name`. */
export type SparkParameters = readonly SparkParameter[] | Readonly<Record<string, SparkParameter>>;

/** The parts of a decimal's text. */
export interface DecimalParts {
  readonly precision: number;
  readonly scale: number;
}

const DECIMAL_DIGITS_MAX = 38;
const DAY_MS = 86_400_000;
const LONG_MIN = -(2n ** 63n);
const LONG_MAX = 2n ** 63n - 1n;

/** Precision and scale that hold a decimal's text. @throws QUERY_INVALID */
export function decimalParts(text: string): DecimalParts {
  const match = /^-?(\d+)(?:\.(\d+))?$/.exec(text);
  const whole = (match?.[1] ?? "").replace(/^0+(?=\d)/, "");
  const scale = (match?.[2] ?? "").length;
  const precision = Math.max(1, (whole === "0" ? 0 : whole.length) + scale);
  if (match === null || precision > DECIMAL_DIGITS_MAX) {
    throw invalid(`${text.slice(0, 60)} is no decimal of at most ${DECIMAL_DIGITS_MAX} digits`);
  }
  return { precision, scale };
}

/** Days since 1970 of a date's text. @throws QUERY_INVALID */
export function daysOf(date: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(date) ? Date.parse(`${date}T00:00:00Z`) : Number.NaN;
  // JavaScript takes February 30 for March 1.
  if (Number.isNaN(ms) || !new Date(ms).toISOString().startsWith(date)) {
    throw invalid(`${date.slice(0, 60)} is no date such as 2024-02-29`);
  }
  return ms / DAY_MS;
}

/** The text of days since 1970: `2024-02-29`. */
export function dateText(days: number): string {
  return new Date(days * DAY_MS).toISOString().replace(/T.*/, "");
}

/** The bigint itself. @throws QUERY_INVALID beyond 64 bits */
export function checkedLong(value: bigint): bigint {
  if (value < LONG_MIN || value > LONG_MAX) throw invalid(`${value} does not fit in 64 bits`);
  return value;
}

/** The text itself. @throws QUERY_INVALID if it holds half of a surrogate pair, which has no UTF-8 */
export function checkedText(text: string): string {
  if (!text.isWellFormed()) throw invalid("a text holds half of a surrogate pair, which is no Unicode");
  return text;
}

/** A parameter that cannot be sent. */
function invalid(what: string): AtriumError {
  return new AtriumError("QUERY_INVALID", `A parameter for Spark is wrong: ${what}. Correct the parameter.`);
}

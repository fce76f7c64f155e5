// Parameters written into the SQL text, for servers whose extensions break parameters (Delta with Spark 4.1 and later).
//
// What is written does not depend on how the server reads escapes in strings: text with any but plain characters is
// written as bytes.

import { AtriumError } from "../../../support/errors.ts";
import { isPositional } from "./parameters.ts";
import {
  checkedLong,
  checkedText,
  dateText,
  daysOf,
  decimalParts,
  type SparkParameter,
  type SparkParameters,
} from "./values.ts";

/**
 * The next piece of SQL: what parameters are not looked for in (comments, strings and names in quotes), a cast `::`, a
 * word (so that `x:1` and `a.b:c` keep their colon), or a marker. An unclosed quote or comment runs to the end.
 */
const PIECE =
  /--[^\n]*|(?<block>\/\*)|\b[rR](?:'[^']*(?:'|$)|"[^"]*(?:"|$))|'(?:\\[^]|[^'\\])*(?:'|$)|"(?:\\[^]|[^"\\])*(?:"|$)|`[^`]*(?:`|$)|::|[\p{L}\p{N}_)\]]+:(?=\w)|[\p{L}\p{N}_]+|(?<mark>\?|:[A-Za-z_]\w*)/gu;

/**
 * Puts parameters in the places of `?` or `:name`; a name may come more than once.
 * @throws QUERY_INVALID if there is a marker without a parameter, or a parameter for `?` is left over
 */
export function withLiterals(sql: string, parameters: SparkParameters | undefined): string {
  if (parameters === undefined) return sql;
  const valueOf = isPositional(parameters) ? inOrder(parameters) : byName(parameters);
  let text = "";
  let from = 0;
  const pieces = new RegExp(PIECE);
  for (let piece = pieces.exec(sql); piece !== null; piece = pieces.exec(sql)) {
    if (piece.groups?.["block"] !== undefined) pieces.lastIndex = blockEnd(sql, piece.index);
    const value = valueOf.next(piece.groups?.["mark"]);
    if (value === undefined) continue;
    text += sql.slice(from, piece.index) + literalText(value.parameter);
    from = pieces.lastIndex;
  }
  valueOf.end();
  return text + sql.slice(from);
}

/** A parameter as SQL that means it anywhere an expression may stand. @throws QUERY_INVALID for a value that cannot be sent */
export function literalText(value: SparkParameter): string {
  if (value === null) return "(null)";
  if (typeof value === "boolean") return `(${value})`;
  if (typeof value === "number") return `(cast('${Object.is(value, -0) ? "-0" : value}' as double))`;
  if (typeof value === "bigint") return `(cast('${checkedLong(value)}' as bigint))`;
  if (typeof value === "string") return stringText(checkedText(value));
  if (value instanceof Uint8Array) return `(${bytesText(value)})`;
  if ("timestampUs" in value) {
    return `(timestamp_micros(cast('${checkedLong(value.timestampUs)}' as bigint)))`;
  }
  if ("date" in value) return `(date'${dateText(daysOf(value.date))}')`;
  const { precision, scale } = decimalParts(value.decimal);
  return `(cast('${value.decimal}' as decimal(${precision},${scale})))`;
}

function stringText(text: string): string {
  return /^[\w .,:;/+*()<>=@#-]*$/.test(text)
    ? `('${text}')`
    : `(cast(${bytesText(Buffer.from(text))} as string))`;
}

function bytesText(bytes: Uint8Array): string {
  return `X'${Buffer.from(bytes).toString("hex")}'`;
}

/** Gives each marker its value, and says at the end whether all was used. */
interface Values {
  /** undefined for what is no marker of this kind. */
  next(mark: string | undefined): { readonly parameter: SparkParameter } | undefined;
  end(): void;
}

function inOrder(parameters: readonly SparkParameter[]): Values {
  let used = 0;
  return {
    next: (mark) => {
      if (mark !== "?") return undefined;
      const parameter = parameters[used];
      if (parameter === undefined) throw invalid(`${parameters.length} given, and there are more ?`);
      used += 1;
      return { parameter };
    },
    end: () => {
      if (used < parameters.length) throw invalid(`${parameters.length} given for ${used} times ?`);
    },
  };
}

function byName(parameters: Readonly<Record<string, SparkParameter>>): Values {
  const known = new Map(Object.entries(parameters));
  return {
    next: (mark) => {
      if (mark === undefined || mark === "?") return undefined;
      const parameter = known.get(mark.slice(1));
      if (parameter === undefined) throw invalid(`none given for ${mark}`);
      return { parameter };
    },
    end: () => undefined,
  };
}

/** Behind the comment that begins at `start`; comments may hold comments. */
function blockEnd(sql: string, start: number): number {
  let depth = 0;
  for (const { 0: mark, index } of sql.slice(start).matchAll(/\/\*|\*\//g)) {
    depth += mark === "/*" ? 1 : -1;
    if (depth === 0) return start + index + 2;
  }
  return sql.length;
}

function invalid(what: string): AtriumError {
  return new AtriumError(
    "QUERY_INVALID",
    `The parameters do not fit the SQL text: ${what}. Give one for each.`,
  );
}

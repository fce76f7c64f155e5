// Messages that were corrected by hand: lines as `atrium rejected list --json` prints them, with another value. Pure.

import { keepDigits } from "../../reading/parse-message.ts";
import { AtriumError } from "../../support/errors.ts";
import type { RowsInput } from "../engine.ts";
import type { Place } from "./rejected.ts";

/** One line: which message, and what it should have been. */
export interface Correction extends Place {
  /** Counted from 1. */
  readonly line: number;
  /** Tells messages of several logs apart; undefined if the line does not say. */
  readonly logTimeMs: number | undefined;
  readonly value: Uint8Array;
}

/** Corrections by position. */
export interface Corrections {
  /** The file, for messages. */
  readonly name: string;
  readonly count: number;
  readonly byPlace: ReadonlyMap<string, readonly Correction[]>;
}

/** Problems beyond these are only counted. */
const PROBLEMS_NAMED_MAX = 10;
const PARTITION_MAX = 2 ** 31 - 1;

/** The name of the input that `correctionsInput` makes. */
const INPUT_NAME = "corrections";

/** Reads the lines of a file of corrections; empty ones are skipped. @throws USAGE_INVALID with the lines that are wrong */
export function readCorrections(text: string, name: string): Corrections {
  const problems: string[] = [];
  const byPlace = new Map<string, Correction[]>();
  let count = 0;
  for (const [index, lineText] of text.split("\n").entries()) {
    if (lineText.trim() === "") continue;
    const found = readLine(lineText, index + 1);
    const known = typeof found === "string" ? [] : (byPlace.get(placeText(found)) ?? []);
    const twin = typeof found === "string" ? undefined : known.find((other) => areOfOneMessage(other, found));
    if (typeof found === "string") problems.push(`${name}, line ${index + 1}: ${found}`);
    else if (twin !== undefined) {
      problems.push(`${name}, line ${found.line}: it corrects the same message as line ${twin.line}.`);
    } else {
      byPlace.set(placeText(found), [...known, found]);
      count += 1;
    }
  }
  if (problems.length > 0) throw wrongLines(problems);
  if (count === 0) throw wrongLines([`${name} holds no line: write some with atrium rejected list --json.`]);
  return { name, count, byPlace };
}

/** The correction of a message, if there is one. */
export function correctionOf(
  corrections: Corrections,
  message: Place & { readonly logTimeMs: number },
): Correction | undefined {
  return corrections.byPlace.get(placeText(message))?.find((found) => areOfOneMessage(found, message));
}

/** The corrected positions as rows with topic, partition, offset, line and log_ms (-1 where the line does not say it). */
export function correctionsInput({ byPlace }: Corrections): RowsInput {
  const all = [...byPlace.values()].flat();
  return {
    kind: "rows",
    name: INPUT_NAME,
    rowCount: all.length,
    columns: [
      { name: "topic", type: "string", values: all.map(({ topic }) => topic) },
      { name: "partition", type: "integer", values: Int32Array.from(all, ({ partition }) => partition) },
      { name: "offset", type: "long", values: BigInt64Array.from(all, ({ offset }) => BigInt(offset)) },
      { name: "line", type: "integer", values: Int32Array.from(all, ({ line }) => line) },
      {
        name: "log_ms",
        type: "long",
        values: BigInt64Array.from(all, ({ logTimeMs = -1 }) => BigInt(logTimeMs)),
      },
    ],
  };
}

/** Lines that fit several messages, which differ. Inputs: `corrections` and bronze_rejected. */
export const AMBIGUOUS_SQL = `
  select corrections.line, count(*) from bronze_rejected held join corrections
    on held.topic = corrections.topic and held."partition" = corrections."partition"
      and held."offset" = corrections."offset"
      and corrections.log_ms in (-1, epoch_ms(held.log_ts))
  group by corrections.line having count(*) > 1 order by 1`;

/** The error for lines that fit several messages. */
export function ambiguousLines({ name }: Corrections, lines: readonly number[]): AtriumError {
  return wrongLines(
    lines.map((line) => {
      return `${name}, line ${line}: several messages have this position. Give the logTime of the one that is meant.`;
    }),
  );
}

function areOfOneMessage(
  a: { readonly logTimeMs: number | undefined },
  b: { readonly logTimeMs: number | undefined },
): boolean {
  return a.logTimeMs === undefined || b.logTimeMs === undefined || a.logTimeMs === b.logTimeMs;
}

function placeText({ topic, partition, offset }: Place): string {
  return `${topic}/${partition}/${offset}`;
}

/** The correction of a line, or what is wrong with it. */
function readLine(text: string, line: number): Correction | string {
  let fields: Readonly<Record<string, unknown>>;
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
      return "it is no JSON object.";
    }
    fields = Object.fromEntries(Object.entries(parsed));
  } catch {
    return "it is no JSON.";
  }
  const { topic, partition, offset, logTime, value } = fields;
  if (typeof topic !== "string" || topic === "") {
    return "topic is missing: the position says which message it is.";
  }
  if (!isWhole(partition, PARTITION_MAX)) {
    return "partition is no whole number: take it from rejected list --json.";
  }
  if (!isWhole(offset, Number.MAX_SAFE_INTEGER)) {
    return "offset is no whole number: take it from rejected list --json.";
  }
  const logTimeMs = typeof logTime === "string" ? Date.parse(logTime) : undefined;
  if ((logTime !== undefined && typeof logTime !== "string") || Number.isNaN(logTimeMs)) {
    return "logTime is no time: leave it as it was, or out.";
  }
  const bytes = bytesOf(value, text);
  return typeof bytes === "string" ? bytes : { topic, partition, offset, line, logTimeMs, value: bytes };
}

/** A text is the message itself, { base64 } its bytes, any other object the message as JSON, digits as they were written. */
function bytesOf(value: unknown, text: string): Uint8Array | string {
  if (typeof value === "string") return Buffer.from(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return 'value is no object, no text and no {"base64": …}: write the corrected message there.';
  }
  const [[name, content] = [], ...others] = Object.entries(value);
  if (name !== "base64" || others.length > 0) return Buffer.from(JSON.stringify(wholeValue(text)));
  const isBase64 = typeof content === "string" && /^[A-Za-z0-9+/]*={0,2}$/.test(content);
  return isBase64 ? Buffer.from(content, "base64") : "value.base64 is no base64.";
}

function wholeValue(text: string): unknown {
  const whole: unknown = JSON.parse(text, keepDigits);
  return typeof whole === "object" && whole !== null && "value" in whole ? whole.value : undefined;
}

function isWhole(value: unknown, max: number): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= max;
}

function wrongLines(problems: readonly string[]): AtriumError {
  const more = problems.length - PROBLEMS_NAMED_MAX;
  const named = problems.slice(0, PROBLEMS_NAMED_MAX);
  const text = [...named, ...(more > 0 ? [`… and ${more} more.`] : []), "Nothing was done."].join("\n");
  return new AtriumError("USAGE_INVALID", text, { details: { problems: problems.length } });
}

// Rejected messages for people and for machines: a line of a list, a JSON line, all of a message. Pure.

import type { HeldMessage } from "../lakehouse/bronze/rejected.ts";
import { messageText } from "../reading/message-text.ts";

/** Characters of a message that a line of the list shows. */
const START_LENGTH = 40;
const HEX_BYTES_PER_LINE = 16;
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}\uFFFD]/gu;

/** Columns of the list. */
export const LIST_COLUMNS = ["position", "log_time", "key", "reason", "detail", "value"] as const;

/** A line of the list: the start of the message last. */
export function listRow(message: HeldMessage): readonly (string | null)[] {
  const { logTime, key, reason, detail, value } = message;
  // Four bytes are one character at least; the last one may be cut, and shows as such.
  const start = escaped(new TextDecoder().decode(value.subarray(0, START_LENGTH * 4)));
  const shown = start.length > START_LENGTH ? `${start.slice(0, START_LENGTH)}…` : start;
  return [positionText(message), logTime, key === null ? null : escaped(key), reason, escaped(detail), shown];
}

/** One JSON object, without its line break: the form that `redrive --file` reads. */
export function jsonLine(message: HeldMessage): string {
  const { topic, partition, offset, logTime, ingestTime, key, reason, detail, value } = message;
  return JSON.stringify({
    topic,
    partition,
    offset,
    logTime,
    ingestTime,
    key,
    reason,
    detail,
    value: messageText(value),
  });
}

/** All of a message; as a hex dump too where it is not plain text. */
export function wholeText(message: HeldMessage): string {
  const { logTime, ingestTime, key, reason, detail, value } = message;
  const text = messageText(value);
  const plain = typeof text === "string" && text.search(UNPRINTABLE) === -1;
  const facts = [
    ["position", positionText(message)],
    ["log time", logTime],
    ["ingest time", ingestTime],
    ["key", key === null ? "none" : escaped(key)],
    ["reason", reason],
    ["detail", escaped(detail)],
    ["bytes", String(value.length)],
  ] as const;
  const lines = facts.map(([name, fact]) => `${`${name}:`.padEnd(13)}${fact}`);
  return [
    ...lines,
    "",
    escaped(new TextDecoder().decode(value)),
    ...(plain ? [] : ["", ...hexDump(value)]),
    "",
  ].join("\n");
}

/** A position as it is written on the command line. */
export function positionText({
  topic,
  partition,
  offset,
}: Pick<HeldMessage, "topic" | "partition" | "offset">): string {
  return `${topic}/${partition}/${offset}`;
}

/** What a terminal would act on or not show, as \u{…}: a message cannot move the cursor. */
function escaped(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

function hexDump(bytes: Uint8Array): readonly string[] {
  return Array.from({ length: Math.ceil(bytes.length / HEX_BYTES_PER_LINE) }, (_, line) => {
    const part = bytes.subarray(line * HEX_BYTES_PER_LINE, (line + 1) * HEX_BYTES_PER_LINE);
    const hex = Array.from(part, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = Array.from(part, (byte) =>
      byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".",
    ).join("");
    const address = (line * HEX_BYTES_PER_LINE).toString(16).padStart(8, "0");
    return `${address}  ${hex.padEnd(HEX_BYTES_PER_LINE * 3 - 1)}  ${text}`;
  });
}

// Lines that are no reading, one kind after the other.

import type { Chance } from "../support/chance.ts";

/** The kinds of damage; `detail` in faults.csv. */
export const DAMAGES = [
  "missing-field",
  "empty-value",
  "not-a-number",
  "nan",
  "inf",
  "before-1970",
  "far-future",
  "truncated",
  "missing-timestamp",
  "bad-timestamp",
  "invalid-utf8",
] as const;

/** A kind of damage. */
export type Damage = (typeof DAMAGES)[number];

/** Year 5138, and the largest time that the wire format still takes for seconds. */
const FAR_FUTURE_SECONDS = 99_999_999_999;

const encoder = new TextEncoder();

/** A line with this damage (without LF and CR, never empty) that might have been a reading at `unixSeconds`. */
export function malformedLine(damage: Damage, unixSeconds: number, chance: Chance): Uint8Array {
  if (damage === "invalid-utf8") return rubbish(chance);
  const texts: Readonly<Record<Exclude<Damage, "invalid-utf8">, string>> = {
    "missing-field": `${unixSeconds}`,
    "empty-value": `${unixSeconds}, `,
    "not-a-number": `${unixSeconds}, error`,
    nan: `${unixSeconds}, nan`,
    inf: `${unixSeconds}, inf`,
    "before-1970": `-${unixSeconds}, 23.00`,
    "far-future": `${FAR_FUTURE_SECONDS}, 23.00`,
    // Cut within the time: a line cut within its value would be another valid reading.
    truncated: `${unixSeconds}`.slice(0, 1 + chance.below(7)),
    "missing-timestamp": ", 23.00",
    "bad-timestamp": `${unixSeconds}x, 23.00`,
  };
  return encoder.encode(texts[damage]);
}

/** 4 to 40 bytes, the first of which can begin no UTF-8 text. */
function rubbish(chance: Chance): Uint8Array {
  const bytes = Uint8Array.from({ length: 4 + chance.below(37) }, () => chance.below(256));
  const withoutLineEnds = bytes.map((byte) => (byte === 10 || byte === 13 ? 0 : byte));
  withoutLineEnds[0] = 0xff;
  return withoutLineEnds;
}

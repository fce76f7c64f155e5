// Which form an answer takes: what the client asked for by `format` or, without it, by its Accept header. Pure.

/** Forms of a list. */
export const FORMATS = ["json", "csv"] as const;

/** A form of a list. */
export type Format = (typeof FORMATS)[number];

const MEDIA_TYPES: Readonly<Record<Format, string>> = { json: "application/json", csv: "text/csv" };

/** The form to answer in; undefined if the client accepts none. JSON where both are as welcome. Source: RFC 9110, 12.5.1. */
export function formatFor(format: Format | undefined, accept: string | undefined): Format | undefined {
  if (format !== undefined) return format;
  if (accept === undefined || accept.trim() === "") return "json";
  const ranges = accept.split(",").map(rangeOf);
  const weights = FORMATS.map((name) => ({ name, weight: weightOf(MEDIA_TYPES[name], ranges) }));
  const [best] = weights.toSorted((a, b) => b.weight - a.weight);
  return best !== undefined && best.weight > 0 ? best.name : undefined;
}

interface MediaRange {
  readonly type: string;
  readonly weight: number;
}

function rangeOf(text: string): MediaRange {
  const [type = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith("q="));
  const number = weight === undefined ? 1 : Number(weight.slice(2));
  return { type, weight: Number.isFinite(number) ? number : 0 };
}

/** The most specific range that covers a type decides. */
function weightOf(mediaType: string, ranges: readonly MediaRange[]): number {
  for (const pattern of [mediaType, `${mediaType.split("/")[0] ?? ""}/*`, "*/*"]) {
    const range = ranges.find((candidate) => candidate.type === pattern);
    if (range !== undefined) return range.weight;
  }
  return 0;
}

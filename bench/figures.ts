// Pure: numbers out of what programs print, and what many measurements say together.

/** A quantile by nearest rank: the smallest value that at least the share `share` (0 to 1) does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = Math.max(1, Math.ceil(share * sorted.length)) - 1;
  return sorted[place] ?? Number.NaN;
}

/** The median: the mean of the middle two where their number is even; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const lower = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** The named numbers of a JSON object. Throws if one is missing or no number. */
export function numbersIn<const Name extends string>(
  text: string,
  names: readonly Name[],
): Readonly<Record<Name, number>> {
  const parsed: unknown = JSON.parse(text);
  const found = names.map((name) => {
    const value: unknown = isRecord(parsed) ? parsed[name] : undefined;
    if (typeof value !== "number") throw new Error(`no number ${name} in ${text.slice(0, 200)}`);
    return [name, value] as const;
  });
  return Object.fromEntries(found) as Record<Name, number>;
}

/** True for an object with fields; an array is none. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// Times as text, exact to the µs: a Date has only ms.

/** µs since 1970 as ISO text in UTC, with as many decimals as it takes: none, 3 or 6. */
export function isoTime(micros: bigint): string {
  const milliseconds = Number(micros / 1000n) - (micros % 1000n < 0n ? 1 : 0);
  const rest = Number(((micros % 1000n) + 1000n) % 1000n);
  const text = new Date(milliseconds).toISOString();
  if (rest !== 0) return text.replace("Z", `${String(rest).padStart(3, "0")}Z`);
  return text.replace(".000Z", "Z");
}

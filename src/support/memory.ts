// What the process used of the machine's memory.

/** The most memory that this process has held, MB (resident set). */
export function peakMemoryMb(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024);
}

// What the process uses of the machine: memory and processor time.

/** The most memory that this process has held, MB (resident set). */
export function peakMemoryMb(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024);
}

/** What the process uses now, and since when it runs. */
export function processFacts(): {
  readonly residentBytes: number;
  readonly cpuSeconds: number;
  readonly uptimeSeconds: number;
} {
  const { user, system } = process.cpuUsage();
  return {
    residentBytes: process.memoryUsage.rss(),
    cpuSeconds: (user + system) / 1e6,
    uptimeSeconds: process.uptime(),
  };
}

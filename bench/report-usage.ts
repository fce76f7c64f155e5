// Preloaded into a measured process: at its end it reports, on file descriptor 3, what it has used.

import { writeSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

if (isMainThread) {
  // What the process itself starts is not measured by itself.
  delete process.env["NODE_OPTIONS"];
  process.on("exit", () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    const cpuSeconds = (userCPUTime + systemCPUTime) / 1e6;
    writeSync(3, JSON.stringify({ cpuSeconds, peakMemoryMb: maxRSS / 1024 }));
  });
}

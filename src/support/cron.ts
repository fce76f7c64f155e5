// When a cron expression is due next, in UTC. Waiting until then is the clock's part.

import { Cron } from "croner";

/** Times that come again. */
export interface CronTimes {
  /** The first time after `afterMs`; both ms since the epoch. Undefined: there is none. */
  nextMs(afterMs: number): number | undefined;
}

/** Reads an expression of five fields, or of six with seconds first; undefined if it is none. */
export function parseCron(expression: string): CronTimes | undefined {
  // Croner also takes dates and nicknames; a schedule here is fields alone.
  if (!/^[^\s@]+( +[^\s@]+){4,5}$/.test(expression)) return undefined;
  try {
    const cron = new Cron(expression, { timezone: "UTC", paused: true });
    return { nextMs: (afterMs) => cron.nextRun(new Date(afterMs))?.getTime() };
  } catch {
    return undefined;
  }
}

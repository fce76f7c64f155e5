// A log that can also tell what it is, for `doctor`.

import type { EventLog } from "./event-log.ts";

/** What a log says of itself. */
export interface LogDescription {
  /** Where it is and how large, as one phrase. */
  readonly text: string;
  /** What may end badly, each a sentence with what to do; the topics asked for alone. */
  readonly warnings: readonly string[];
}

/** An EventLog that describes itself. */
export interface DescribedLog extends EventLog {
  /** Looks at the log and at these topics; those that are missing are left out. */
  describe(topics: readonly string[]): Promise<LogDescription>;
}

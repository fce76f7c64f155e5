// What to do after another writer was faster: read everything again and repeat, a bounded number of times.

import { isAtriumError } from "../support/errors.ts";

/** Work is given up after losing so often. */
const ATTEMPTS_MAX = 5;

/**
 * Does the work, and again from its start while its commit loses to another writer's. For work that is a function of the
 * tables: if another one has done it already, the repetition finds nothing left to do.
 * @throws COMMIT_CONFLICT, COMMIT_OVERTAKEN after a few attempts, and what the work throws
 */
export async function repeatAfterLostRace(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await work();
      return;
    } catch (error) {
      const isLost = isAtriumError(error, "COMMIT_CONFLICT") || isAtriumError(error, "COMMIT_OVERTAKEN");
      if (!isLost || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

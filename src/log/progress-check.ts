// Whether a producer's notes are still what it knows: the guard against two producers under one name. Every adapter asks it.

import { AtriumError } from "../support/errors.ts";
import type { Progress, ProgressStep } from "./event-log.ts";

/**
 * Checks, inside the step that appends, that the stored notes are those that the producer knows.
 * @throws COMMIT_OVERTAKEN if another one has moved one of them
 */
export function checkProgress({ notes, previous }: ProgressStep, stored: Progress): void {
  if (previous === undefined) return;
  for (const name of notes.keys()) {
    if (stored.get(name) !== previous.get(name)) throw overtaken(name);
  }
}

function overtaken(name: string): AtriumError {
  return new AtriumError(
    "COMMIT_OVERTAKEN",
    `Another replay is feeding this log: it has sent from ${name} since this one looked. Nothing was sent twice. ` +
      "Let one replay feed a log; start this one again to go on from where the log is.",
    { details: { name } },
  );
}

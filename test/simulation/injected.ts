// Telling the faults that the simulation made from those that the program has.

import { AtriumError, systemCode } from "../../src/support/errors.ts";

/** The error of an injected fault of the log. */
export function simulatedFault(what: string): AtriumError {
  return new AtriumError("STORE_FAILED", `${what}: simulated`, { details: { simulated: true } });
}

/** True if a fault of the simulation is behind the error. */
export function isInjected(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (["EIO", "ENOSPC"].includes(systemCode(error) ?? "")) return true;
  if (error instanceof AtriumError && error.details["simulated"] === true) return true;
  return isInjected(error.cause);
}

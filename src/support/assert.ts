// Checks of what must hold: a broken one is a fault in Atrium and stops the process.

import { AtriumError } from "./errors.ts";

/** Throws INTERNAL unless `condition` holds. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AtriumError("INTERNAL", `Broken invariant: ${message}. Please report this.`);
}

/** Returns `value`, which cannot be absent here; throws INTERNAL if it is. */
export function present<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) {
    throw new AtriumError("INTERNAL", `Broken invariant: ${what} is absent. Please report this.`);
  }
  return value;
}

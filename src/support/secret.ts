// A value that shows itself as *** wherever it is printed, so that a secret cannot slip into a log.

import { inspect } from "node:util";

/** A secret text: printing, JSON and inspection show `***`; only `reveal` gives it. */
export interface Secret {
  /** The secret itself: call it where it is used, and keep the result nowhere. */
  reveal(): string;
  toString(): string;
  toJSON(): string;
  [inspect.custom](): string;
}

/** What is shown in a secret's place. */
export const HIDDEN = "***";

/** Wraps a text as a secret. */
export function secret(text: string): Secret {
  return Object.freeze({
    reveal: () => text,
    toString: () => HIDDEN,
    toJSON: () => HIDDEN,
    [inspect.custom]: () => HIDDEN,
  });
}

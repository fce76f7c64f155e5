// The id of a batch: the same for all commits of one batch, and for a batch that is repeated after a crash.

import { createHash } from "node:crypto";

/** Hexadecimal digits of an id. */
const ID_LENGTH = 12;

/** The id of the batch that brings a table to these positions (appId -> position): 12 hexadecimal digits of their SHA-256. */
export function batchIdOf(positions: ReadonlyMap<string, bigint>): string {
  const text = [...positions].map(([appId, position]) => `${appId}=${position}`).toSorted();
  return createHash("sha256").update(text.join("\n")).digest("hex").slice(0, ID_LENGTH);
}

// Entity tags: the same tag means the same answer, because a table's version never changes. Pure. Source: RFC 9110, 8.8.3 and 13.1.2.

import { createHash } from "node:crypto";

const HASH_LENGTH = 22;

/** The tag of what a request asked of some table versions. */
export function etagOf(versions: readonly string[], asked: readonly unknown[]): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([versions, asked]))
    .digest("base64url");
  return `"${hash.slice(0, HASH_LENGTH)}"`;
}

/** True if an If-None-Match header names the tag, or is `*`; weak tags compare as strong ones. */
export function isMatched(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(",").some((item) => {
    const tag = item.trim();
    return tag === "*" || tag.replace(/^W\//, "") === etag;
  });
}

// Who may ask: API keys, compared in constant time.

import { createHash, timingSafeEqual } from "node:crypto";
import { ProtocolError } from "./problem.ts";

/** Headers that can carry a key. */
export interface KeyHeaders {
  readonly authorization?: string | undefined;
  readonly "x-api-key"?: string | string[] | undefined;
}

/** Makes the check of a request's key; without any keys every request may pass. @throws UNAUTHORIZED from the check */
export function keyCheck(keys: readonly string[]): (headers: KeyHeaders) => void {
  const known = keys.map(digestOf);
  return (headers) => {
    if (known.length === 0) return;
    const given = keysIn(headers);
    if (given.some((key) => isKnown(key, known))) return;
    const what = given.length === 0 ? "No API key is given" : "The API key is not known";
    throw new ProtocolError("UNAUTHORIZED", `${what}: send Authorization: Bearer KEY, or X-API-Key: KEY.`, {
      headers: { "www-authenticate": 'Bearer realm="atrium"' },
    });
  };
}

function keysIn(headers: KeyHeaders): readonly string[] {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? "")?.[1];
  const apiKey = headers["x-api-key"];
  return [bearer, apiKey].flat().flatMap((key) => (key === undefined || key === "" ? [] : [key]));
}

/** All keys are compared, and digests are of one length: the time tells nothing of a key. */
function isKnown(key: string, known: readonly Buffer[]): boolean {
  const digest = digestOf(key);
  return known.map((other) => timingSafeEqual(digest, other)).includes(true);
}

function digestOf(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

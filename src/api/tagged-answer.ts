// An answer with an entity tag: not made, and not sent, where the client has it already.

import { etagOf, isMatched } from "./etag.ts";
import type { Api, Call, Result } from "./route.ts";

/** Headers of such an answer, with what they say. */
export const TAG_HEADERS = {
  etag: "Tag of this answer: with If-None-Match the same answer is not sent again.",
  "atrium-table-version": "Version of the table that answered; none if it does not exist yet.",
} as const;

/** What an answer depends on. */
export interface Source {
  /** Tags of the table versions. */
  readonly tags: readonly string[];
  /** Version of the table that answers, if it is one; undefined if that does not exist yet. */
  readonly view?: { readonly version: number | undefined };
  /** Form of the answer, where the path has several. */
  readonly format?: string;
}

/** What makes the body. */
export interface Tagged extends Source {
  readonly body: () => Promise<unknown>;
}

/** Headers of an answer from these tables. */
export function tagHeaders(
  api: Api,
  call: Call,
  { tags, view, format = "json" }: Source,
): Readonly<Record<string, string>> & { readonly etag: string } {
  const etag = etagOf(tags, [api.version, call.url, format]);
  const version = view === undefined ? {} : { "atrium-table-version": String(view.version ?? "none") };
  return { etag, ...version, "cache-control": "private, no-cache", vary: "Accept, Authorization, X-API-Key" };
}

/** Answers 304 if the client has the answer, else 200 with the body; what `body` throws goes first where `*` is asked for. */
export async function answerTagged(api: Api, call: Call, tagged: Tagged): Promise<Result> {
  const headers = tagHeaders(api, call, tagged);
  const isKnown = isMatched(call.ifNoneMatch, headers.etag);
  if (isKnown && call.ifNoneMatch !== "*") return { status: 304, headers };
  const body = await tagged.body();
  return isKnown ? { status: 304, headers } : { status: 200, headers, body };
}

// The form of an answer, by the client's wish.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatFor } from "../../src/api/negotiation.ts";

test("format wins over the Accept header", () => assert.equal(formatFor("csv", "application/json"), "csv"));

test("the Accept header decides by weight, the most specific range first", () => {
  const cases: readonly (readonly [string | undefined, string | undefined])[] = [
    [undefined, "json"],
    ["", "json"],
    ["*/*", "json"],
    ["text/csv", "csv"],
    ["TEXT/CSV; charset=utf-8", "csv"],
    ["application/json, text/csv", "json"],
    ["application/json;q=0.5, text/csv;q=0.8", "csv"],
    ["text/*", "csv"],
    ["text/csv;q=0, */*", "json"],
    ["application/json;q=0, text/csv;q=0", undefined],
    ["text/html,application/xhtml+xml,*/*;q=0.8", "json"],
    ["application/xml", undefined],
    ["application/json;q=x", undefined],
  ];
  for (const [accept, format] of cases) assert.equal(formatFor(undefined, accept), format, String(accept));
});

// The codes that only the API gives are explained to its users.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { PROTOCOL_PROBLEMS } from "../../src/api/problem.ts";

test("docs/operate/errors.md explains every code of the API with its status", () => {
  const text = readFileSync(new URL("../../docs/operate/errors.md", import.meta.url), "utf8");
  const listed = [...text.matchAll(/^- ([A-Z_]+) \((\d+)\): \S/gm)].map(([, code, status]) => [
    code,
    Number(status),
  ]);
  const known = Object.entries(PROTOCOL_PROBLEMS).map(([code, { status }]) => [code, status]);
  assert.deepEqual(listed, known);
});

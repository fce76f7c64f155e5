// SPEC.md and the tests name each other: every promise has its tests, and they are there.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "../..");
const SPEC = readFileSync(join(ROOT, "SPEC.md"), "utf8");
/** Text of each promise, by its number. */
const promises = new Map(
  SPEC.split(/^## (?=\d+\. )/m)
    .slice(1)
    .map((text) => [Number.parseInt(text, 10), text.split(/^## /m)[0] ?? ""]),
);

test("SPEC.md numbers its promises from 1 to 9, and each names tests that are there, or says that it is to come", () => {
  assert.deepEqual([...promises.keys()], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  for (const [number, text] of promises) {
    const named = testsIn(text);
    assert.ok(named.length > 0 || /\*\*To come\b/.test(text), `promise ${number} names no test`);
    assert.deepEqual(
      named.filter((path) => !existsSync(join(ROOT, path))),
      [],
      `promise ${number}`,
    );
  }
});

test("SPEC.md names every test of a promise", () => {
  const named = testsIn(SPEC);
  const there = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".test.ts"));
  assert.deepEqual(
    there.filter((name) => name !== "spec.test.ts" && !named.includes(`test/promises/${name}`)),
    [],
  );
});

function testsIn(text: string): readonly string[] {
  return [...text.matchAll(/`(test\/[\w/.-]+\.ts)`/g)].map((match) => match[1] ?? "");
}

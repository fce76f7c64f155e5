// Suggestions for mistyped names.

import assert from "node:assert/strict";
import { test } from "node:test";
import { didYouMean, nearestName } from "../../src/support/nearest.ts";

const names = ["LAKE_URL", "LOG_LEVEL", "LOG_PATH", "ROOMS"];

test("a slip of a few letters finds the name that was meant", () => {
  for (const [slip, meant] of [
    ["LAKE_ULR", "LAKE_URL"],
    ["lake_url", "LAKE_URL"],
    ["LAK_URL", "LAKE_URL"],
    ["LOGLEVEL", "LOG_LEVEL"],
    ["ROMS", "ROOMS"],
    ["LOG_PATHS", "LOG_PATH"],
  ] as const) {
    assert.equal(nearestName(slip, names), meant, slip);
  }
});

test("what is far from every name finds none", () => {
  for (const text of ["", "X", "KAFKA", "SENSORS", "LONG_LIST_OF_THINGS"]) {
    assert.equal(nearestName(text, names), undefined, text);
  }
  assert.equal(didYouMean("X", names), "");
});

test("the hint is a question that can follow a sentence", () => {
  assert.equal(didYouMean("ROOM", names), " Did you mean ROOMS?");
});

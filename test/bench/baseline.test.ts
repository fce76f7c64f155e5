// The stored ratios of the bench, and the verdicts on new ones.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  baselineText,
  parseBaseline,
  TOLERANCE,
  verdictOf,
  verdictOfAll,
  withRatios,
} from "../../bench/baseline.ts";

test("a ratio within 15 % of the stored one is the same, beyond it better or worse", () => {
  assert.equal(TOLERANCE, 0.15);
  assert.equal(verdictOf(4, 4), "same");
  assert.equal(verdictOf(4.59, 4), "same");
  assert.equal(verdictOf(4.61, 4), "worse");
  assert.equal(verdictOf(3.41, 4), "same");
  assert.equal(verdictOf(3.39, 4), "better");
});

test("a ratio without a stored one is new", () => {
  assert.equal(verdictOf(4, undefined), "new");
});

test("of several verdicts the worst decides", () => {
  assert.equal(verdictOfAll(["better", "worse", "same"]), "worse");
  assert.equal(verdictOfAll(["same", "better"]), "better");
  assert.equal(verdictOfAll(["same", "new"]), "same");
  assert.equal(verdictOfAll(["new", "new"]), "new");
});

test("new ratios replace the stored ones of their data set only, and what was not measured stays", () => {
  const stored = { keti: { "run.cpu": 9, "run.wall": 6 }, generated: { "run.cpu": 8 } };
  assert.deepEqual(withRatios(stored, "keti", { "run.cpu": 7 }), {
    keti: { "run.cpu": 7, "run.wall": 6 },
    generated: { "run.cpu": 8 },
  });
  assert.deepEqual(withRatios({}, "keti", { "run.cpu": 7 }), { keti: { "run.cpu": 7 } });
});

test("a baseline is stored in the order of names, to three decimals, and read back", () => {
  const text = baselineText({ keti: { "run.wall": 6, "run.cpu": 9.123456 }, generated: { "run.cpu": 8 } });
  assert.equal(
    text,
    '{\n  "generated": {\n    "run.cpu": 8\n  },\n  "keti": {\n    "run.cpu": 9.123,\n    "run.wall": 6\n  }\n}\n',
  );
  assert.deepEqual(parseBaseline(text), {
    keti: { "run.wall": 6, "run.cpu": 9.123 },
    generated: { "run.cpu": 8 },
  });
});

test("a file that is no baseline is refused with a word on what to do", () => {
  assert.throws(() => parseBaseline("[]"), /--save/);
  assert.throws(() => parseBaseline('{"keti": 3}'), /baseline of keti .* --save/);
  assert.throws(() => parseBaseline('{"keti": {"run.cpu": "9"}}'), /run\.cpu .* keti .* --save/);
  assert.throws(() => parseBaseline('{"keti": {"run.cpu": 0}}'), /no ratio/);
});

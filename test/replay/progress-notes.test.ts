// The notes that the log keeps for the replay.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseProgress, progressName, progressText } from "../../src/replay/progress-notes.ts";

test("a note comes back as it was written, any byte in its tail", () => {
  const progress = { bytes: 999, lines: 12, tail: '1377299108, "é\u0000\u00ff\r\n' };
  assert.deepEqual(parseProgress(progressText(progress)), progress);
});

test("what is not a note is none", () => {
  const texts = [
    "",
    "null",
    "[]",
    "7",
    '{"bytes":1,"lines":1}',
    '{"bytes":-1,"lines":1,"tail":"x"}',
    '{"bytes":1.5,"lines":1,"tail":"x"}',
    '{"bytes":1,"lines":1,"tail":""}',
    '{"bytes":1,"lines":1,"tail":"longer than bytes"}',
    `{"bytes":999,"lines":1,"tail":"${"x".repeat(201)}"}`,
  ];
  for (const text of texts) assert.equal(parseProgress(text), undefined, text);
});

test("a file keeps its note when it is packed", () => {
  assert.equal(progressName("413/co2.csv.gz"), progressName("413/co2.csv"));
});

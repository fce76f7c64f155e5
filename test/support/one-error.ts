// How a failure must look on the command line: one line with its code, and nothing of the program's inside.

import assert from "node:assert/strict";
import { ERROR_CATALOGUE, type ErrorCode } from "../../src/support/errors.ts";
import type { Ended } from "./program.ts";

/** Fails unless the program ended with the code's own exit code and wrote one line `error CODE: …` that matches. */
export function assertOneError(ended: Ended, code: ErrorCode, message: RegExp): void {
  const { stdout, stderr } = ended;
  const context = `exit ${ended.code ?? ended.signal}\n${stdout}${stderr}`;
  assert.equal(ended.code, ERROR_CATALOGUE[code].exitCode, context);
  // Log lines are JSON objects; the rest of standard error is for errors.
  const lines = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
  assert.equal(lines.length, 1, context);
  assert.ok(lines[0]!.startsWith(`error ${code}: `), context);
  assert.match(lines[0]!, message);
  assert.doesNotMatch(stderr, /\n\s+at |node:internal|\.ts:\d/, context);
}

// Tests of what SQLite and the file system report, as errors of the catalogue.

import assert from "node:assert/strict";
import { test } from "node:test";
import { failureOf, openingFailure } from "../../../src/adapters/embedded/failures.ts";
import { AtriumError, type ErrorCode } from "../../../src/support/errors.ts";

const FILE = "lake/log.sqlite";

function sqliteError(errcode: number): Error {
  return Object.assign(new Error(`result ${errcode}`), { code: "ERR_SQLITE_ERROR", errcode });
}

function codeOf(error: unknown): ErrorCode {
  assert.ok(error instanceof AtriumError);
  assert.match(error.message, /lake\/log\.sqlite/);
  return error.code;
}

test("each result of SQLite has its code, extended results too", () => {
  const expected: readonly (readonly [number, ErrorCode])[] = [
    [5, "STORE_FAILED"],
    [517, "STORE_FAILED"],
    [8, "STORE_DENIED"],
    [1032, "STORE_DENIED"],
    [10, "STORE_FAILED"],
    [778, "STORE_FAILED"],
    [522, "LOG_CORRUPT"],
    [11, "LOG_CORRUPT"],
    [267, "LOG_CORRUPT"],
    [26, "LOG_CORRUPT"],
    [13, "STORE_FULL"],
    [14, "STORE_DENIED"],
    [1, "INTERNAL"],
  ];
  for (const [result, code] of expected) {
    assert.equal(codeOf(failureOf(sqliteError(result), FILE)), code, `${result}`);
  }
});

test("a statement that does not fit the tables means damage while the log is opened", () => {
  assert.equal(codeOf(openingFailure(sqliteError(1), FILE)), "LOG_CORRUPT");
  assert.equal(codeOf(openingFailure(sqliteError(13), FILE)), "STORE_FULL");
});

test("errors of the file system have their codes", () => {
  for (const [system, code] of [
    ["ENOSPC", "STORE_FULL"],
    ["EACCES", "STORE_DENIED"],
    ["EIO", "STORE_FAILED"],
  ] as const) {
    assert.equal(codeOf(failureOf(Object.assign(new Error(system), { code: system }), FILE)), code);
  }
});

test("other errors stay as they are", () => {
  const others = [
    new AtriumError("LOG_FULL", "full"),
    new TypeError("x"),
    Object.assign(new Error("y"), { code: "ERR_INVALID_STATE" }),
  ];
  for (const error of others) assert.equal(failureOf(error, FILE), error);
});

// Paths: folders as Hive and DuckDB name them, and the log's own encoding on top.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  decodePath,
  encodePath,
  objectPath,
  partitionFolder,
  storePath,
} from "../../../src/lakehouse/delta/paths.ts";
import { AtriumError } from "../../../src/support/errors.ts";

const hasCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof AtriumError && error.code === code;

test("a partition's folder is the one that DuckDB makes, but for the tilde that delta-rs trips over", () => {
  const value = "a b/c%é:ü+&!'()*~._-";
  assert.equal(
    partitionFolder(["p"], { p: value }),
    "p=a%20b%2Fc%25%C3%A9%3A%C3%BC%2B%26%21%27%28%29%2A%7E._-",
  );
  assert.equal(
    partitionFolder(["day", "room"], { room: "413", day: "2013-08-23" }),
    "day=2013-08-23/room=413",
  );
  assert.equal(partitionFolder(["p"], { p: null }), "p=__HIVE_DEFAULT_PARTITION__");
  assert.equal(partitionFolder(["p"], { p: "" }), "p=__HIVE_DEFAULT_PARTITION__");
  assert.equal(partitionFolder([], {}), "");
});

test("the log encodes a path once more", () => {
  assert.equal(encodePath("room=4%2013/part-1.parquet"), "room=4%252013/part-1.parquet");
  assert.equal(
    storePath("bronze/readings", "room=4%252013/part-1.parquet"),
    "bronze/readings/room=4%2013/part-1.parquet",
  );
});

test("any partition value leads to a path that decodes to itself and stays in the store", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (value) => {
      const path = `${partitionFolder(["p"], { p: value })}/x.parquet`;
      assert.equal(decodePath(encodePath(path), "t"), path);
      assert.equal(objectPath(path), path);
      assert.equal(path.split("/").length, 2);
    }),
  );
});

test("two partition values never share a folder", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme", minLength: 1 }),
      fc.string({ unit: "grapheme", minLength: 1 }),
      (a, b) => {
        const same = partitionFolder(["p"], { p: a }) === partitionFolder(["p"], { p: b });
        assert.equal(same, a === b || a.toWellFormed() === b.toWellFormed());
      },
    ),
  );
});

test("half a surrogate pair makes a folder instead of an error", () => {
  assert.equal(partitionFolder(["p"], { p: "\ud800" }), "p=%EF%BF%BD");
});

test("files outside of the table are refused, and paths that are not encoded are corrupt", () => {
  for (const path of ["/data/x.parquet", "s3://bucket/x.parquet", "file:/x.parquet"]) {
    assert.throws(() => decodePath(path, "t"), hasCode("TABLE_UNSUPPORTED"));
  }
  assert.throws(() => decodePath("a%zz", "t"), hasCode("TABLE_CORRUPT"));
  assert.throws(() => objectPath(storePath("t", "%2E%2E/%2E%2E/etc/passwd")), hasCode("STORE_DENIED"));
});

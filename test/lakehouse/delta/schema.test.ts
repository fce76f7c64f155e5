// Schemas and settings: Delta's text and ours.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ColumnSchema, MetadataAction, TableSchema } from "../../../src/lakehouse/delta/actions.ts";
import { encodeSchema, schemaOf } from "../../../src/lakehouse/delta/schema.ts";
import {
  checkpointInterval,
  deletedFileRetentionMs,
  isAppendOnly,
  logRetentionMs,
} from "../../../src/lakehouse/delta/settings.ts";
import type { AtriumError } from "../../../src/support/errors.ts";

const metadata = (schemaString: string): MetadataAction => ({
  id: "1",
  format: { provider: "parquet", options: {} },
  schemaString,
  partitionColumns: ["a"],
  configuration: { "delta.appendOnly": "false" },
});
const refusal = (schemaString: string): AtriumError | undefined => {
  try {
    schemaOf(metadata(schemaString), "silver/readings");
    return undefined;
  } catch (error) {
    return error as AtriumError;
  }
};
const struct = (...fields: readonly object[]): string => JSON.stringify({ type: "struct", fields });

test("every type survives being written and read", () => {
  const types = ["string", "long", "integer", "double", "date", "timestamp", "boolean", "binary"] as const;
  const columns: ColumnSchema[] = types.map((type, index) => ({
    name: `c_${type}`,
    type,
    nullable: index % 2 === 0,
  }));
  const { columns: read, partitionColumns, configuration } = schemaOf(metadata(encodeSchema(columns)), "t");
  assert.deepEqual(read, columns);
  assert.deepEqual([partitionColumns, configuration], [["a"], { "delta.appendOnly": "false" }]);
});

test("nested and unknown types and marks are refused by name", () => {
  const field = { name: "extra", type: "string", nullable: true, metadata: {} };
  for (const [wrong, named] of [
    [{ ...field, type: { type: "array", elementType: "long" } }, "array"],
    [{ ...field, type: "timestamp_ntz" }, "timestamp_ntz"],
    [{ ...field, type: "decimal(10,2)" }, "decimal(10,2)"],
    [{ ...field, metadata: { "delta.invariants": "{}" } }, "delta.invariants"],
    [{ ...field, metadata: { "delta.generationExpression": "1" } }, "delta.generationExpression"],
  ] as const) {
    const error = refusal(struct(field, { ...wrong, name: "odd" }));
    assert.equal(error?.code, "TABLE_UNSUPPORTED");
    for (const word of ["odd", "silver/readings", named]) {
      assert.ok(error?.message.includes(word), error?.message);
    }
  }
  assert.equal(refusal(struct({ ...field, metadata: { comment: "of no matter" } })), undefined);
});

test("a schema that is no struct of fields is corrupt", () => {
  for (const text of [
    "",
    "{",
    "7",
    "null",
    '{"type":"struct"}',
    '{"type":"struct","fields":[{"type":"long"}]}',
  ]) {
    assert.equal(refusal(text)?.code, "TABLE_CORRUPT", text);
  }
});

test("column names that Delta refuses are a fault", () => {
  assert.throws(() => encodeSchema([{ name: "two words", type: "long" }]), /two words/);
});

const settings = (configuration: Record<string, string>): TableSchema => ({
  columns: [],
  partitionColumns: [],
  configuration,
});

test("settings have Delta's defaults and Spark's ways of writing durations", () => {
  const none: TableSchema = { columns: [], partitionColumns: [] };
  const day = 86_400_000;
  assert.deepEqual(
    [checkpointInterval(none), deletedFileRetentionMs(none), logRetentionMs(none), isAppendOnly(none)],
    [100, 7 * day, 30 * day, false],
  );
  for (const [text, ms] of [
    ["interval 1 week", 7 * day],
    ["INTERVAL 2 days 12 HOURS", 2.5 * day],
    ["30 days", 30 * day],
    ["interval 0 hours", 0],
  ] as const) {
    assert.equal(deletedFileRetentionMs(settings({ "delta.deletedFileRetentionDuration": text })), ms);
  }
  assert.equal(isAppendOnly(settings({ "delta.appendOnly": "TRUE" })), true);
  assert.equal(checkpointInterval(settings({ "delta.checkpointInterval": "10" })), 10);
});

test("settings that cannot be read are refused by name", () => {
  for (const text of ["interval", "interval 7", "7 moons", "interval -1 days", ""]) {
    assert.throws(
      () => logRetentionMs(settings({ "delta.logRetentionDuration": text })),
      /logRetentionDuration/,
      text,
    );
  }
  for (const text of ["0", "-1", "1.5", "many"]) {
    assert.throws(
      () => checkpointInterval(settings({ "delta.checkpointInterval": text })),
      /checkpointInterval/,
    );
  }
});

// Actions: what is read from a log and what is refused, by line.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type Action, encodeActions, parseActions } from "../../../src/lakehouse/delta/actions.ts";
import { AtriumError } from "../../../src/support/errors.ts";

const parse = (text: string): readonly Action[] => parseActions(new TextEncoder().encode(text), "0.json");

const texts = fc.string({ unit: "grapheme" });
const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const values = fc.dictionary(texts, fc.option(texts)).map((all) => ({ ...all }));
const actions = fc.oneof(
  fc.record({
    add: fc.record(
      {
        path: texts,
        partitionValues: values,
        size: whole,
        modificationTime: whole,
        dataChange: fc.boolean(),
        stats: texts,
        tags: values,
      },
      { requiredKeys: ["path", "partitionValues", "size", "modificationTime", "dataChange"] },
    ),
  }),
  fc.record({
    remove: fc.record(
      {
        path: texts,
        dataChange: fc.boolean(),
        deletionTimestamp: whole,
        extendedFileMetadata: fc.boolean(),
        partitionValues: values,
        size: whole,
      },
      { requiredKeys: ["path", "dataChange"] },
    ),
  }),
  fc.record({ txn: fc.record({ appId: texts, version: fc.bigInt(0n, 2n ** 53n - 1n) }) }),
  fc.record({ protocol: fc.record({ minReaderVersion: whole, minWriterVersion: whole }) }),
  fc.record({ commitInfo: fc.record({ timestamp: whole, operation: texts }) }),
);

test("actions that were encoded are read again as they were", () => {
  fc.assert(
    fc.property(fc.array(actions), (all) => {
      assert.deepEqual(
        JSON.stringify(plain(parseActions(encodeActions(all), "0.json"))),
        JSON.stringify(plain(all)),
      );
    }),
  );
});

test("kinds and members that are not known, empty lines and CRLF are passed over", () => {
  const lines = [
    '{"cdc":{"path":"x"}}',
    "",
    '{"txn":{"appId":"a","version":1,"new":true,"lastUpdated":null}}',
    '{"domainMetadata":null}',
  ];
  assert.deepEqual(parse(lines.join("\r\n")), [{ txn: { appId: "a", version: 1n } }]);
});

const DAMAGED: readonly [string, RegExp][] = [
  ['{"add":{"path":"x"', /0\.json, line 2/],
  ["7", /line 2: this is not a JSON object/],
  ["[]", /line 2: this is not a JSON object/],
  ['{"add":7}', /line 2, add: this is not a JSON object/],
  ['{"add":{"path":"x"}}', /line 2, add: `partitionValues` is missing/],
  [
    '{"add":{"path":"x","partitionValues":{"a":1},"size":1,"modificationTime":1,"dataChange":true}}',
    /`partitionValues` is not of its type/,
  ],
  ['{"remove":{"path":"x","dataChange":"yes"}}', /remove: `dataChange` is not of its type/],
  ['{"txn":{"appId":"a","version":9007199254740993}}', /txn: `version` is not of its type/],
  ['{"txn":{"appId":"a","version":1.5}}', /txn: `version` is not of its type/],
  ['{"protocol":{"minReaderVersion":1}}', /protocol: `minWriterVersion` is missing/],
  ['{"metaData":{"id":"1"}}', /metaData.format: this is not a JSON object/],
];
for (const [line, message] of DAMAGED) {
  test(`the line ${line} is corrupt, and named`, () => {
    assert.throws(
      () => parse(`{"txn":{"appId":"a","version":1}}\n${line}\n`),
      (error) =>
        error instanceof AtriumError && error.code === "TABLE_CORRUPT" && message.test(error.message),
    );
  });
}

/** Bigints as text, so that two lists can be compared as JSON; members sorted by the parser's order do not matter. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, plain(inner)]),
  );
}

// The parts of the Spark Connect client that need no server: addresses, parameters written into SQL, exact values.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  RecordBatch,
  Schema,
  Field,
  Struct,
  makeData,
  Table,
  tableToIPC,
  TimestampMillisecond,
} from "apache-arrow";
import fc from "fast-check";
import { parseAddress } from "../../../src/adapters/spark/connect/address.ts";
import { rowsOf } from "../../../src/adapters/spark/connect/arrow.ts";
import { literalText, withLiterals } from "../../../src/adapters/spark/connect/literals.ts";
import { daysOf, dateText, decimalParts } from "../../../src/adapters/spark/connect/values.ts";

const INVALID = { code: "QUERY_INVALID" };

describe("addresses", () => {
  test("host, port and what follows are read, and a token brings TLS", () => {
    const { token, ...rest } = parseAddress(
      "sc://spark.example:443/;token=a%3Db;user_id=ann;session_id=00000000-0000-4000-8000-000000000001;x-team=air",
    );
    assert.equal(token?.reveal(), "a=b");
    assert.deepEqual(rest, {
      host: "spark.example",
      port: 443,
      tls: true,
      userId: "ann",
      sessionId: "00000000-0000-4000-8000-000000000001",
      headers: { "x-team": "air" },
    });
  });

  test("without a port it is Spark's own, without TLS unless it is asked for", () => {
    assert.deepEqual([parseAddress("sc://h").port, parseAddress("sc://h").tls], [15_002, false]);
    assert.equal(parseAddress("sc://h/;use_ssl=true").tls, true);
    assert.equal(parseAddress("sc://[::1]:7").host, "[::1]");
  });

  for (const wrong of [
    "http://h",
    "sc://",
    "sc://h:0",
    "sc://h:65536",
    "sc://h/;use_ssl=maybe",
    "sc://h/;token",
    "sc://h/;session_id=1",
    "sc://h/;token=hidden%",
    "sc://h/;use_ssl=false;token=hidden",
    "sc://h :1/;token=hidden",
  ]) {
    test(`${wrong} is refused, and no token is shown`, () => {
      assert.throws(
        () => parseAddress(wrong),
        (error: Error & { code?: string }) =>
          error.code === "CONFIG_INVALID" && !error.message.includes("hidden"),
      );
    });
  }
});

describe("parameters written into the text", () => {
  for (const [what, sql, expected] of [
    ["markers", "select ? + ?", "select (cast('1' as bigint)) + (cast('2' as bigint))"],
    [
      "strings",
      "select '?', '\\'?', \"?\", r'\\', ?",
      "select '?', '\\'?', \"?\", r'\\', (cast('1' as bigint))",
    ],
    ["names in quotes", "select `?`, `a``?`, ?", "select `?`, `a``?`, (cast('1' as bigint))"],
    [
      "comments",
      "-- ?\n/* ? /* ? */ ? */ select ? -- ?",
      "-- ?\n/* ? /* ? */ ? */ select (cast('1' as bigint)) -- ?",
    ],
    ["an unclosed string", "select ? '?", "select (cast('1' as bigint)) '?"],
  ] as const) {
    test(`? is found outside of quotes and comments only: ${what}`, () => {
      const count = expected.split("bigint").length - 1;
      assert.equal(withLiterals(sql, [1n, 2n].slice(0, count)), expected);
    });
  }

  test(":name is found, and casts and the types of fields are left alone", () => {
    const sql = "select :a, :b_1, ':a', x::int, cast(s as struct<f:int>), :a";
    assert.equal(
      withLiterals(sql, { a: true, b_1: null }),
      "select (true), (null), ':a', x::int, cast(s as struct<f:int>), (true)",
    );
  });

  test("too few, too many and unknown ones are refused", () => {
    assert.throws(() => withLiterals("select ?, ?", [1n]), INVALID);
    assert.throws(() => withLiterals("select ?", [1n, 2n]), INVALID);
    assert.throws(() => withLiterals("select :a", { b: 1n }), INVALID);
  });

  test("no text leaves its quotes, whatever it holds", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const literal = literalText(text);
        assert.match(literal, /^\((cast\(X'[0-9a-f]*' as string\)|'[^'\\?`"]*')\)$/);
        // A text that is written in is not looked at again.
        assert.equal(withLiterals("?,?", [text, 1n]), `${literal},(cast('1' as bigint))`);
      }),
    );
  });

  test("what has no exact form in Spark is refused", () => {
    for (const value of [
      "\ud800",
      2n ** 63n,
      { date: "2023-02-29" },
      { date: "1' or '1" },
      { decimal: "1e5" },
    ]) {
      assert.throws(() => literalText(value), INVALID);
    }
    assert.throws(() => literalText({ decimal: "1".repeat(39) }), INVALID);
  });
});

test("days and dates turn into each other", () => {
  fc.assert(
    fc.property(fc.integer({ min: -719_162, max: 2_932_896 }), (days) =>
      assert.equal(daysOf(dateText(days)), days),
    ),
  );
});

test("the precision of a decimal is what its digits need", () => {
  assert.deepEqual(decimalParts("-12.50"), { precision: 4, scale: 2 });
  assert.deepEqual(decimalParts("0.050"), { precision: 3, scale: 3 });
  assert.deepEqual(decimalParts("000"), { precision: 1, scale: 0 });
});

test("a column that would lose digits is refused with its type", () => {
  const type = new TimestampMillisecond();
  const schema = new Schema([new Field("t", type)]);
  const column = makeData({ type, data: BigInt64Array.of(1n), length: 1 });
  const data = makeData({ type: new Struct(schema.fields), children: [column], length: 1 });
  const stream = tableToIPC(new Table([new RecordBatch(schema, data)]), "stream");
  assert.throws(() => rowsOf(stream), { code: "ENGINE_FAILED", message: /Arrow type Timestamp/ });
});

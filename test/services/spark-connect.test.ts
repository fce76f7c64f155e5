// The Spark Connect client against a real server: exact values, parameters, errors, and what it is made of.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { freePorts } from "../../services/ports.ts";
import { mustRun } from "../../services/program.ts";
import { type Spark, startSpark } from "../../services/spark.ts";
import { openSpark, type SparkSession } from "../../src/adapters/spark/connect/session.ts";
import type { SparkParameter, SparkRow } from "../../src/adapters/spark/connect/values.ts";
import { temporaryFolder } from "../support/program.ts";
import { withoutServices } from "../support/services.ts";

const ROOT = join(import.meta.dirname, "../..");
const skip = await withoutServices("spark");

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let spark: Spark;
let session: SparkSession;

async function only(sql: string, parameters?: readonly SparkParameter[]): Promise<SparkRow> {
  const { rows } = await session.query(sql, parameters === undefined ? {} : { parameters });
  assert.equal(rows.length, 1);
  return rows[0]!;
}

describe("the Spark Connect client", { skip }, () => {
  before(async () => {
    folder = await temporaryFolder();
    spark = await startSpark({ folder: join(folder.path, "spark") });
    session = await openSpark({ remote: spark.remote });
  });
  after(async () => {
    await session?.close();
    await spark?.stop();
    await folder?.[Symbol.asyncDispose]();
  });

  describe("values", () => {
    const cases: readonly (readonly [string, string, unknown])[] = [
      ["true", "boolean", true],
      ["cast(-128 as tinyint)", "tinyint", -128],
      ["cast(-32768 as smallint)", "smallint", -32_768],
      ["-2147483648", "int", -2_147_483_648],
      ["-9223372036854775807L - 1", "bigint", -(2n ** 63n)],
      ["cast(1.5 as float)", "float", 1.5],
      ["double('NaN')", "double", Number.NaN],
      ["double('-0')", "double", -0],
      ["'ünï 🎉'", "string", "ünï 🎉"],
      ["X'00ff'", "binary", Uint8Array.of(0, 255)],
      ["cast('-0.05' as decimal(10,2))", "decimal(10,2)", "-0.05"],
      ["cast(repeat('9', 38) as decimal(38,0))", "decimal(38,0)", "9".repeat(38)],
      ["cast(concat('-0.', repeat('9', 38)) as decimal(38,38))", "decimal(38,38)", `-0.${"9".repeat(38)}`],
      ["date'2024-02-29'", "date", "2024-02-29"],
      ["date'1582-10-04'", "date", "1582-10-04"],
      ["timestamp'2024-02-29 12:34:56.123456'", "timestamp", 1_709_210_096_123_456n],
      ["timestamp'1969-12-31 23:59:59.999999'", "timestamp", -1n],
      ["timestamp'9999-12-31 23:59:59.999999'", "timestamp", 253_402_300_799_999_999n],
      ["timestamp_ntz'1970-01-01 00:00:00.000001'", "timestamp_ntz", 1n],
      ["interval '1 02:03:04.000005' day to second", "interval day to second", 93_784_000_005n],
      ["interval '-1-2' year to month", "interval year to month", -14],
      ["array(1, null, 3)", "array<int>", [1, null, 3]],
      [
        "map('a', 1L, 'b', null)",
        "map<string,bigint>",
        [
          ["a", 1n],
          ["b", null],
        ],
      ],
      ["named_struct('x', 1, 'y', array('z'))", "struct<x:int,y:array<string>>", { x: 1, y: ["z"] }],
      ["null", "void", null],
    ];

    test("each type comes back exact, and so does its null", async () => {
      const { columns, rows } = await session.query(`select ${cases.map(([sql]) => sql).join(", ")}`);
      assert.deepEqual(
        columns.map(({ type }) => type),
        cases.map(([, type]) => type),
      );
      assert.deepEqual(rows, [cases.map(([, , value]) => value)]);
      const nulls = cases.map(([sql]) => `if(id = 1, null, ${sql})`).join(", ");
      const answer = await session.query(`select ${nulls} from range(3) order by id`);
      assert.deepEqual(
        answer.rows[1],
        cases.map(() => null),
      );
      assert.deepEqual([answer.rows[0], answer.rows[2]], [rows[0], rows[0]]);
    });

    test("a long result comes in batches, whole and in order; an empty one has its columns", async () => {
      const ids: unknown[] = [];
      let batches = 0;
      for await (const { rows } of session.batches("select id, repeat('x', 100) from range(100000)")) {
        batches += 1;
        for (const [id] of rows) ids.push(id);
      }
      assert.ok(batches > 1);
      assert.deepEqual(
        ids,
        Array.from({ length: 100_000 }, (_, id) => BigInt(id)),
      );
      const empty = await session.query("select id as n from range(0)");
      assert.deepEqual(empty, { columns: [{ name: "n", type: "bigint" }], rows: [], truncated: false });
    });

    test("columns of one name are kept apart, and rows beyond the limit are left", async () => {
      const { columns, rows, truncated } = await session.query("select id as a, -id as a from range(9)", {
        rowsMax: 2,
      });
      assert.deepEqual(
        columns.map(({ name }) => name),
        ["a", "a"],
      );
      assert.deepEqual(
        [rows, truncated],
        [
          [
            [0n, 0n],
            [1n, -1n],
          ],
          true,
        ],
      );
      assert.equal((await session.query("select 1", { rowsMax: 1 })).truncated, false);
    });
  });

  describe("parameters", () => {
    const parameter = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("it's", "\\", "\\'", "'", '"', "`", "--", "/*", "?", ":a", "\0", "%_", "\r\n"),
      fc.double(),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array(),
    );

    for (const literalParameters of [false, true]) {
      const how = literalParameters ? "written into the text" : "beside the text";
      test(`any value ${how} comes back as it is`, async () => {
        await using own = await openSpark({ remote: spark.remote, literalParameters });
        await fc.assert(
          fc.asyncProperty(fc.array(parameter, { minLength: 1, maxLength: 30 }), async (parameters) => {
            const marks = parameters.map((_, place) => `? as c${place}`).join(", ");
            const { rows } = await own.query(`select '?', ${marks} -- ?`, { parameters });
            assert.deepEqual(rows, [["?", ...parameters]]);
          }),
          { numRuns: 15 },
        );
      });

      test(`times, dates and decimals ${how} keep their type and digits`, async () => {
        await using own = await openSpark({ remote: spark.remote, literalParameters });
        const parameters = {
          t: { timestampUs: -62_135_596_799_999_999n },
          d: { date: "0001-01-01" },
          n: { decimal: `-0.${"0".repeat(17)}1` },
        };
        const { columns, rows } = await own.query("select :t, :d, :n, :t", { parameters });
        assert.deepEqual(
          columns.map(({ type }) => type),
          ["timestamp", "date", "decimal(18,18)", "timestamp"],
        );
        const time = parameters.t.timestampUs;
        assert.deepEqual(rows, [[time, "0001-01-01", parameters.n.decimal, time]]);
      });
    }

    test("Delta takes them: a table is written, changed and read", async () => {
      const path = join(folder.path, "table");
      await session.run(`create table delta.\`${path}\` (room string, value double) using delta`);
      for (const [room, value] of [
        ["it's 1", 1.5],
        ["2", 2.5],
      ] as const) {
        await session.run(`insert into delta.\`${path}\` values (?, ?)`, { parameters: [room, value] });
      }
      await session.run(`delete from delta.\`${path}\` where room = :room`, { parameters: { room: "2" } });
      assert.deepEqual(await only(`select * from delta.\`${path}\``), ["it's 1", 1.5]);
      const { columns, rows } = await session.sql(`describe history delta.\`${path}\``);
      const operation = columns.findIndex(({ name }) => name === "operation");
      assert.deepEqual(
        rows.map((row) => row[operation]),
        ["DELETE", "WRITE", "WRITE", "CREATE TABLE"],
      );
    });
  });

  describe("errors", () => {
    for (const [sql, code, errorClass, sqlState] of [
      ["selec 1", "QUERY_INVALID", "PARSE_SYNTAX_ERROR", "42601"],
      ["select * from nowhere", "QUERY_INVALID", "TABLE_OR_VIEW_NOT_FOUND", "42P01"],
      ["select 1/0", "QUERY_INVALID", "DIVIDE_BY_ZERO", "22012"],
      ["select cast(concat('a', id) as int) from range(1)", "QUERY_INVALID", "CAST_INVALID_INPUT", "22018"],
      ["select raise_error('no')", "ENGINE_FAILED", "USER_RAISED_EXCEPTION", "P0001"],
    ] as const) {
      test(`${sql} fails with Spark's class ${errorClass} and SQLSTATE ${sqlState}`, async () => {
        await assert.rejects(session.query(sql), (error: Error & { code?: string; details?: object }) => {
          assert.deepEqual({ code, errorClass, sqlState }, { ...pick(error.details), code: error.code });
          assert.match(error.message, new RegExp(`^Spark: \\[${errorClass}\\] [^\\n]+$`));
          return true;
        });
      });
    }

    test("a message longer than the status of a call comes whole, with what it names", async () => {
      const text = `${"long ".repeat(300)}end`;
      await assert.rejects(
        session.query("select raise_error(?)", { parameters: [text] }),
        (error: Error & { details?: { messageParameters?: object } }) => {
          assert.ok(error.message.includes(text));
          assert.deepEqual(error.details?.messageParameters, { errorMessage: text });
          return true;
        },
      );
    });

    test("a server that is not there is unreachable, in the time that was given", async () => {
      const { free } = await freePorts(["free"]);
      await using lost = await openSpark({ remote: `sc://127.0.0.1:${free}`, reconnectMsMax: 100 });
      await assert.rejects(lost.query("select 1"), { code: "ENGINE_UNREACHABLE" });
      await assert.rejects(lost.settings(["a"]), { code: "ENGINE_UNREACHABLE" });
    });
  });

  test("the example of the documentation does what it says", async () => {
    const page = readFileSync(join(ROOT, "docs/extend/spark-connect.md"), "utf8");
    const [, example = ""] = /```ts\n(.*?)```/s.exec(page) ?? [];
    const file = join(folder.path, "example.mts");
    const text = example
      .replace("../src/", `${pathToFileURL(ROOT).href}/src/`)
      .replace("sc://127.0.0.1:15002", spark.remote);
    writeFileSync(file, text);
    const { stdout } = await mustRun(process.execPath, [file], { secondsMax: 120 });
    const [, printed = ""] = /console\.log\(rows\); \/\/ \[(.*)\]/.exec(example) ?? [];
    assert.equal(
      stdout.replace(/\s+/g, " ").trim(),
      `[ ${printed.replace(/^\["(.*?)", "(.*?)", /, `[ "$1", '$2', `).replace(/\]$/, " ]")} ] 1`,
    );
  });

  test("the checked-in messages are what spark-protos.ts makes of the server's own definitions", async () => {
    const made = join(folder.path, "proto");
    await mustRun(process.execPath, [join(ROOT, "services/spark-protos.ts"), made], { secondsMax: 120 });
    assert.deepEqual(textsIn(made), textsIn(join(ROOT, "src/adapters/spark/connect/proto")));
  });
});

function pick(details: object | undefined): object {
  const { errorClass, sqlState } = (details ?? {}) as { errorClass?: string; sqlState?: string };
  return { errorClass, sqlState };
}

function textsIn(root: string): Readonly<Record<string, string>> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map(({ parentPath, name }) => join(parentPath, name)).toSorted();
  return Object.fromEntries(paths.map((path) => [relative(root, path), readFileSync(path, "utf8")]));
}

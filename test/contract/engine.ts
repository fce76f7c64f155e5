// The contract of the engine port, for every adapter: what src/lakehouse/engine.ts says, shown.

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import type { Answer, Engine, FilesInput, RowsInput, WrittenFile } from "../../src/lakehouse/engine.ts";
import { isAtriumError, type ErrorCode } from "../../src/support/errors.ts";
import { temporaryFolder } from "../support/program.ts";

/** Opens the adapter with `folder` as the place that its queries may read. */
export type OpenEngine = (folder: string) => Engine;

/** What an adapter does not do like the others. */
export interface EngineTraits {
  /** It writes straight into the lake: disposing removes nothing. */
  readonly writesInPlace?: boolean;
}

const TIMEOUT_MS = 60_000;
const MICROS = 1377299108123456n;

const COLUMNS = [
  { name: "day", type: "date" },
  { name: "room", type: "string" },
  { name: "text", type: "string" },
  { name: "whole", type: "long" },
  { name: "small", type: "integer" },
  { name: "real", type: "double" },
  { name: "moment", type: "timestamp" },
  { name: "flag", type: "boolean" },
  { name: "bytes", type: "binary" },
] as const;
const PARTITIONS = ["day", "room"];

const ODD_ROOM = "4/1 3%=é";

const rows: RowsInput = {
  kind: "rows",
  name: "source",
  rowCount: 3,
  columns: [
    { name: "room", type: "string", values: ["413", ODD_ROOM, "413"] },
    { name: "text", type: "string", values: ["it's", null, "ümlaut\n"] },
    { name: "whole", type: "long", values: BigInt64Array.of(1n, -2n, 2n ** 60n) },
    { name: "small", type: "integer", values: Int32Array.of(1, -2, 3) },
    { name: "real", type: "double", values: Float64Array.of(0.1, -0.5, 1e300) },
    { name: "moment", type: "timestamp", values: BigInt64Array.of(MICROS, 0n, MICROS + 1n) },
    { name: "bytes", type: "binary", values: [Uint8Array.of(0, 255, 10), null, Uint8Array.of()] },
  ],
};

const SQL = `select cast(moment as date) as day, room, text, whole, small, real, moment, small > 0 as flag, bytes from source`;

async function withEngine(
  open: OpenEngine,
  work: (engine: Engine, folder: string) => Promise<void>,
): Promise<void> {
  await using folder = await temporaryFolder();
  await using engine = open(folder.path);
  await work(engine, folder.path);
}

function filesInput(files: readonly Pick<WrittenFile, "path" | "partitionValues">[]): FilesInput {
  return { kind: "files", name: "made", columns: COLUMNS, partitionColumns: PARTITIONS, files };
}

async function ask(
  engine: Engine,
  sql: string,
  inputs: readonly (RowsInput | FilesInput)[] = [],
): Promise<Answer> {
  return engine.query({ sql, inputs, rowsMax: 100, timeoutMs: TIMEOUT_MS });
}

async function failsWith(code: ErrorCode, work: Promise<unknown>): Promise<void> {
  await assert.rejects(
    work,
    (error) => isAtriumError(error, code) || assert.fail(`expected ${code}, got ${String(error)}`),
  );
}

/** Registers the suite for one adapter. */
export function engineContract(
  name: string,
  open: OpenEngine,
  { writesInPlace = false }: EngineTraits = {},
): void {
  const contract = (title: string, work: (engine: Engine, folder: string) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => withEngine(open, work));
  };

  contract("rows of every type come back from files cell by cell", async (engine) => {
    await using written = await engine.write({
      sql: SQL,
      inputs: [rows],
      columns: COLUMNS,
      partitionColumns: PARTITIONS,
      into: "t",
    });
    assert.equal(
      written.files.reduce((sum, file) => sum + file.rowCount, 0),
      3,
    );
    const answer = await ask(engine, "select * from made order by whole", [filesInput(written.files)]);
    assert.deepEqual(answer.rows, [
      ["1970-01-01", ODD_ROOM, null, -2, -2, -0.5, "1970-01-01T00:00:00Z", false, null],
      ["2013-08-23", "413", "it's", 1, 1, 0.1, "2013-08-23T23:05:08.123456Z", true, "AP8K"],
      ["2013-08-23", "413", "ümlaut\n", String(2n ** 60n), 3, 1e300, "2013-08-23T23:05:08.123457Z", true, ""],
    ]);
  });

  contract("every file tells its rows, size, partition values and statistics", async (engine) => {
    await using written = await engine.write({
      sql: SQL,
      inputs: [rows],
      columns: COLUMNS,
      partitionColumns: PARTITIONS,
      into: "t",
    });
    const odd = written.files.find((file) => file.partitionValues["room"] === ODD_ROOM);
    assert.deepEqual(odd?.partitionValues, { day: "1970-01-01", room: ODD_ROOM });
    assert.ok((odd?.sizeBytes ?? 0) > 0);
    assert.deepEqual(odd?.columns["small"], { nullCount: 0, hasNan: false, min: "-2", max: "-2" });
    assert.deepEqual(odd?.columns["text"], { nullCount: 1, hasNan: false });
  });

  contract("a transform without partition columns writes one file, all columns in it", async (engine) => {
    await using written = await engine.write({
      sql: SQL,
      inputs: [rows],
      columns: COLUMNS,
      partitionColumns: [],
      into: "t",
      orderBy: ["room", "whole"],
    });
    const [file, ...others] = written.files;
    assert.deepEqual([others, file?.rowCount, file?.partitionValues], [[], 3, {}]);
    assert.deepEqual(file?.columns["whole"], {
      nullCount: 0,
      hasNan: false,
      min: "-2",
      max: String(2n ** 60n),
    });
    const made: FilesInput = { ...filesInput(written.files), partitionColumns: [] };
    const answer = await ask(engine, "select day, room, whole from made order by whole", [made]);
    assert.deepEqual(answer.rows[0], ["1970-01-01", ODD_ROOM, -2]);
  });

  contract("files in folders of other names are read by their partition values", async (engine, folder) => {
    await using written = await engine.write({
      sql: SQL,
      inputs: [rows],
      columns: COLUMNS,
      partitionColumns: PARTITIONS,
      into: "t",
    });
    const moved = await Promise.all(
      written.files.map(async (file, index) => {
        const path = join(folder, `plain/${index}.parquet`);
        await mkdir(dirname(path), { recursive: true });
        await rename(resolve(folder, file.path), path);
        return { path, partitionValues: file.partitionValues };
      }),
    );
    const answer = await ask(engine, "select day, room, count(*) from made group by all order by all", [
      filesInput(moved),
    ]);
    assert.deepEqual(answer.rows, [
      ["1970-01-01", ODD_ROOM, 1],
      ["2013-08-23", "413", 2],
    ]);
  });

  contract("a bulk query answers what any other does", async (engine) => {
    await using written = await engine.write({
      sql: SQL,
      inputs: [rows],
      columns: COLUMNS,
      partitionColumns: PARTITIONS,
      into: "t",
    });
    const query = {
      sql: `select day, room, text, whole, small, real, moment, flag, bytes, (select count(distinct (room, day)) from made) as places
        from made order by small`,
      inputs: [filesInput(written.files)],
      rowsMax: 2,
      timeoutMs: TIMEOUT_MS,
    };
    const plain = await engine.query(query);
    const bulk = await engine.query({ ...query, isBulk: true });
    assert.deepEqual(bulk.rows, plain.rows);
    assert.deepEqual(
      [bulk.truncated, bulk.columns.map((column) => column.name)],
      [true, plain.columns.map((column) => column.name)],
    );
    await failsWith(
      "QUERY_INVALID",
      engine.query({ ...query, sql: "select nonsense from made", isBulk: true }),
    );
  });

  contract(
    "an input that is gone or damaged is named, and nothing is left of what it was for",
    async (engine, folder) => {
      await using written = await engine.write({
        sql: SQL,
        inputs: [rows],
        columns: COLUMNS,
        partitionColumns: PARTITIONS,
        into: "t",
      });
      const [first] = written.files;
      assert.ok(first);
      const again = (file: WrittenFile) => ({
        sql: "select * from made",
        inputs: [filesInput([file])],
        columns: COLUMNS,
        partitionColumns: PARTITIONS,
        into: "u",
      });
      await writeFile(resolve(folder, first.path), "no parquet, but long enough to be looked into");
      const named = async (work: Promise<unknown>): Promise<void> =>
        assert.rejects(
          work,
          (error) => isAtriumError(error, "TABLE_CORRUPT") && error.message.includes(first.path),
        );
      await named(engine.write(again(first)));
      await rm(resolve(folder, first.path));
      await named(engine.write(again(first)));
      const left = existsSync(join(folder, "u"))
        ? readdirSync(join(folder, "u"), { recursive: true, encoding: "utf8" })
        : [];
      assert.deepEqual(
        left.filter((path) => path.endsWith(".parquet")),
        [],
      );
    },
  );

  contract("a table without files is empty, with its columns and types", async (engine) => {
    const answer = await ask(engine, "select * from made", [filesInput([])]);
    assert.deepEqual(answer.rows, []);
    assert.deepEqual(
      answer.columns.map((column) => column.name),
      COLUMNS.map((column) => column.name),
    );
  });

  contract("a transform without rows gives no file", async (engine) => {
    await using written = await engine.write({
      sql: `${SQL} where false`,
      inputs: [rows],
      columns: COLUMNS,
      partitionColumns: PARTITIONS,
      into: "t",
    });
    assert.deepEqual(written.files, []);
  });

  contract(
    "the files are gone once the result is disposed, and after a transform that failed",
    async (engine, folder) => {
      const written = await engine.write({
        sql: SQL,
        inputs: [rows],
        columns: COLUMNS,
        partitionColumns: PARTITIONS,
        into: "t",
      });
      const paths = written.files.map((file) => resolve(folder, file.path));
      assert.ok(paths.length > 0 && paths.every((path) => existsSync(path)));
      await written[Symbol.asyncDispose]();
      assert.ok(paths.every((path) => existsSync(path) === writesInPlace));
      await failsWith(
        "ENGINE_FAILED",
        engine.write({
          sql: "select nonsense",
          inputs: [rows],
          columns: COLUMNS,
          partitionColumns: PARTITIONS,
          into: "t",
        }),
      );
    },
  );

  contract("calls side by side see their own inputs only", async (engine) => {
    const one = (value: number): RowsInput => ({
      kind: "rows",
      name: "source",
      rowCount: 1,
      columns: [{ name: "value", type: "integer", values: Int32Array.of(value) }],
    });
    const answers = await Promise.all(
      [1, 2, 3, 4, 5].map(async (value) => ask(engine, "select value from source", [one(value)])),
    );
    assert.deepEqual(
      answers.map((answer) => answer.rows[0]?.[0]),
      [1, 2, 3, 4, 5],
    );
    await failsWith("QUERY_INVALID", ask(engine, "select value from source"));
  });

  contract("an answer stops at its limit and says so", async (engine) => {
    const query = { sql: "select * from range(10) numbers(n)", inputs: [], timeoutMs: TIMEOUT_MS };
    const cut = await engine.query({ ...query, rowsMax: 9 });
    assert.deepEqual([cut.rows.length, cut.truncated], [9, true]);
    const whole = await engine.query({ ...query, rowsMax: 10 });
    assert.deepEqual([whole.rows.length, whole.truncated], [10, false]);
  });

  contract("parameters are values, whatever they hold", async (engine) => {
    const answer = await engine.query({
      sql: "select $text as text, $number + 1 as number, $nothing is null as nothing",
      inputs: [],
      parameters: { text: "'; drop table x; --", number: 41, nothing: null },
      rowsMax: 1,
      timeoutMs: TIMEOUT_MS,
    });
    assert.deepEqual(answer.rows, [["'; drop table x; --", 42, true]]);
  });

  for (const sql of [
    "selekt 1",
    "select 1; select 2",
    "",
    "create table t (a integer)",
    "copy (select 1) to 'out.csv'",
    "attach 'other.db'",
    "set threads = 1",
    "insert into made values (1)",
    "select * from read_text('/etc/hostname')",
    "select cast('x' as integer)",
  ]) {
    contract(`a query that is wrong or more than a query is refused: ${sql}`, async (engine) => {
      await failsWith("QUERY_INVALID", ask(engine, sql));
    });
  }

  contract("a query can read the lake's folder but no other one", async (engine, folder) => {
    await using other = await temporaryFolder();
    await writeFile(join(other.path, "secret.csv"), "a\n1\n");
    await writeFile(join(folder, "own.csv"), "a\n1\n");
    assert.deepEqual((await ask(engine, `select * from read_csv('${join(folder, "own.csv")}')`)).rows, [[1]]);
    await failsWith(
      "QUERY_INVALID",
      ask(engine, `select * from read_csv('${join(other.path, "secret.csv")}')`),
    );
  });

  contract("a query that takes too long, or whose caller has gone, is stopped", async (engine) => {
    const sql =
      "select count(*) from range(1000000) a, range(1000000) b, range(1000) c where (a.range * b.range) % 7 = c.range";
    await failsWith("QUERY_TIMEOUT", engine.query({ sql, inputs: [], rowsMax: 1, timeoutMs: 50 }));
    const caller = new AbortController();
    const asked = engine.query({ sql, inputs: [], rowsMax: 1, timeoutMs: TIMEOUT_MS }, caller.signal);
    caller.abort();
    await failsWith("QUERY_TIMEOUT", asked);
    assert.deepEqual((await ask(engine, "select 1")).rows, [[1]]);
  });
}

// spark-sql reads every table of a lake that DuckDB wrote, in versions new and old, and Atrium reads every table that Spark wrote.

import assert from "node:assert/strict";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { installService } from "../../services/running.ts";
import { sparkSql } from "../../services/spark-sql.ts";
import { spark } from "../../services/spark.ts";
import { atrium, done, temporaryFolder } from "../support/program.ts";
import { withoutServices } from "../support/services.ts";

const skip = await withoutServices("spark");
/** Columns to be summed. */
const TABLES = {
  "bronze/readings": ["value", "offset", "ts_unix"],
  "bronze/rejected": ["offset"],
  "silver/readings": ["value_raw", "value_clean", "ts_unix", "offset"],
  "gold/sensor_hourly": ["nb_readings", "nb_valid", "value_avg", "value_std", "coverage"],
  "gold/sensor_daily": ["nb_readings", "nb_valid", "value_avg"],
  "gold/room_daily": ["temp_avg", "co2_max", "comfort_score", "occupancy_rate", "revision"],
  "gold/restatements": ["value_before", "value_after", "revision"],
} as const;
type Table = keyof typeof TABLES;
const NAMES = Object.keys(TABLES) as Table[];

/** A table at a version: its count and sums, null for none. */
type Sums = readonly (number | null)[];

describe("spark-sql and Atrium", { skip }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let lake = "";

  before(async () => {
    folder = await temporaryFolder();
    await installService(spark, () => undefined);
    lake = join(folder.path, "lake");
    const raw = join(folder.path, "raw");
    await done(["generate", "--rooms", "2", "--days", "2", "--seed", "1", "--faults", "--out", raw]);
    await run(["run", "--raw", raw, "--batch-rows", "50000"]);
  });
  after(async () => folder?.[Symbol.asyncDispose]());

  async function run(args: readonly string[], at = lake): Promise<string> {
    return done([...args, "--lake", at], { env: { LOG_LEVEL: "error" }, cwd: folder.path });
  }

  async function versionOf(table: Table): Promise<number> {
    const logs = JSON.parse(await run(["table", "list", "--json"])) as { table: string; version: number }[];
    return logs.find((row) => row.table === table)?.version ?? -1;
  }

  async function byAtrium(table: Table, at: string, version?: number): Promise<Sums> {
    const asOf = version === undefined ? [] : ["--as-of", String(version)];
    const sql = `select count(*), ${sumsOf(table)} from ${table.replace("/", "_")}`;
    const [row] = JSON.parse(await run(["sql", "--json", ...asOf, sql], at)) as Record<
      string,
      number | null
    >[];
    return Object.values(row ?? {});
  }

  /** Spark and Atrium agree about the newest and an older version of every table. */
  async function agree(): Promise<void> {
    const asked: { readonly table: Table; readonly version: number }[] = [];
    for (const table of NAMES) {
      const newest = await versionOf(table);
      if (newest < 0) continue;
      for (const version of new Set([newest, Math.max(0, newest - 1)])) asked.push({ table, version });
    }
    assert.ok(asked.length > NAMES.length, "versions to compare");
    const lines = await sparkSql(
      asked.map(
        ({ table, version }) =>
          `select count(*), ${sumsOf(table)} from delta.\`${lake}/${table}\` version as of ${version}`,
      ),
      { folder: folder.path },
    );
    assert.equal(lines.length, asked.length);
    for (const [index, { table, version }] of asked.entries()) {
      // After an erasure the files of older versions may be gone, for both.
      near(parsed(lines[index]), await byAtrium(table, lake, version), `${table} version ${version}`);
    }
  }

  test("every table as it is made", agree);

  test("every table after late readings and a restatement", async () => {
    const late = join(folder.path, "late");
    const csv = await run([
      "sql",
      "--csv",
      "select room, ts_unix + 2, value_raw + 400 from silver_readings where sensor_type = 'co2' and is_valid and ts_unix % 600 < 60 order by 1, 2",
    ]);
    const rows = csv
      .trim()
      .split(/\r?\n/)
      .slice(1)
      .map((line) => line.split(","));
    const [room] = rows[0]!;
    await mkdir(join(late, room!), { recursive: true });
    const lines = rows.filter(([of]) => of === room).map(([, ts, value]) => `${ts},${value}`);
    await writeFile(join(late, room!, "co2.csv"), `${lines.join("\n")}\n`);
    await run(["run", "--raw", late, "--restart"]);
    assert.ok((await byAtrium("gold/restatements", lake))[0]! > 0);
    await agree();
  });

  test("every table after compaction", async () => {
    await run(["table", "compact"]);
    await agree();
  });

  test("every table after an erasure, which ends with a checkpoint", async () => {
    const rooms = JSON.parse(
      await run(["sql", "--json", "select distinct room from silver_readings order by 1"]),
    ) as { room: string }[];
    await run(["erase", "--room", rooms.at(-1)!.room, "--yes"]);
    const last = await readFile(join(lake, "bronze/readings/_delta_log/_last_checkpoint"), "utf8");
    assert.match(last, /"version":\d+/);
    const lines = await sparkSql(
      NAMES.map((table) => `select count(*), ${sumsOf(table)} from delta.\`${lake}/${table}\``),
      { folder: folder.path },
    );
    for (const [index, table] of NAMES.entries()) {
      near(parsed(lines[index]), await byAtrium(table, lake), table);
    }
  });

  test("Atrium reads every table after Spark has deleted, inserted, updated and compacted in it", async () => {
    const other = join(folder.path, "other");
    await cp(lake, other, { recursive: true });
    const statements = NAMES.flatMap((table) => {
      const [here, there] = [`delta.\`${other}/${table}\``, `delta.\`${lake}/${table}\``];
      const [column] = TABLES[table];
      const half = `(abs(hash("${column}")) % 2 = 0)`;
      return [
        `delete from ${here} where ${half}`,
        `insert into ${here} select * from ${there} where ${half}`,
        // Each costs some seconds a table.
        ...(table.startsWith("silver") ? [`update ${here} set "${column}" = "${column}" where ${half}`] : []),
        ...(table.startsWith("gold") ? [] : [`optimize ${here}`]),
      ];
    });
    await sparkSql(statements, { folder: folder.path });
    for (const table of NAMES) {
      near(await byAtrium(table, other), await byAtrium(table, lake), table);
    }
    const diff = await atrium(["table", "diff", "silver/readings", "--lake", lake, "--with", other], {
      env: { LOG_LEVEL: "error" },
      cwd: folder.path,
    });
    assert.equal(diff.code, 0, diff.stdout + diff.stderr);
  });
});

function sumsOf(table: Table): string {
  return TABLES[table].map((name) => `sum(cast("${name}" as double)) as "${name}"`).join(", ");
}

function parsed(line = ""): Sums {
  return line.split("\t").map((value) => (value === "NULL" ? null : Number(value)));
}

/** Counts are equal, and sums of doubles but for the order in which they were added. */
function near(found: Sums, wanted: Sums, what: string): void {
  assert.equal(found.length, wanted.length, what);
  for (const [place, value] of wanted.entries()) {
    const other = found[place];
    const isSame =
      value === null || other === null || other === undefined
        ? value === other
        : Math.abs(value - other) <= Math.max(1e-6, Math.abs(value) * 1e-9);
    assert.ok(isSame, `${what}, column ${place}: ${other} is not ${value}`);
  }
}

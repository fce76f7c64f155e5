// Damage to data files and rows, made by hand: verification finds it, names it, and says the way out.

import assert from "node:assert/strict";
import { readFile, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  damageOf,
  dataFiles,
  editAdd,
  editFirstAdd,
  pick,
  rewrite,
  rowsIn,
  verified,
} from "../../support/damaged-lake.ts";
import { makeReference, type Reference } from "../../support/lake-folder.ts";

/** The rows of a file in the order of their positions, as n. */
const NUMBERED = `with numbered as (select *, row_number() over (order by topic, "partition", "offset") as n from data)`;

let made: Reference;
const { copy: damagedCopy, finds } = damageOf(() => made);

before(async () => {
  made = await makeReference(
    ["--rooms", "1", "--days", "2", "--seed", "5", "--faults"],
    ["--batch-rows", "20000"],
  );
});
after(async () => made.folder[Symbol.asyncDispose]());

test("a good lake is well, with its faulty readings, duplicates and rejected messages", async () => {
  const { findings, tables } = await verified(made.reference);
  assert.deepEqual(findings, []);
  assert.ok(tables.every(({ table, rows }) => rows > 0 || table === "gold/restatements"));
});

describe("a data file", () => {
  for (const table of ["bronze/readings", "bronze/rejected", "silver/readings", "gold/room_daily"] as const) {
    test(`of ${table} that was deleted is named`, async () => {
      await finds("file_missing", {
        table,
        pattern: /\.parquet/,
        damage: async (lake) => rm(pick(await dataFiles(lake, table))),
      });
    });
  }

  test("that was cut short is named with both sizes", async () => {
    const damage = async (lake: string): Promise<void> => {
      const file = pick(await dataFiles(lake, "silver/readings"));
      await truncate(file, (await stat(file)).size - 100);
    };
    await finds("file_size", {
      table: "silver/readings",
      pattern: /bytes.*bytes.*table rebuild silver/,
      damage,
    });
  });

  test("with its end overwritten cannot be read, and is named; the days of other files are still compared", async () => {
    const findings = await finds("file_unreadable", {
      table: "silver/readings",
      pattern: /\.parquet.*table rebuild silver\/readings/,
      damage: async (lake) => {
        const file = pick(await dataFiles(lake, "silver/readings"));
        const bytes = await readFile(file);
        await writeFile(file, bytes.fill(0x41, bytes.length - 2000));
      },
    });
    assert.ok(findings.some(({ kind }) => kind === "not_compared"));
    assert.ok(!findings.some(({ kind }) => kind === "silver_missing"));
  });

  test("with bytes flipped in its middle is found, wherever they are", async () => {
    for (const part of [0.2, 0.4, 0.6, 0.8]) {
      const lake = await damagedCopy();
      const file = pick(await dataFiles(lake, "silver/readings"));
      const bytes = await readFile(file);
      const start = Math.floor(bytes.length * part);
      for (let at = start; at < start + 8; at += 1) bytes[at] = ~(bytes[at] ?? 0);
      await writeFile(file, bytes);
      const { findings } = await verified(lake);
      assert.ok(
        findings.some((finding) => finding.isFault && finding.table === "silver/readings"),
        `at ${part}`,
      );
    }
  });

  test("that was swapped with another one is named", async () => {
    await finds("file_size", {
      table: "bronze/readings",
      pattern: /\.parquet/,
      damage: async (lake) => {
        const files = await dataFiles(lake, "bronze/readings");
        const [a, b] = [pick(files, "sensor_type=co2"), pick(files, "sensor_type=pir")];
        await rename(a, `${a}.away`);
        await rename(b, a);
        await rename(`${a}.away`, b);
      },
    });
  });

  test("with another number of rows than its statistics say is named", async () => {
    await finds("rows_differ", {
      table: "silver/readings",
      pattern: /rows, and its statistics say/,
      damage: async (lake) => {
        const file = pick(await dataFiles(lake, "silver/readings"));
        await rewrite(lake, { table: "silver/readings", file, sql: "select * from data limit 10" });
      },
    });
  });

  test("whose statistics are too narrow is named: queries would leave out its rows", async () => {
    await finds("statistics_wrong", {
      table: "silver/readings",
      pattern: /ts_utc reaches .*above/,
      damage: async (lake) => {
        await editAdd(lake, "silver/readings", (stats) => {
          (stats["maxValues"] as Record<string, unknown>)["ts_utc"] = "2000-01-01T00:00:00.000Z";
        });
      },
    });
  });

  test("that is filed under another day is named", async () => {
    await finds("partition_wrong", {
      table: "silver/readings",
      pattern: /its day is 2001-01-01/,
      damage: async (lake) => {
        await editFirstAdd(lake, "silver/readings", (add) => {
          add["partitionValues"] = { event_date: "2001-01-01" };
        });
      },
    });
  });

  test("that no version holds is a note, and all is well", async () => {
    const lake = await damagedCopy();
    await writeFile(join(lake, "silver/readings/event_date=2013-08-23-left.parquet"), "left over");
    const { findings } = await verified(lake);
    assert.deepEqual(
      findings.map(({ kind, isFault }) => [kind, isFault]),
      [["orphans", false]],
    );
  });
});

describe("a row", () => {
  const silver = "silver/readings" as const;
  const rewriteSilver =
    (sql: string, more = 0) =>
    async (lake: string): Promise<void> => {
      const file = pick(await dataFiles(lake, silver));
      const rows = await rowsIn(lake, file);
      await rewrite(lake, { table: silver, file, sql, rows: rows + more });
    };

  test("of silver with another value is found by its message in bronze", async () => {
    await finds("silver_wrong", {
      table: silver,
      pattern: /1 row .*differ.*rebuild/,
      damage: rewriteSilver(
        `${NUMBERED} select * exclude (n) replace (if(n = 2, value_raw + 0.001, value_raw) as value_raw) from numbered`,
      ),
    });
  });

  test("of silver that is missing is found by its key in bronze", async () => {
    const findings = await finds("silver_missing", {
      table: silver,
      pattern: /1 row .*missing/,
      damage: rewriteSilver(`${NUMBERED} select * exclude (n) from numbered where n <> 2`, -1),
    });
    assert.ok(!findings.some(({ kind }) => kind === "silver_wrong"));
  });

  test("of silver that is there twice is found", async () => {
    await finds("silver_twice", {
      table: silver,
      pattern: /1 row .*more than once/,
      damage: rewriteSilver("select * from data union all (select * from data limit 1)", 1),
    });
  });

  test("of gold that was altered is found, with the cell and both values", async () => {
    await finds("gold_wrong", {
      table: "gold/room_daily",
      pattern: /co2_avg is 1, and should be \d/,
      damage: async (lake) => {
        const file = pick(await dataFiles(lake, "gold/room_daily"));
        const sql = "select * replace (1.0::double as co2_avg) from data";
        await rewrite(lake, { table: "gold/room_daily", file, sql });
        await editAdd(lake, "gold/room_daily", (stats) => {
          delete stats["minValues"];
        });
      },
    });
  });

  test("of bronze that is missing is found by the gap in its offsets", async () => {
    await finds("position_gap", {
      table: "bronze/readings",
      pattern: /lacks 1 message/,
      damage: async (lake) => {
        const file = pick(await dataFiles(lake, "bronze/readings"));
        const rows = await rowsIn(lake, file, "bronze/readings");
        const sql = `${NUMBERED} select * exclude (n) from numbered where n <> 2`;
        await rewrite(lake, { table: "bronze/readings", file, sql, rows: rows - 1 });
      },
    });
  });

  test("of bronze that is there twice is found by its offset", async () => {
    await finds("position_twice", {
      table: "bronze/readings",
      pattern: /more than once/,
      damage: async (lake) => {
        const file = pick(await dataFiles(lake, "bronze/readings"));
        const rows = await rowsIn(lake, file, "bronze/readings");
        const sql = "select * from data union all (select * from data limit 1)";
        await rewrite(lake, { table: "bronze/readings", file, sql, rows: rows + 1 });
      },
    });
  });
});

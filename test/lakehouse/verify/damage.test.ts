// Damage made by hand, one kind a test: verification finds it, names it, and says the way out.

import assert from "node:assert/strict";
import { readFile, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Finding, FindingKind } from "../../../src/lakehouse/verify/finding.ts";
import type { TableName } from "../../../src/reading/tables.ts";
import {
  actionsOf,
  commitFile,
  copyOf,
  dataFiles,
  editCommit,
  newestVersion,
  pick,
  rewrite,
  verified,
  withLake,
} from "../../support/damaged-lake.ts";
import { makeReference, type Reference } from "../../support/lake-folder.ts";

/** The rows of a file in the order of their positions, as n. */
const NUMBERED = `with numbered as (select *, row_number() over (order by topic, "partition", "offset") as n from data)`;

let made: Reference;
let count = 0;

before(async () => {
  made = await makeReference(
    ["--rooms", "1", "--days", "2", "--seed", "5", "--faults"],
    ["--batch-rows", "20000"],
  );
});
after(async () => made.folder[Symbol.asyncDispose]());

async function damagedCopy(): Promise<string> {
  count += 1;
  return copyOf(made.reference, join(made.folder.path, `damaged-${count}`));
}

/** Damages a copy of the lake; there must be a fault of that kind that names the table and says `pattern`. */
async function finds(
  kind: FindingKind,
  {
    table,
    pattern,
    damage,
  }: { table: TableName | "log"; pattern: RegExp; damage: (lake: string) => Promise<void> },
): Promise<readonly Finding[]> {
  const lake = await damagedCopy();
  await damage(lake);
  const { findings } = await verified(lake);
  const found = findings.filter((finding) => finding.kind === kind && finding.table === table);
  assert.ok(found.length > 0, `${kind} of ${table} among ${JSON.stringify(findings, null, 1)}`);
  for (const finding of found) {
    assert.ok(finding.isFault);
    assert.match(`${finding.what} ${finding.file ?? ""} ${finding.mend}`, pattern);
    assert.match(finding.mend, /atrium |Restore|Delete|Bring|recovery\.md/);
  }
  await rm(lake, { recursive: true });
  return findings;
}

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

describe("a commit", () => {
  test("that was deleted from the middle is named, and the other tables are looked at all the same", async () => {
    const findings = await finds("commit_missing", {
      table: "silver/readings",
      pattern: /00000001\.json/,
      damage: async (lake) => rm(commitFile(lake, "silver/readings", 1)),
    });
    assert.ok(findings.some(({ kind }) => kind === "table_unreadable"));
    assert.ok(!findings.some(({ table, kind }) => table === "bronze/readings" && kind.startsWith("file")));
  });

  test("that was the newest of bronze and was deleted is found by silver's position", async () => {
    await finds("position_ahead", {
      table: "silver/readings",
      pattern: /has taken version \d+ of bronze\/readings, whose newest is/,
      damage: async (lake) =>
        rm(commitFile(lake, "bronze/readings", await newestVersion(lake, "bronze/readings"))),
    });
  });

  test("that was cut in the middle of a line, or at the end of one, is named", async () => {
    for (const keep of [
      (text: string) => text.slice(0, -20),
      (text: string) => `${text.split("\n")[0]}\n`,
      () => "",
    ]) {
      await finds("commit_damaged", {
        table: "silver/readings",
        pattern: /00000001\.json/,
        damage: async (lake) => {
          const file = commitFile(lake, "silver/readings", 1);
          await writeFile(file, keep(await readFile(file, "utf8")));
        },
      });
    }
  });

  test("of bronze from which a file was dropped is found by its rows", async () => {
    const findings = await finds("position_gap", {
      table: "bronze/readings",
      pattern: /lacks|has no row/,
      damage: async (lake) => {
        await editCommit(commitFile(lake, "bronze/readings", 1), (actions) => {
          const at = actions.findIndex((action) => action["add"] !== undefined);
          return actions.filter((_, index) => index !== at);
        });
      },
    });
    assert.ok(findings.some(({ kind }) => kind === "silver_wrong"));
    assert.ok(findings.some(({ kind }) => kind === "orphans"));
  });

  test("of gold from which a day was dropped is found by the silver of that day", async () => {
    await finds("gold_wrong", {
      table: "gold/room_daily",
      pattern: /is missing/,
      damage: async (lake) => {
        await editCommit(commitFile(lake, "gold/room_daily", 1), (actions) => {
          const at = actions.findIndex((action) => action["add"] !== undefined);
          return actions.filter((_, index) => index !== at);
        });
      },
    });
  });

  test("whose position was lowered below that of an earlier commit is named", async () => {
    await finds("commit_contradicts", {
      table: "silver/readings",
      pattern: /moves the position refine:bronze\/readings from/,
      damage: async (lake) => setPosition(lake, "silver/readings", 0),
    });
  });

  test("whose position was raised beyond the rows that came is found", async () => {
    await finds("position_ahead", {
      table: "silver/readings",
      pattern: /has taken version 99/,
      damage: async (lake) => setPosition(lake, "silver/readings", 99),
    });
    await finds("position_gap", {
      table: "bronze/readings",
      pattern: /position is 9999999/,
      damage: async (lake) => setPosition(lake, "bronze/readings", 9_999_999),
    });
  });
});

describe("a checkpoint", () => {
  /** Commits to silver until it has a checkpoint, as many versions do. */
  const withCheckpoint = async (lake: string): Promise<string> => {
    const path = "silver/readings/_delta_log/00000000000000000100.checkpoint.parquet";
    await withLake(lake, async (opened) => {
      const table = opened.table("silver/readings");
      for (let head = await table.snapshot(); head !== undefined && head.version < 101;) {
        head = await table.commit({
          base: head,
          adds: [],
          removes: [],
          txns: new Map(),
          operation: "TEST",
          isolation: { kind: "append" },
          dataChange: true,
        });
      }
    });
    return join(lake, path);
  };

  test("that is whole is well", async () => {
    const lake = await damagedCopy();
    await withCheckpoint(lake);
    assert.deepEqual((await verified(lake)).findings, []);
  });

  test("that cannot be read is named; the table is read without it", async () => {
    const findings = await finds("checkpoint_damaged", {
      table: "silver/readings",
      pattern: /100\.checkpoint\.parquet.*Delete/,
      damage: async (lake) => writeFile(await withCheckpoint(lake), "no Parquet"),
    });
    assert.equal(findings.length, 1);
  });

  test("that says something else than the commits before it is named", async () => {
    await finds("checkpoint_differs", {
      table: "silver/readings",
      pattern: /other files/,
      damage: async (lake) => {
        await withCheckpoint(lake);
        await editCommit(commitFile(lake, "silver/readings", 1), (actions) =>
          actions.map((action) =>
            action["add"] === undefined ? action : { add: { ...action["add"], size: 1 } },
          ),
        );
      },
    });
  });

  test("that the hint names and that is not there is named", async () => {
    await finds("hint_wrong", {
      table: "silver/readings",
      pattern: /names checkpoint 100.*_last_checkpoint.*Delete/,
      damage: async (lake) => rm(await withCheckpoint(lake)),
    });
  });
});

describe("the log", () => {
  test("that is behind the lake is found", async () => {
    await finds("position_ahead", {
      table: "log",
      pattern: /Bronze goes on with offset .* and the log holds offsets/,
      damage: async (lake) => {
        const { DatabaseSync } = await import("node:sqlite");
        const db = new DatabaseSync(join(lake, "_log", "log.db"));
        db.exec("delete from batch");
        db.exec("update topic_partition set start_offset = 0, next_offset = 0, released_offset = 0");
        db.close();
      },
    });
  });

  test("that is cut short is found", async () => {
    await finds("log_unreadable", {
      table: "log",
      pattern: /log\.db.*recovery\.md/s,
      damage: async (lake) => truncate(join(lake, "_log", "log.db"), 5000),
    });
  });

  test("that is not there is no fault", async () => {
    const lake = await damagedCopy();
    await rm(join(lake, "_log"), { recursive: true });
    assert.deepEqual((await verified(lake)).findings, []);
  });
});

test("a lake whose silver and gold are behind is well, and says how far behind", async () => {
  const lake = await damagedCopy();
  const newest = await newestVersion(lake, "silver/readings");
  await rm(commitFile(lake, "silver/readings", newest));
  for (const table of ["gold/sensor_hourly", "gold/sensor_daily", "gold/room_daily"] as const) {
    await rm(join(lake, table), { recursive: true });
  }
  const { findings } = await verified(lake);
  assert.deepEqual(
    findings.filter(({ isFault }) => isFault),
    [],
  );
  assert.ok(findings.some(({ kind }) => kind === "behind"));
});

test("with quick no row is read, so a wrong value stays; with a table only that one is judged", async () => {
  const lake = await damagedCopy();
  await rm(pick(await dataFiles(lake, "gold/room_daily")));
  await rm(pick(await dataFiles(lake, "bronze/rejected")));
  const quick = await verified(lake, { quick: true });
  assert.deepEqual(
    quick.findings.map(({ kind }) => kind),
    ["file_missing", "file_missing"],
  );
  const one = await verified(lake, { quick: true, table: "gold/room_daily" });
  assert.deepEqual(
    one.findings.map(({ table }) => table),
    ["gold/room_daily"],
  );
  assert.deepEqual((await verified(lake, { table: "silver/readings" })).findings, []);
});

async function rowsIn(lake: string, file: string, table: TableName = "silver/readings"): Promise<number> {
  const name = file.slice(file.lastIndexOf("/") + 1);
  for (let version = await newestVersion(lake, table); version >= 0; version -= 1) {
    for (const { add } of await actionsOf(commitFile(lake, table, version))) {
      if (add === undefined || !String(add["path"]).endsWith(name)) continue;
      return (JSON.parse(String(add["stats"])) as { numRecords: number }).numRecords;
    }
  }
  throw new Error(`${file} is in no commit`);
}

/** Changes the first file that version 1 of a table added. */
async function editFirstAdd(
  lake: string,
  table: TableName,
  edit: (add: Record<string, unknown>) => void,
): Promise<void> {
  await editCommit(commitFile(lake, table, 1), (actions) => {
    const first = actions.find((action) => action["add"] !== undefined)?.["add"];
    assert.ok(first);
    edit(first);
    return actions;
  });
}

async function editAdd(
  lake: string,
  table: TableName,
  edit: (stats: Record<string, unknown>) => void,
): Promise<void> {
  await editCommit(commitFile(lake, table, 1), (actions) => {
    for (const { add } of actions) {
      if (add === undefined) continue;
      const stats = JSON.parse(String(add["stats"])) as Record<string, unknown>;
      edit(stats);
      add["stats"] = JSON.stringify(stats);
    }
    return actions;
  });
}

/** Sets the first position in the newest commit of a table. */
async function setPosition(lake: string, table: TableName, version: number): Promise<void> {
  await editCommit(commitFile(lake, table, await newestVersion(lake, table)), (actions) => {
    const txn = actions.find((action) => action["txn"] !== undefined)?.["txn"];
    assert.ok(txn);
    txn["version"] = version;
    return actions;
  });
}

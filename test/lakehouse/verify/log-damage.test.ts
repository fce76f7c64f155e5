// Damage to commits, checkpoints and the log, made by hand: verification finds it, names it, and says the way out.

import assert from "node:assert/strict";
import { readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import {
  commitFile,
  damageOf,
  dataFiles,
  editCommit,
  newestVersion,
  pick,
  setPosition,
  verified,
  withLake,
} from "../../support/damaged-lake.ts";
import { makeReference, type Reference } from "../../support/lake-folder.ts";

let made: Reference;
const { copy: damagedCopy, finds } = damageOf(() => made);

before(async () => {
  made = await makeReference(
    ["--rooms", "1", "--days", "2", "--seed", "6", "--faults"],
    ["--batch-rows", "20000"],
  );
});
after(async () => made.folder[Symbol.asyncDispose]());

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
  await rm(join(lake, "gold"), { recursive: true });
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

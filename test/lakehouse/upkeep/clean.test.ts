// The log stays short, and a table opens by few reads however long it has lived.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hintPath, logFilePath } from "../../../src/lakehouse/delta/checkpoint.ts";
import { loadSnapshot } from "../../../src/lakehouse/delta/log-reader.ts";
import { REFINE_APP_ID } from "../../../src/lakehouse/silver/refine.ts";
import { cleanLog, dropOlderVersions } from "../../../src/lakehouse/upkeep/clean.ts";
import type { TableName } from "../../../src/reading/tables.ts";
import { type BareLake, fileNamed, makeBareLake } from "../../support/bare-lake.ts";
import { codeOf, contentOf, putText, textOf } from "../../support/delta.ts";

const DAY_MS = 86_400_000;
const TABLE: TableName = "bronze/rejected";

const fileOf = (index: number): ReturnType<typeof fileNamed> =>
  fileNamed(`f${index}`, "2013-08-23", "ingest_date");

async function commitMany(lake: BareLake, count: number, name: TableName = TABLE): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const { version = 0 } = (await lake.lake.table(name).snapshot()) ?? {};
    await lake.commit(name, { txns: { app: BigInt(version + 1) } });
  }
}

/** Versions of the commits, and of the checkpoints, that are in the log. */
async function logOf({ store }: BareLake, name: TableName = TABLE): Promise<readonly number[][]> {
  const paths = (await store.list(`${name}/_delta_log/0`)).map(({ path }) => path);
  const versions = (pattern: RegExp): number[] =>
    paths.flatMap((path) => (pattern.test(path) ? [Number.parseInt(path.split("/").at(-1) ?? "", 10)] : []));
  return [versions(/\d\.json$/), versions(/\.checkpoint\.parquet$/)];
}

const newestOf = async (lake: BareLake, name: TableName = TABLE): Promise<unknown> =>
  contentOf(await (await lake.reopen()).table(name).snapshot());

describe("the log's clean-up", () => {
  test("removes commits older than the log is kept, behind a checkpoint, and the table stays as it is", async () => {
    await using lake = await makeBareLake();
    await commitMany(lake, 250);
    lake.clock.advance(31 * DAY_MS);
    await commitMany(lake, 10);
    const before = await newestOf(lake);
    assert.deepEqual(await cleanLog(lake.lake, TABLE), {
      commitsRemoved: 200,
      checkpointsRemoved: 1,
      isCheckpointed: true,
    });
    const [commits, checkpoints] = await logOf(lake);
    assert.deepEqual([commits?.[0], checkpoints], [200, [200, 260]]);
    assert.deepEqual(await newestOf(lake), before);
    const again = await lake.reopen();
    assert.equal((await again.table(TABLE).snapshot(251))?.version, 251);
    assert.equal(await codeOf(again.table(TABLE).snapshot(199)), "NOT_FOUND");
    assert.deepEqual(await cleanLog(lake.lake, TABLE), {
      commitsRemoved: 0,
      checkpointsRemoved: 0,
      isCheckpointed: false,
    });
  });

  test("keeps young commits, and all of a table that has no checkpoint", async () => {
    await using lake = await makeBareLake();
    await commitMany(lake, 15);
    assert.equal((await cleanLog(lake.lake, TABLE)).commitsRemoved, 0);
    lake.clock.advance(31 * DAY_MS);
    assert.equal((await cleanLog(lake.lake, TABLE)).commitsRemoved, 0);
    await commitMany(lake, 100);
    assert.equal((await cleanLog(lake.lake, TABLE)).commitsRemoved, 0);
  });

  test("keeps what a consumer has not taken", async () => {
    await using lake = await makeBareLake();
    await commitMany(lake, 250, "bronze/readings");
    await lake.commit("silver/readings", { txns: { [REFINE_APP_ID]: 150n } });
    lake.clock.advance(31 * DAY_MS);
    assert.equal((await cleanLog(lake.lake, "bronze/readings")).commitsRemoved, 100);
    const changes = await lake.lake.table("bronze/readings").changes(150, 250);
    assert.equal(changes.length, 100);
  });

  test("keeps versions that are held", async () => {
    await using lake = await makeBareLake();
    await commitMany(lake, 250);
    lake.clock.advance(31 * DAY_MS);
    const removed = await lake.lake.holds.during([{ table: TABLE, version: 120 }], async () => {
      return (await cleanLog(lake.lake, TABLE)).commitsRemoved;
    });
    assert.equal(removed, 100);
  });

  test("goes by no checkpoint that cannot be read", async () => {
    await using lake = await makeBareLake();
    await commitMany(lake, 250);
    lake.clock.advance(31 * DAY_MS);
    await putText(lake.store, logFilePath(TABLE, 200, ".checkpoint.parquet"), "damaged");
    assert.equal((await cleanLog(lake.lake, TABLE)).commitsRemoved, 100);
    assert.deepEqual((await logOf(lake))[1], [100, 200, 250]);
    assert.equal((await cleanLog(lake.lake, TABLE)).commitsRemoved, 150);
    assert.deepEqual((await logOf(lake))[1], [250]);
    assert.equal((await (await lake.reopen()).table(TABLE).snapshot())?.version, 250);
  });

  test("leaves a table that opens, wherever it is killed", async () => {
    for (let killedAt = 0; killedAt < 12; killedAt += 1) {
      await using lake = await makeBareLake();
      await commitMany(lake, 210);
      lake.clock.advance(31 * DAY_MS);
      const before = await newestOf(lake);
      let deletes = 0;
      const dies = async (paths: readonly string[]): Promise<void> => {
        for (const path of paths) {
          deletes += 1;
          if (deletes > killedAt) throw new Error("killed");
          await lake.store.delete([path]);
        }
      };
      await cleanLog({ ...lake.lake, store: { ...lake.store, delete: dies } }, TABLE).catch(() => undefined);
      assert.deepEqual(await newestOf(lake), before);
      const { commitsRemoved } = await cleanLog(lake.lake, TABLE);
      assert.ok(commitsRemoved > 0);
      assert.deepEqual(await newestOf(lake), before);
    }
  });
});

describe("dropping all older versions", () => {
  test("leaves the newest alone, with its checkpoint and a hint that names it", async () => {
    await using lake = await makeBareLake();
    await lake.commit(TABLE, { adds: [fileOf(1)] });
    await lake.commit(TABLE, { adds: [fileOf(2)], removes: [fileOf(1)] });
    await commitMany(lake, 103);
    const before = await newestOf(lake);
    const { commitsRemoved, checkpointsRemoved } = await dropOlderVersions(lake.lake, TABLE);
    assert.deepEqual([commitsRemoved, checkpointsRemoved], [105, 1]);
    assert.deepEqual(await logOf(lake), [[105], [105]]);
    assert.match(await textOf(lake.store, hintPath(TABLE)), /"version":105/);
    assert.deepEqual(await newestOf(lake), before);
    const again = await lake.reopen();
    for (const version of [0, 1, 50, 104]) {
      assert.equal(await codeOf(again.table(TABLE).snapshot(version)), "NOT_FOUND");
    }
    assert.equal((await lake.commit(TABLE, {})).version, 106);
  });

  test("keeps the commits that a consumer has not taken, which add up to no version", async () => {
    await using lake = await makeBareLake();
    await commitMany(lake, 20, "bronze/readings");
    await lake.commit("silver/readings", { txns: { [REFINE_APP_ID]: 15n } });
    await dropOlderVersions(lake.lake, "bronze/readings");
    const again = await lake.reopen();
    assert.equal((await again.table("bronze/readings").changes(15, 20)).length, 5);
    for (const version of [3, 17]) {
      assert.equal(await codeOf(again.table("bronze/readings").snapshot(version)), "NOT_FOUND");
    }
  });

  test("removes nothing if the checkpoint cannot be read back", async () => {
    await using lake = await makeBareLake();
    await commitMany(lake, 5);
    const codec = { ...lake.lake.codec, encode: async () => new Uint8Array(3) };
    assert.equal(await codeOf(dropOlderVersions({ ...lake.lake, codec }, TABLE)), "TABLE_CORRUPT");
    assert.equal((await logOf(lake))[0]?.length, 6);
    assert.equal((await lake.lake.table(TABLE).snapshot())?.version, 5);
  });
});

describe("a process that knows an older version when the log is cleaned up", () => {
  test("reads the newest one", async () => {
    await using lake = await makeBareLake();
    await commitMany(lake, 3);
    const other = await lake.reopen();
    await other.table(TABLE).snapshot();
    await commitMany(lake, 3);
    await dropOlderVersions(lake.lake, TABLE);
    assert.equal((await other.table(TABLE).snapshot())?.version, 6);
  });

  test("does not commit behind the checkpoint, where nobody would read it", async () => {
    await using lake = await makeBareLake();
    await commitMany(lake, 3);
    const other = await lake.reopen();
    const base = await other.table(TABLE).snapshot();
    assert.ok(base !== undefined);
    await commitMany(lake, 3);
    await dropOlderVersions(lake.lake, TABLE);
    const request = {
      base,
      adds: [{ ...fileOf(9), modificationTime: lake.clock.nowMs() }],
      removes: [],
      txns: new Map(),
      operation: "WRITE",
      isolation: { kind: "append" },
      dataChange: true,
    } as const;
    assert.equal(await codeOf(other.table(TABLE).commit(request)), "COMMIT_CONFLICT");
    assert.deepEqual((await logOf(lake))[0], [6]);
    const head = await other.table(TABLE).snapshot();
    assert.equal(head?.version, 6);
    assert.equal((await other.table(TABLE).commit({ ...request, base: head })).version, 7);
  });
});

test("a table of ten thousand commits is opened by few reads after upkeep", async () => {
  await using lake = await makeBareLake();
  await commitMany(lake, 1);
  for (let version = 2; version <= 10_000; version += 1) {
    const txn = { appId: "app", version };
    await putText(lake.store, logFilePath(TABLE, version, ".json"), `${JSON.stringify({ txn })}\n`);
  }
  assert.ok((await cleanLog(lake.lake, TABLE)).isCheckpointed);
  let reads = 0;
  let listed = 0;
  const counting = {
    ...lake.store,
    get: async (path: string) => {
      reads += 1;
      return lake.store.get(path);
    },
    list: async (prefix: string, startAfter?: string) => {
      const found = await lake.store.list(prefix, startAfter);
      listed += found.length;
      return found;
    },
  };
  const open = async (): Promise<unknown> =>
    (await loadSnapshot({ ...lake.lake, store: counting, path: TABLE }))?.version;
  assert.equal(await open(), 10_000);
  assert.ok(reads <= 5 && listed <= 5, `${reads} reads, ${listed} listed`);
  lake.clock.advance(31 * DAY_MS);
  await commitMany(lake, 1);
  assert.equal((await cleanLog(lake.lake, TABLE)).commitsRemoved, 10_000);
  assert.deepEqual(await logOf(lake), [[10_000, 10_001], [10_000]]);
  assert.equal(await open(), 10_001);
});

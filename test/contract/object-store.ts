// The contract of ObjectStore, for every adapter.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import * as fc from "fast-check";
import type { ObjectStore } from "../../src/lakehouse/delta/object-store.ts";
import { AtriumError } from "../../src/support/errors.ts";

/** A store for one test, empty, and how to dispose of it. */
export interface StoreUnderTest {
  readonly store: ObjectStore;
  /** Leaves behind what a put to this path leaves that never ended. Default: a `.tmp` file beside it. */
  abandon?(path: string): Promise<void>;
  dispose(): Promise<void>;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const hasCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof AtriumError && error.code === code && error.message.length > 20;

/** Runs the suite on the stores that `open` makes. */
export function objectStoreContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`object store contract: ${name}`, () => {
    let scratch: string;
    let stores: StoreUnderTest[] = [];
    let opened: StoreUnderTest;
    let store: ObjectStore;

    before(async () => {
      scratch = await mkdtemp(join(tmpdir(), "atrium-scratch-"));
    });
    beforeEach(async () => {
      opened = await open();
      stores.push(opened);
      store = opened.store;
    });
    after(async () => {
      for (const opened of stores) await opened.dispose();
      stores = [];
      await rm(scratch, { recursive: true, force: true });
    });

    test("returns what was put, byte for byte", async () => {
      await store.put("t/a.bin", Uint8Array.of(0, 255, 10, 13));
      assert.deepEqual([...(await store.get("t/a.bin"))], [0, 255, 10, 13]);
    });

    test("keeps an object of no bytes", async () => {
      await store.put("t/empty", new Uint8Array(0));
      assert.equal((await store.get("t/empty")).length, 0);
    });

    test("replaces an object that is put again", async () => {
      await store.put("t/a", bytesOf("longer before"));
      await store.put("t/a", bytesOf("after"));
      assert.equal(textOf(await store.get("t/a")), "after");
    });

    test("does not change an object when the caller changes its own bytes", async () => {
      const bytes = bytesOf("abc");
      await store.put("t/a", bytes);
      bytes[0] = 0;
      (await store.get("t/a"))[1] = 0;
      assert.equal(textOf(await store.get("t/a")), "abc");
    });

    test("says NOT_FOUND for an object, a folder and a path below an object that are not there", async () => {
      await store.put("t/a", bytesOf("x"));
      for (const path of ["t/b", "t", "t/a/b", "nothing"]) {
        await assert.rejects(store.get(path), hasCode("NOT_FOUND"), path);
      }
      await assert.rejects(store.localFile("t/b"), hasCode("NOT_FOUND"));
    });

    test("puts if absent once, and leaves the first bytes", async () => {
      assert.equal(await store.putIfAbsent("t/0.json", bytesOf("first")), true);
      assert.equal(await store.putIfAbsent("t/0.json", bytesOf("second")), false);
      assert.equal(textOf(await store.get("t/0.json")), "first");
    });

    test("lets exactly one of many writers put if absent, and shows its bytes", async () => {
      for (let round = 0; round < 20; round += 1) {
        const won = await Promise.all(
          Array.from({ length: 10 }, (_, writer) =>
            store.putIfAbsent(`t/${round}`, bytesOf(`writer ${writer}`)),
          ),
        );
        assert.equal(won.filter(Boolean).length, 1);
        assert.equal(textOf(await store.get(`t/${round}`)), `writer ${won.indexOf(true)}`);
      }
    });

    test("moves a local file in, whose bytes are then an object and a local file again", async () => {
      const local = join(scratch, "data.parquet");
      await writeFile(local, "rows");
      await store.putFile("t/room=4%2013/x.parquet", local);
      await assert.rejects(stat(local));
      assert.equal(textOf(await store.get("t/room=4%2013/x.parquet")), "rows");
      assert.equal(await readFile(await store.localFile("t/room=4%2013/x.parquet"), "utf8"), "rows");
    });

    test("moves in many files at once, each into its own new folder", async () => {
      const paths = Array.from({ length: 60 }, (_, index) => `t/a=${index % 4}/b=${index}/x.parquet`);
      const puts = paths.map(async (path, index) => {
        const local = join(scratch, `${index}`);
        await writeFile(local, path);
        await store.putFile(path, local);
      });
      await Promise.all(puts);
      const listed = await store.list("t/");
      assert.deepEqual(
        listed.map((object) => object.path),
        paths.toSorted(),
      );
    });

    test("lists what starts with a prefix, in the order of paths, with sizes", async () => {
      for (const path of ["t/b/2", "t/a-b", "t/a/1", "t/b/10", "u/1", "tt"]) {
        await store.put(path, bytesOf(path));
      }
      const paths = async (prefix: string): Promise<string[]> =>
        (await store.list(prefix)).map((object) => object.path);
      assert.deepEqual(await paths("t/"), ["t/a-b", "t/a/1", "t/b/10", "t/b/2"]);
      assert.deepEqual(await paths("t/a"), ["t/a-b", "t/a/1"]);
      assert.deepEqual(await paths(""), ["t/a-b", "t/a/1", "t/b/10", "t/b/2", "tt", "u/1"]);
      assert.deepEqual(await paths("none/"), []);
      const [found] = await store.list("u/");
      assert.equal(found?.sizeBytes, 3);
      assert.ok((found?.modifiedMs ?? 0) > 0 && Number.isInteger(found?.modifiedMs));
    });

    test("lists after a path", async () => {
      for (const path of ["t/a/1", "t/a/2", "t/b/1"]) await store.put(path, bytesOf(path));
      const after = await store.list("t/", "t/a/1");
      assert.deepEqual(
        after.map((object) => object.path),
        ["t/a/2", "t/b/1"],
      );
    });

    test("lists as a sorted set of paths would, for any prefix and start", async () => {
      const paths = fc.uniqueArray(fc.stringMatching(/^[ab]{1,2}\/[ab-]{1,2}(\/[ab]{1,2})?$/), {
        maxLength: 8,
      });
      const flat = paths.filter((all) => !all.some((a) => all.some((b) => b.startsWith(`${a}/`))));
      const text = fc.stringMatching(/^[ab/-]{0,4}$/).filter((prefix) => !/^\/|\/\//.test(prefix));
      let run = 0;
      await fc.assert(
        fc.asyncProperty(flat, text, text, async (all, prefix, startAfter) => {
          const top = `run-${(run += 1)}/`;
          const paths = all.map((path) => top + path);
          for (const path of paths) await store.put(path, bytesOf("x"));
          const listed = (await store.list(top + prefix, top + startAfter)).map((object) => object.path);
          const wanted = paths.filter((path) => path.startsWith(top + prefix) && path > top + startAfter);
          assert.deepEqual(listed, wanted.toSorted());
        }),
        { numRuns: 40 },
      );
    });

    test("does not list .tmp files", async () => {
      await store.put("t/a.tmp", bytesOf("x"));
      assert.deepEqual(await store.list("t/"), []);
    });

    test("removes what puts that never ended left, once it is old enough, and nothing else", async () => {
      if (opened.abandon === undefined) await store.put("t/a/b.tmp", bytesOf("x"));
      else await opened.abandon("t/a/b");
      await store.put("t/a/c", bytesOf("x"));
      assert.equal(await store.removeAbandoned(1000), 0);
      assert.equal(await store.removeAbandoned(Date.now() + 3_600_000), 1);
      assert.equal(await store.removeAbandoned(Date.now() + 3_600_000), 0);
      assert.deepEqual(
        (await store.list("")).map((object) => object.path),
        ["t/a/c"],
      );
    });

    test("deletes objects, and those that are not there are no error", async () => {
      await store.put("t/a", bytesOf("x"));
      await store.put("t/b", bytesOf("x"));
      await store.delete(["t/a", "t/none", "none/none"]);
      assert.deepEqual(
        (await store.list("")).map((object) => object.path),
        ["t/b"],
      );
      assert.equal(await store.putIfAbsent("t/a", bytesOf("again")), true);
    });

    test("refuses paths that could lead out of the store", async () => {
      for (const path of ["../x", "t/../../x", "/etc/x", "t//x", "./x", "", "t/\0"]) {
        await assert.rejects(store.get(path), hasCode("STORE_DENIED"), path);
        await assert.rejects(store.put(path, bytesOf("x")), hasCode("STORE_DENIED"), path);
        await assert.rejects(store.putIfAbsent(path, bytesOf("x")), hasCode("STORE_DENIED"), path);
        await assert.rejects(store.delete([path]), hasCode("STORE_DENIED"), path);
        await assert.rejects(store.localFile(path), hasCode("STORE_DENIED"), path);
      }
    });
  });
}

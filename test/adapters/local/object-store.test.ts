// The local folder beyond the contract: what it leaves behind, and what its errors say.

import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { localObjectStore, localStoreError } from "../../../src/adapters/local/object-store.ts";
import { codeOf, withFolder } from "../../support/delta.ts";

const bytes = new TextEncoder().encode("x");

test("reading and listing make no folder, and a put makes all that it needs", async () => {
  await withFolder(async (folder) => {
    const root = join(folder, "deep", "lake");
    const store = localObjectStore(root);
    assert.equal(store.url, root);
    assert.deepEqual(await store.list(""), []);
    assert.equal(await codeOf(store.get("t/a")), "NOT_FOUND");
    assert.deepEqual(await readdir(folder), []);
    await store.put("t/_delta_log/a", bytes);
    assert.equal((await stat(join(root, "t/_delta_log/a"))).size, 1);
  });
});

test("no temporary file is left, whether a put won, lost or failed", async () => {
  await withFolder(async (folder) => {
    const store = localObjectStore(folder);
    await mkdir(join(folder, "t/taken/inner"), { recursive: true });
    await store.put("t/a", bytes);
    await Promise.all(Array.from({ length: 20 }, () => store.putIfAbsent("t/b", bytes)));
    assert.equal(await codeOf(store.put("t/taken", bytes)), "STORE_FAILED");
    assert.deepEqual((await readdir(join(folder, "t"))).toSorted(), ["a", "b", "taken"]);
  });
});

test("a file that is not there cannot be moved in, and the error names it", async () => {
  await withFolder(async (folder) => {
    const store = localObjectStore(join(folder, "lake"));
    await assert.rejects(store.putFile("t/a", join(folder, "none.parquet")), /none\.parquet to t\/a.*ENOENT/);
  });
});

test("a file of another file system is copied in whole", async (t) => {
  const { dev } = await stat("/tmp");
  const other = await stat("/dev/shm").catch(() => undefined);
  if (other === undefined || other.dev === dev) {
    t.skip("needs /dev/shm as another file system");
    return;
  }
  await withFolder(async (folder) => {
    const local = `/dev/shm/${folder.split("/").at(-1)}`;
    await writeFile(local, "rows");
    await localObjectStore(folder).putFile("t/a", local);
    assert.equal(await readFile(join(folder, "t/a"), "utf8"), "rows");
    assert.deepEqual(await readdir(join(folder, "t")), ["a"]);
    await assert.rejects(stat(local));
  });
});

test("a folder that may not be written is STORE_DENIED, with advice", async (t) => {
  if (process.getuid?.() === 0) {
    t.skip("the superuser may write everywhere");
    return;
  }
  await withFolder(async (folder) => {
    await chmod(folder, 0o500);
    await assert.rejects(localObjectStore(folder).put("t/a", bytes), /Give this user the right/);
    assert.equal(await codeOf(localObjectStore(folder).put("t/a", bytes)), "STORE_DENIED");
  });
});

test("a lake whose root is a file says so", async () => {
  await withFolder(async (folder) => {
    await writeFile(join(folder, "file"), "x");
    assert.equal(await codeOf(localObjectStore(join(folder, "file")).put("t/a", bytes)), "STORE_FAILED");
  });
});

test("what the file system says becomes a code of the catalogue, with advice", () => {
  const cases = {
    ENOSPC: "STORE_FULL",
    EDQUOT: "STORE_FULL",
    EROFS: "STORE_DENIED",
    EACCES: "STORE_DENIED",
    EIO: "STORE_FAILED",
  };
  for (const [systemCode, code] of Object.entries(cases)) {
    const error = localStoreError(
      "write t/a",
      Object.assign(new Error(`${systemCode}: no`), { code: systemCode }),
    );
    assert.equal(error.code, code);
    assert.match(error.message, /^Cannot write t\/a: E.*\. [A-Z].*\.$/);
  }
});

// Raw files in a folder.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { localRawSource } from "../../../src/adapters/local/raw-source.ts";

const folderOf = async (t: TestContext, files: Readonly<Record<string, string>>): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "atrium-raw-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
};

const textOf = async (chunks: AsyncIterable<Uint8Array>): Promise<readonly string[]> => {
  const texts: string[] = [];
  for await (const chunk of chunks) texts.push(Buffer.from(chunk).toString());
  return texts;
};

const nextBytes = async (reader: AsyncIterator<Uint8Array, unknown>): Promise<number> => {
  const next = await reader.next();
  return next.done === true ? 0 : next.value.length;
};

test("the files two levels down are listed, through links too; others and hidden folders are not", async (t) => {
  const folder = await folderOf(t, {
    "413/co2.csv": "12345",
    "413/x/y.csv": "",
    "faults.csv": "",
    ".git/a.csv": "",
    "413/.part": "",
  });
  await symlink("413", join(folder, "linked"));
  await symlink("nowhere", join(folder, "413/broken.csv"));
  await symlink("nowhere", join(folder, "broken"));
  const listed = await localRawSource(folder).list();
  assert.deepEqual(
    listed.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    [
      { path: "413/co2.csv", sizeBytes: 5 },
      { path: "linked/co2.csv", sizeBytes: 5 },
    ],
  );
});

test("no folder is SOURCE_MISSING, and so is a file in its place", async (t) => {
  const folder = await folderOf(t, { "413/co2.csv": "12345" });
  for (const missing of [join(folder, "none"), join(folder, "413/co2.csv")]) {
    await assert.rejects(localRawSource(missing).list(), { code: "SOURCE_MISSING", message: /SOURCE_URL/ });
  }
});

test("a file is read in chunks from the place asked for", async (t) => {
  const source = localRawSource(await folderOf(t, { "413/co2.csv": "0123456789" }));
  assert.deepEqual(await textOf(source.open("413/co2.csv", { fromBytes: 1, chunkBytes: 4 })), [
    "1234",
    "5678",
    "9",
  ]);
  assert.deepEqual(await textOf(source.open("413/co2.csv", { fromBytes: 10, chunkBytes: 4 })), []);
  assert.deepEqual(await textOf(source.open("413/co2.csv", { fromBytes: 99, chunkBytes: 4 })), []);
});

test("a file that is gone or is a folder is SOURCE_UNREADABLE, and named", async (t) => {
  const source = localRawSource(await folderOf(t, { "413/co2.csv/x": "" }));
  for (const path of ["413/none.csv", "413/co2.csv"]) {
    await assert.rejects(textOf(source.open(path, { fromBytes: 0, chunkBytes: 4 })), {
      code: "SOURCE_UNREADABLE",
      message: new RegExp(path),
    });
  }
});

/** Number of files that this process holds open; 0 where that cannot be seen. */
const filesOpen = async (): Promise<number> => (await readdir("/proc/self/fd").catch(() => [])).length;

test("beyond 512 open files the others are read all the same, and none stays open", async (t) => {
  const source = localRawSource(await folderOf(t, { "413/co2.csv": "abcdef" }));
  const reader = (): AsyncIterator<Uint8Array> =>
    source.open("413/co2.csv", { fromBytes: 0, chunkBytes: 4 })[Symbol.asyncIterator]();
  const before = await filesOpen();
  for (let round = 0; round < 2; round += 1) {
    const readers = Array.from({ length: 600 }, reader);
    for (const each of readers) assert.equal(await nextBytes(each), 4);
    const held = (await filesOpen()) - before;
    assert.equal(held, before === 0 ? 0 : 512);
    for (const each of readers.slice(500)) assert.equal(await nextBytes(each), 2);
    for (const each of readers) await each.return?.();
    assert.equal(await filesOpen(), before);
  }
});

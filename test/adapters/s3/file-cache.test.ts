// The cache of copies: what is fetched, what is shared, what is evicted and what is not.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { cachedEngine } from "../../../src/adapters/s3/cached-engine.ts";
import { type FileCache, fileCache, USE_MS } from "../../../src/adapters/s3/file-cache.ts";
import type { Engine, FilesInput } from "../../../src/lakehouse/engine.ts";
import type { Clock } from "../../../src/support/clock.ts";
import { AtriumError, isAtriumError } from "../../../src/support/errors.ts";
import { temporaryFolder } from "../../support/program.ts";

const START_MS = Date.UTC(2026, 0, 1);
const WEEK_MS = 7 * 24 * 3_600_000;
const FILE_BYTES = 100;

/** A clock that the test moves; who sleeps wakes when its time has come. */
class TestClock implements Clock {
  #nowMs = START_MS;
  readonly #sleeping = new Set<{ readonly atMs: number; readonly wake: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await new Promise<void>((wake) => {
      this.#sleeping.add({ atMs: this.#nowMs + ms, wake });
      signal?.addEventListener("abort", () => wake());
    });
  }

  /** True if somebody sleeps. */
  isSlept(): boolean {
    return this.#sleeping.size > 0;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const sleeper of this.#sleeping) {
      if (sleeper.atMs > this.#nowMs) continue;
      this.#sleeping.delete(sleeper);
      sleeper.wake();
    }
  }
}

describe("copies of objects", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let clock: TestClock;
  let fetched: string[];
  let cache: FileCache;

  const opened = (filesMax = 10, name = "lake"): FileCache =>
    fileCache({
      folder: { path: join(folder.path, "cache"), bytesMax: filesMax * FILE_BYTES },
      clock,
      name,
      fetch: async (path, file) => {
        if (path.includes("none")) throw new AtriumError("NOT_FOUND", `There is no ${path}.`);
        fetched.push(path);
        await writeFile(file, path.padEnd(FILE_BYTES), { flag: "wx" });
        return FILE_BYTES;
      },
    });
  const copies = async (): Promise<readonly string[]> => {
    const names = await readdir(join(folder.path, "cache"), { recursive: true, withFileTypes: true });
    return names
      .filter((entry) => entry.isFile())
      .map(({ name }) => name)
      .toSorted((a, b) => (a < b ? -1 : 1));
  };

  beforeEach(async () => {
    folder = await temporaryFolder();
    clock = new TestClock();
    fetched = [];
    cache = opened();
  });
  afterEach(async () => folder[Symbol.asyncDispose]());

  test("are fetched once, by callers at once and by openings after each other", async () => {
    const files = await Promise.all(Array.from({ length: 5 }, async () => cache.file("t/a=1/x")));
    assert.equal(new Set(files).size, 1);
    assert.equal(await readFile(files[0]!, "utf8"), "t/a=1/x".padEnd(FILE_BYTES));
    await opened().file("t/a=1/x");
    assert.deepEqual(fetched, ["t/a=1/x"]);
    await opened(10, "another lake").file("t/a=1/x");
    assert.equal(fetched.length, 2);
    assert.equal((await stat(join(folder.path, "cache"))).mode & 0o077, 0);
  });

  test("of objects that are not there leave nothing behind", async () => {
    await assert.rejects(cache.file("t/none"), (error) => isAtriumError(error, "NOT_FOUND"));
    assert.deepEqual(await copies(), []);
  });

  test("that were not used for longest make room, and those in use stay", async () => {
    for (let index = 0; index < 10; index += 1) {
      await cache.file(`t/${index}`);
      clock.advance(USE_MS);
    }
    clock.advance(1);
    await cache.file("t/0");
    await opened().file("t/new");
    // Of eleven nine are left: the two that were not used for longest are gone.
    assert.deepEqual(await copies(), ["0", "3", "4", "5", "6", "7", "8", "9", "new"]);
    assert.equal(await cache.file("t/1").then(existsSync), true);
    assert.equal(fetched.filter((path) => path === "t/1").length, 2);
  });

  test("that are all in use stay, although they are too many", async () => {
    cache = opened(2);
    for (let index = 0; index < 5; index += 1) await cache.file(`t/${index}`);
    assert.equal((await copies()).length, 5);
    clock.advance(USE_MS + 1);
    await cache.file("t/5");
    assert.deepEqual(await copies(), ["5"]);
  });

  test("stay as long as a call reads them, and go afterwards", async () => {
    const other = opened(1);
    const file = await cache.file("t/read");
    let end: () => void = () => undefined;
    const reading = cache.during([file], async () => new Promise<void>((resolve) => (end = resolve)));
    const usedMs = async (): Promise<number> => (await stat(file)).mtimeMs;
    while (!clock.isSlept()) await new Promise(setImmediate);
    for (let index = 0; index < 10; index += 1) {
      // The call renews its files in the background: its next sleep says that it has.
      clock.advance(USE_MS / 4);
      while ((await usedMs()) + 1 < clock.nowMs() || !clock.isSlept()) await new Promise(setImmediate);
      await other.file(`t/${index}`);
      assert.ok(existsSync(file));
    }
    end();
    await reading;
    clock.advance(USE_MS + 1);
    await other.file("t/last");
    assert.ok(!existsSync(file));
  });

  test("that vanished are there again when a call begins", async () => {
    const file = await cache.file("t/a");
    await rm(file);
    clock.advance(USE_MS);
    assert.equal(
      await cache.during([file], async () => readFile(file, "utf8").then((text) => text.trim())),
      "t/a",
    );
  });

  test("that nobody used for a week go, even if there is room; so do fetches that died", async () => {
    await cache.file("t/old");
    await writeFile(join(cache.root, "t", "x.tmp"), "half");
    clock.advance(WEEK_MS + 1);
    await opened().file("t/new");
    const left = await copies();
    assert.ok(left.includes("new") && !left.includes("old"));
    clock.advance(Date.now());
    await opened().file("t/newer");
    assert.deepEqual(await copies(), ["newer"]);
  });

  test("are taken from what was put, and dropped with what is deleted", async () => {
    const local = join(folder.path, "written");
    await writeFile(local, "rows");
    await cache.keep("t/b=2/put", local);
    assert.ok(!existsSync(local));
    assert.equal(await readFile(await cache.file("t/b=2/put"), "utf8"), "rows");
    assert.deepEqual(fetched, []);
    await cache.drop(["t/b=2/put", "t/never"]);
    assert.deepEqual(await copies(), []);
  });

  describe("that an engine reads", () => {
    const input = (path: string): FilesInput => ({
      kind: "files",
      name: "t",
      columns: [],
      partitionColumns: [],
      files: [{ path, partitionValues: {} }],
    });
    /** Answers once the copy holds what it should. */
    const engineThatChecks = (file: string): Engine => ({
      query: async () => {
        const text = await readFile(file, "utf8").catch(() => "");
        if (text.startsWith("t/a")) return { columns: [], rows: [[text.trim()]], truncated: false };
        const message = `A data file of t is damaged: ${file} cannot be read.`;
        throw new AtriumError("TABLE_CORRUPT", message, { details: { file } });
      },
      write: async () => Promise.reject(new Error("it only reads")),
      [Symbol.asyncDispose]: async () => undefined,
    });
    const query = (file: string) => ({ sql: "", inputs: [input(file)], rowsMax: 1, timeoutMs: 1 });

    test("are fetched again when one is damaged", async () => {
      const file = await cache.file("t/a");
      await writeFile(file, "zzz");
      const engine = cachedEngine(engineThatChecks(file), {
        cache,
        url: "s3://lake",
        localFile: async (path) => path,
      });
      assert.deepEqual((await engine.query(query(file))).rows, [["t/a"]]);
      assert.deepEqual(fetched, ["t/a", "t/a"]);
    });

    test("are named as objects when those are damaged, too", async () => {
      const file = await cache.file("t/b");
      const engine = cachedEngine(engineThatChecks(file), {
        cache,
        url: "s3://lake",
        localFile: async (path) => path,
      });
      await assert.rejects(engine.query(query(file)), (error) => {
        assert.ok(isAtriumError(error, "TABLE_CORRUPT"));
        assert.equal(error.message, "A data file of t is damaged: s3://lake/t/b cannot be read.");
        assert.equal(error.details["file"], "t/b");
        return true;
      });
    });
  });
});

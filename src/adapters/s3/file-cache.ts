// Local copies of immutable objects, bounded in size, shared by processes.
//
//   file(path) --- copy there? ------ yes -> its time of last use is renewed, its name returned
//                       | no
//                       v
//              fetch into NAME.<id>.tmp, sync, rename -> evict what was not used for longest, if it is too much
//
// The time of last use is the file's mtime, so that all processes see it. Nobody evicts what was used within USE_MS; a call
// that reads its files for longer renews them. So the cache may outgrow its bound by what is being read.

import { createHash } from "node:crypto";
import { copyFile, mkdir, open, readdir, rename, rm, rmdir, stat, utimes } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { uniqueId } from "../../support/chance.ts";
import type { Clock } from "../../support/clock.ts";
import { systemCode } from "../../support/errors.ts";
import { inParallel } from "../../support/parallel.ts";

/** Where copies are kept, by all stores of this machine. */
export interface CacheFolder {
  /** Made when it is needed, for its owner alone. */
  readonly path: string;
  readonly bytesMax: number;
}

/** What a cache needs. */
export interface FileCacheOptions {
  readonly folder: CacheFolder;
  readonly clock: Clock;
  /** Which lake it is: another one has other copies. */
  readonly name: string;
  /** Writes the object into a new file, synced; returns its size, bytes. @throws NOT_FOUND */
  readonly fetch: (path: string, file: string) => Promise<number>;
}

/** The copies of one lake's objects. */
export interface FileCache {
  /** The folder of this lake's copies. */
  readonly root: string;
  /** The copy of an object, fetched if it is missing. @throws NOT_FOUND */
  file(path: string): Promise<string>;
  /** Takes a file that was just put as the copy of its object; it is gone from its old place. */
  keep(path: string, localPath: string): Promise<void>;
  /** Removes copies of objects that were deleted, or that are damaged. */
  drop(paths: readonly string[]): Promise<void>;
  /** Runs `work`, which reads these copies: they are there when it starts and stay until it ends. */
  during<Result>(files: readonly string[], work: () => Promise<Result>): Promise<Result>;
}

/** Copies that were used less than this ago, ms, are evicted by nobody. */
export const USE_MS = 120_000;
/** A use is written down if the last one that was is older than this, ms. */
const RENEW_MS = 30_000;
/** Copies that nobody used for so long, ms, are removed even if there is room: erased readings must not stay for ever. */
const UNUSED_MS_MAX = 7 * 24 * 3_600_000;
/** What a fetch that died left behind is removed once it is this old, ms. */
const PARTIAL_MS_MAX = 3_600_000;
/** Eviction makes so much room that the next one is not due at once. */
const LOW_WATER = 0.9;
const FILES_AT_ONCE = 32;

/** The folder of the copies of one lake. */
export function cacheRoot(folder: CacheFolder, name: string): string {
  return join(folder.path, createHash("sha256").update(name).digest("hex").slice(0, 24));
}

/** The cache of a lake. */
export function fileCache(options: FileCacheOptions): FileCache {
  return new OpenCache(options);
}

class OpenCache implements FileCache {
  readonly root: string;
  readonly #options: FileCacheOptions;
  /** File -> when its use was written down, by the monotonic clock. */
  readonly #renewedMs = new Map<string, number>();
  readonly #underWay = new Map<string, Promise<string>>();
  /** Bytes found by the last look, and added by this process since. */
  #foundBytes = 0;
  #addedBytes = Number.POSITIVE_INFINITY;
  #evicting: Promise<void> | undefined;

  constructor(options: FileCacheOptions) {
    this.#options = options;
    this.root = cacheRoot(options.folder, options.name);
  }

  async file(path: string): Promise<string> {
    const file = join(this.root, path);
    if (this.#isFresh(file) || (await this.#renew(file))) return file;
    const fetching =
      this.#underWay.get(file) ?? this.#fetch(path, file).finally(() => this.#underWay.delete(file));
    this.#underWay.set(file, fetching);
    return fetching;
  }

  async keep(path: string, localPath: string): Promise<void> {
    const file = join(this.root, path);
    try {
      const { size } = await stat(localPath);
      await this.#stamp(localPath);
      await this.#withFolder(file, async () => moveSynced(localPath, file));
      await this.#added(file, size);
    } catch {
      // It is only a copy: the object is there, and will be fetched.
      await rm(localPath, { force: true });
    }
  }

  async drop(paths: readonly string[]): Promise<void> {
    await inParallel(paths, FILES_AT_ONCE, async (path) => {
      const file = join(this.root, path);
      this.#renewedMs.delete(file);
      await rm(file, { force: true });
    });
  }

  async during<Result>(files: readonly string[], work: () => Promise<Result>): Promise<Result> {
    const done = new AbortController();
    await this.#use(files);
    void this.#keepUsing(files, done.signal);
    try {
      return await work();
    } finally {
      done.abort();
    }
  }

  async #keepUsing(files: readonly string[], signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#options.clock.sleep(RENEW_MS, signal);
      if (signal.aborted) return;
      // What vanished is found by the call itself.
      await this.#use(files).catch(() => undefined);
    }
  }

  /** Files of other lakes are renewed, too, if they are copies; what is missing of this lake's is fetched. */
  async #use(files: readonly string[]): Promise<void> {
    const stale = files.filter(
      (file) => file.startsWith(this.#options.folder.path + sep) && !this.#isFresh(file),
    );
    await inParallel(stale, FILES_AT_ONCE, async (file) => {
      const isOwn = file.startsWith(this.root + sep);
      if (isOwn) await this.file(file.slice(this.root.length + 1).replaceAll(sep, "/"));
      else await this.#renew(file);
    });
  }

  #isFresh(file: string): boolean {
    const renewedMs = this.#renewedMs.get(file);
    return renewedMs !== undefined && this.#options.clock.monotonicMs() - renewedMs < RENEW_MS;
  }

  /** False if there is no such copy. */
  async #renew(file: string): Promise<boolean> {
    try {
      await this.#stamp(file);
    } catch (error) {
      this.#renewedMs.delete(file);
      if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return false;
      throw error;
    }
    this.#renewedMs.set(file, this.#options.clock.monotonicMs());
    return true;
  }

  async #stamp(file: string): Promise<void> {
    const seconds = this.#options.clock.nowMs() / 1000;
    await utimes(file, seconds, seconds);
  }

  async #fetch(path: string, file: string): Promise<string> {
    const temporary = `${file}.${uniqueId()}.tmp`;
    try {
      const size = await this.#withFolder(file, async () => this.#options.fetch(path, temporary));
      await this.#stamp(temporary);
      await rename(temporary, file);
      await this.#added(file, size);
    } finally {
      await rm(temporary, { force: true });
    }
    return file;
  }

  /** An eviction may remove the folder between its making and its use. */
  async #withFolder<Result>(file: string, work: () => Promise<Result>): Promise<Result> {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    try {
      return await work();
    } catch (error) {
      const cause = error instanceof Error ? (systemCode(error) ?? systemCode(error.cause)) : undefined;
      if (cause !== "ENOENT") throw error;
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      return work();
    }
  }

  async #added(file: string, bytes: number): Promise<void> {
    await this.#renew(file);
    this.#addedBytes += bytes;
    const { bytesMax } = this.#options.folder;
    // Others add, too: so now and then a look is due even if this process added little.
    const isDue =
      this.#foundBytes + this.#addedBytes > bytesMax || this.#addedBytes > bytesMax * (1 - LOW_WATER);
    if (!isDue) return;
    this.#evicting ??= this.#evict().finally(() => (this.#evicting = undefined));
    await this.#evicting;
  }

  async #evict(): Promise<void> {
    const { folder, clock } = this.#options;
    this.#addedBytes = 0;
    const copies = (await copiesIn(folder.path)).toSorted((a, b) => a.usedMs - b.usedMs);
    let bytes = copies.reduce((sum, copy) => sum + copy.bytes, 0);
    const wanted = bytes > folder.bytesMax ? folder.bytesMax * LOW_WATER : bytes;
    for (const { file, bytes: size, usedMs } of copies) {
      const ageMs = clock.nowMs() - usedMs;
      const isPartial = file.endsWith(".tmp");
      const isOver = isPartial
        ? ageMs > PARTIAL_MS_MAX
        : ageMs > UNUSED_MS_MAX || (bytes > wanted && ageMs > USE_MS);
      if (!isOver) continue;
      this.#renewedMs.delete(file);
      await rm(file, { force: true });
      await rmdir(dirname(file)).catch(() => undefined);
      bytes -= size;
    }
    this.#foundBytes = bytes;
  }
}

interface Copy {
  readonly file: string;
  readonly bytes: number;
  readonly usedMs: number;
}

async function copiesIn(folder: string): Promise<readonly Copy[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const copies = await inParallel(files, FILES_AT_ONCE, async (file) => {
    const facts = await stat(file).catch(() => undefined);
    return facts === undefined ? undefined : { file, bytes: facts.size, usedMs: facts.mtimeMs };
  });
  return copies.filter((copy) => copy !== undefined);
}

/** Synced, for a copy that a crash cut short would be taken for a damaged object. */
async function moveSynced(from: string, to: string): Promise<void> {
  const handle = await open(from, "r+");
  await handle.sync();
  await handle.close();
  try {
    await rename(from, to);
  } catch (error) {
    if (systemCode(error) !== "EXDEV") throw error;
    const temporary = `${to}.${uniqueId()}.tmp`;
    await copyFile(from, temporary);
    await rename(temporary, to);
    await rm(from);
  }
}

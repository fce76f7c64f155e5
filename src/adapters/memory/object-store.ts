// A lake in memory: for tests, simulations and small trials.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { ObjectInfo, ObjectStore } from "../../lakehouse/delta/object-store.ts";
import { objectPath } from "../../lakehouse/delta/paths.ts";
import { type Clock, systemClock } from "../../support/clock.ts";
import { AtriumError } from "../../support/errors.ts";

/** An object store that is gone once it is disposed of. */
export type MemoryObjectStore = ObjectStore & AsyncDisposable;

/** Makes an empty store. `localFile` copies objects into a temporary folder, which disposing removes. */
export function memoryObjectStore(clock: Clock = systemClock): MemoryObjectStore {
  const objects = new Map<string, StoredObject>();
  const copies = temporaryCopies();
  const set = (path: string, bytes: Uint8Array): void => {
    objects.set(objectPath(path), { bytes: bytes.slice(), modifiedMs: clock.nowMs() });
  };
  const find = (path: string): StoredObject => {
    const object = objects.get(objectPath(path));
    if (object === undefined) throw new AtriumError("NOT_FOUND", `There is no object ${path} in memory.`);
    return object;
  };
  return {
    url: "memory:",
    get: async (path) => find(path).bytes.slice(),
    put: async (path, bytes) => set(path, bytes),
    putIfAbsent: async (path, bytes) => {
      if (objects.has(objectPath(path))) return false;
      set(path, bytes);
      return true;
    },
    putFile: async (path, localPath) => {
      set(path, await readFile(localPath));
      await rm(localPath);
    },
    list: async (prefix, startAfter = "") => {
      const found: ObjectInfo[] = [];
      for (const [path, { bytes, modifiedMs }] of objects) {
        const isShown = path.startsWith(prefix) && path > startAfter && !isTemporary(path);
        if (isShown) found.push({ path, sizeBytes: bytes.length, modifiedMs });
      }
      return found.toSorted((a, b) => (a.path < b.path ? -1 : 1));
    },
    delete: async (paths) => {
      for (const path of paths) objects.delete(objectPath(path));
    },
    removeAbandoned: async (beforeMs) => {
      const found = [...objects].filter(
        ([path, { modifiedMs }]) => isTemporary(path) && modifiedMs < beforeMs,
      );
      for (const [path] of found) objects.delete(path);
      return found.length;
    },
    localFile: async (path) => copies.copyOf(find(path), path),
    [Symbol.asyncDispose]: async () => {
      objects.clear();
      await copies.remove();
    },
  };
}

const isTemporary = (path: string): boolean => path.endsWith(".tmp");

interface StoredObject {
  readonly bytes: Uint8Array;
  readonly modifiedMs: number;
}

/** Copies of objects as files, each made once, in a folder that is made for the first of them. */
function temporaryCopies(): {
  copyOf(object: StoredObject, path: string): Promise<string>;
  remove(): Promise<void>;
} {
  const files = new Map<StoredObject, Promise<string>>();
  let folder: Promise<string> | undefined;
  const copy = async (object: StoredObject, path: string, index: number): Promise<string> => {
    folder ??= mkdtemp(join(tmpdir(), "atrium-memory-"));
    const file = join(await folder, `${index}-${basename(path)}`);
    await writeFile(file, object.bytes);
    return file;
  };
  return {
    copyOf: async (object, path) => {
      const file = files.get(object) ?? copy(object, path, files.size);
      files.set(object, file);
      return file;
    },
    remove: async () => {
      files.clear();
      if (folder !== undefined) await rm(await folder, { recursive: true, force: true });
    },
  };
}

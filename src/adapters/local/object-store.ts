// A lake in a folder: objects are files, written whole and synced before they are seen.

import type { Dirent } from "node:fs";
import { copyFile, link, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import type { ObjectInfo, ObjectStore } from "../../lakehouse/delta/object-store.ts";
import { objectPath } from "../../lakehouse/delta/paths.ts";
import { uniqueId } from "../../support/chance.ts";
import { AtriumError, type ErrorCode, isAtriumError, messageOf, systemCode } from "../../support/errors.ts";
import { faultPoint } from "../../support/fault-point.ts";

/** The store in `rootDir`, which the first write makes. Several processes may use one folder. */
export function localObjectStore(rootDir: string): ObjectStore {
  const root = resolve(rootDir);
  const makeFolder = folderMaker(root);
  /** The file of an object that will be written: its folder is there and will survive a crash. */
  const newFile = async (path: string): Promise<string> => {
    const file = join(root, objectPath(path));
    await makeFolder(dirname(file));
    return file;
  };
  return {
    url: rootDir,
    get: (path) => explained(`read ${path}`, async () => readFile(join(root, objectPath(path)))),
    put: (path, bytes) => explained(`write ${path}`, async () => put(await newFile(path), bytes)),
    putIfAbsent: (path, bytes) =>
      explained(`write ${path}`, async () => putIfAbsent(await newFile(path), bytes)),
    putFile: (path, localPath) =>
      explained(`move ${localPath} to ${path}`, async () => putFile(await newFile(path), localPath)),
    list: (prefix, startAfter = "") =>
      explained(`list ${prefix}`, async () => list(root, { prefix, startAfter })),
    delete: async (paths) => {
      for (const path of paths) {
        await explained(`delete ${path}`, async () => rm(join(root, objectPath(path)), { force: true }));
      }
    },
    removeAbandoned: (beforeMs) =>
      explained("remove temporary files", async () => removeAbandoned(root, beforeMs)),
    localFile: (path) =>
      explained(`find ${path}`, async () => {
        const file = join(root, objectPath(path));
        await stat(file);
        return file;
      }),
  };
}

async function put(file: string, bytes: Uint8Array): Promise<void> {
  const temporary = await writeTemporary(file, bytes);
  faultPoint("store/put/written");
  await orRemove(temporary, async () => rename(temporary, file));
  faultPoint("store/put/renamed");
  await sync(dirname(file));
}

/** link(2) fails if the name is taken, in one step: that makes the writers of one path agree. */
async function putIfAbsent(file: string, bytes: Uint8Array): Promise<boolean> {
  if (await isThere(file)) return false;
  const temporary = await writeTemporary(file, bytes);
  try {
    faultPoint("store/absent/written");
    await link(temporary, file);
    faultPoint("store/absent/linked");
  } catch (error) {
    const code = systemCode(error) ?? "";
    if (code === "EEXIST") return false;
    throw NO_LINK_CODES.includes(code) ? withoutLinks(file, error) : error;
  } finally {
    await rm(temporary, { force: true });
  }
  await sync(dirname(file));
  return true;
}

async function putFile(file: string, localPath: string): Promise<void> {
  await sync(localPath);
  faultPoint("store/file/synced");
  try {
    await rename(localPath, file);
  } catch (error) {
    if (systemCode(error) !== "EXDEV") throw error;
    await moveAcross(file, localPath);
  }
  faultPoint("store/file/moved");
  await sync(dirname(file));
}

/** Copies a file from another file system, which a rename cannot reach; it is seen when it is whole. */
async function moveAcross(file: string, localPath: string): Promise<void> {
  const temporary = temporaryBeside(file);
  await orRemove(temporary, async () => {
    await copyFile(localPath, temporary);
    await sync(temporary);
    await rename(temporary, file);
  });
  await rm(localPath);
}

interface Selection {
  readonly prefix: string;
  readonly startAfter: string;
}

async function list(root: string, selection: Selection): Promise<readonly ObjectInfo[]> {
  const { prefix } = selection;
  const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
  if (folder !== "") objectPath(folder.slice(0, -1));
  const paths = await pathsIn(root, folder, selection);
  const found = await Promise.all(paths.map(async (path) => infoOf(root, path)));
  return found.filter((info) => info !== undefined).toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** Paths of the files in and below `folder` ("" or ending in a slash). */
async function pathsIn(root: string, folder: string, selection: Selection): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const entry of await entriesOf(join(root, folder))) {
    const path = folder + entry.name;
    if (entry.isDirectory() && mayHold(`${path}/`, selection)) {
      for (const inner of await pathsIn(root, `${path}/`, selection)) paths.push(inner);
    }
    const isShown = path.startsWith(selection.prefix) && path > selection.startAfter && !isTemporary(path);
    if (entry.isFile() && isShown) paths.push(path);
  }
  return paths;
}

/** Of scratch space and the log their owners take care. */
const NOT_OF_TABLES = ["_scratch", "_log"];

async function removeAbandoned(root: string, beforeMs: number): Promise<number> {
  let count = 0;
  for (const entry of await entriesOf(root, true)) {
    const [top = ""] = relative(root, entry.parentPath).split(sep);
    if (!entry.isFile() || !isTemporary(entry.name) || NOT_OF_TABLES.includes(top)) continue;
    const file = join(entry.parentPath, entry.name);
    const facts = await stat(file).catch(() => undefined);
    if (facts === undefined || facts.mtimeMs >= beforeMs) continue;
    await rm(file, { force: true });
    count += 1;
  }
  return count;
}

/** False if no path below the folder is selected. */
function mayHold(folder: string, { prefix, startAfter }: Selection): boolean {
  if (!folder.startsWith(prefix) && !prefix.startsWith(folder)) return false;
  return folder > startAfter || startAfter.startsWith(folder);
}

const isTemporary = (path: string): boolean => path.endsWith(".tmp");

async function entriesOf(folder: string, recursive = false): Promise<readonly Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true, recursive });
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Undefined for a file that was deleted since it was listed. */
async function infoOf(root: string, path: string): Promise<ObjectInfo | undefined> {
  try {
    const { size, mtimeMs } = await stat(join(root, path));
    return { path, sizeBytes: size, modifiedMs: Math.trunc(mtimeMs) };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function isThere(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function writeTemporary(file: string, bytes: Uint8Array): Promise<string> {
  const temporary = temporaryBeside(file);
  await orRemove(temporary, async () => {
    await using handle = await open(temporary, "wx");
    await handle.writeFile(bytes);
    await handle.sync();
  });
  return temporary;
}

async function orRemove(temporary: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function temporaryBeside(file: string): string {
  return join(dirname(file), `${uniqueId()}.tmp`);
}

/** Makes a file's bytes, or a folder's names, survive a crash. */
async function sync(path: string): Promise<void> {
  await using handle = await open(path, "r");
  await handle.sync();
}

/**
 * Makes folders below `root` and syncs the names of new ones. Calls that meet at a folder wait for one another: none
 * returns while the name of a folder above its own could still be lost.
 */
function folderMaker(root: string): (folder: string) => Promise<void> {
  const underWay = new Map<string, Promise<void>>();
  const makeOne = async (folder: string): Promise<void> => {
    const isRoot = folder === root;
    if (!isRoot) await make(dirname(folder));
    try {
      await mkdir(folder, { recursive: isRoot });
    } catch (error) {
      if (systemCode(error) === "EEXIST") return;
      throw error;
    }
    await sync(dirname(folder));
  };
  const make = (folder: string): Promise<void> => {
    const made = underWay.get(folder) ?? makeOne(folder).finally(() => underWay.delete(folder));
    underWay.set(folder, made);
    return made;
  };
  return make;
}

/** What link(2) says where a file system has no hard links. */
const NO_LINK_CODES = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"];
const MISSING_CODES = ["ENOENT", "ENOTDIR", "EISDIR"];
const CODES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOSPC: ["STORE_FULL", "Make room on the disk"],
  EDQUOT: ["STORE_FULL", "Make room within the quota"],
  EACCES: ["STORE_DENIED", "Give this user the right to read and write the lake's folder"],
  EPERM: ["STORE_DENIED", "Give this user the right to read and write the lake's folder"],
  EROFS: ["STORE_DENIED", "The file system is read-only: mount it for writing"],
};

function isMissing(error: unknown): boolean {
  return MISSING_CODES.includes(systemCode(error) ?? "");
}

async function explained<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw isAtriumError(cause) ? cause : localStoreError(what, cause);
  }
}

/** The error of the catalogue for what the file system said; `what` was attempted, as `read bronze/x`. */
export function localStoreError(what: string, cause: unknown): AtriumError {
  const isRead = what.startsWith("read ") || what.startsWith("find ");
  if (isRead && isMissing(cause)) {
    return new AtriumError("NOT_FOUND", `Cannot ${what}: there is no such file in the lake.`, { cause });
  }
  const [code, advice] = CODES[systemCode(cause) ?? ""] ?? ["STORE_FAILED", "Check the disk and try again"];
  return new AtriumError(code, `Cannot ${what}: ${messageOf(cause)}. ${advice}.`, { cause });
}

function withoutLinks(file: string, cause: unknown): AtriumError {
  const message =
    `Cannot commit ${file}: its file system has no hard links, without which two writers could both believe to have ` +
    "committed. Put the lake on a local file system such as ext4, xfs, btrfs or apfs, or on S3.";
  return new AtriumError("STORE_FAILED", message, { cause });
}

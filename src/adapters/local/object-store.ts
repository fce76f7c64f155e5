// A lake in a folder: objects are files, written whole and synced before they are seen.

import { dirname, join, relative, resolve, sep } from "node:path";
import type { ObjectInfo, ObjectStore } from "../../lakehouse/delta/object-store.ts";
import { objectPath } from "../../lakehouse/delta/paths.ts";
import { uniqueId } from "../../support/chance.ts";
import { AtriumError, type ErrorCode, isAtriumError, messageOf, systemCode } from "../../support/errors.ts";
import { faultPoint } from "../../support/fault-point.ts";
import { type FileSystem, type FolderEntry, systemFiles } from "./file-system.ts";

/** What a store works with; simulations give their own. */
export interface LocalStoreOptions {
  /** Default: the machine's. */
  readonly files?: FileSystem;
  /** Makes the names of temporary files; no other process has them. Default: random UUIDs. */
  readonly newId?: () => string;
}

/** The options as every function here needs them. */
type Disk = Required<LocalStoreOptions>;

/** The store in `rootDir`, which the first write makes. Several processes may use one folder. */
export function localObjectStore(rootDir: string, options: LocalStoreOptions = {}): ObjectStore {
  const root = resolve(rootDir);
  const disk: Disk = { files: systemFiles, newId: uniqueId, ...options };
  const { files } = disk;
  const makeFolder = folderMaker(files, root);
  const names = nameKeeper(files, root);
  /** The file of an object that will be written: its folder is there and will survive a crash. */
  const newFile = async (path: string): Promise<string> => {
    const file = join(root, objectPath(path));
    await makeFolder(dirname(file));
    return file;
  };
  return {
    url: rootDir,
    get: (path) =>
      explained(`read ${path}`, async () => {
        const bytes = await files.readFile(join(root, objectPath(path)));
        await names.secure(path);
        return bytes;
      }),
    put: (path, bytes) => explained(`write ${path}`, async () => put(disk, await newFile(path), bytes)),
    putIfAbsent: (path, bytes) =>
      explained(`write ${path}`, async () => putIfAbsent(disk, await newFile(path), bytes)),
    putFile: (path, localPath) =>
      explained(`move ${localPath} to ${path}`, async () => putFile(disk, await newFile(path), localPath)),
    list: (prefix, startAfter = "") =>
      explained(`list ${prefix}`, async () => {
        const found = await list({ files, root }, { prefix, startAfter });
        await names.secureFolder(prefix, found);
        return found;
      }),
    delete: async (paths) => {
      for (const path of paths) {
        await explained(`delete ${path}`, async () =>
          files.rm(join(root, objectPath(path)), { force: true }),
        );
        faultPoint("store/deleted");
      }
    },
    removeAbandoned: (beforeMs) =>
      explained("remove temporary files", async () => removeAbandoned({ files, root }, beforeMs)),
    localFile: (path) =>
      explained(`find ${path}`, async () => {
        const file = join(root, objectPath(path));
        await files.stat(file);
        return file;
      }),
  };
}

async function put(disk: Disk, file: string, bytes: Uint8Array): Promise<void> {
  const { files } = disk;
  const temporary = await writeTemporary(disk, file, bytes);
  faultPoint("store/put/written");
  await orRemove(files, temporary, async () => files.rename(temporary, file));
  faultPoint("store/put/renamed");
  await sync(files, dirname(file));
}

/** link(2) fails if the name is taken, in one step: that makes the writers of one path agree. */
async function putIfAbsent(disk: Disk, file: string, bytes: Uint8Array): Promise<boolean> {
  const { files } = disk;
  const isWon = !(await isThere(files, file)) && (await isLinked(disk, file, bytes));
  // The winner may have died before it came to this: whoever is told that a name is taken may count on it.
  await sync(files, dirname(file));
  return isWon;
}

async function isLinked(disk: Disk, file: string, bytes: Uint8Array): Promise<boolean> {
  const { files } = disk;
  const temporary = await writeTemporary(disk, file, bytes);
  try {
    faultPoint("store/absent/written");
    await files.link(temporary, file);
    faultPoint("store/absent/linked");
    return true;
  } catch (error) {
    const code = systemCode(error) ?? "";
    if (code === "EEXIST") return false;
    throw NO_LINK_CODES.includes(code) ? withoutLinks(file, error) : error;
  } finally {
    await files.rm(temporary, { force: true });
  }
}

async function putFile(disk: Disk, file: string, localPath: string): Promise<void> {
  const { files } = disk;
  await sync(files, localPath);
  faultPoint("store/file/synced");
  try {
    await files.rename(localPath, file);
  } catch (error) {
    if (systemCode(error) !== "EXDEV") throw error;
    await moveAcross(disk, file, localPath);
  }
  faultPoint("store/file/moved");
  await sync(files, dirname(file));
}

/** Copies a file from another file system, which a rename cannot reach; it is seen when it is whole. */
async function moveAcross(disk: Disk, file: string, localPath: string): Promise<void> {
  const { files } = disk;
  const temporary = temporaryBeside(disk, file);
  await orRemove(files, temporary, async () => {
    await files.copyFile(localPath, temporary);
    await sync(files, temporary);
    await files.rename(temporary, file);
  });
  await files.rm(localPath);
}

interface Selection {
  readonly prefix: string;
  readonly startAfter: string;
}

/** The folder of a lake, and how to read it. */
interface Place {
  readonly files: FileSystem;
  readonly root: string;
}

async function list(place: Place, selection: Selection): Promise<readonly ObjectInfo[]> {
  const { prefix } = selection;
  const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
  if (folder !== "") objectPath(folder.slice(0, -1));
  const paths = await pathsIn(place, folder, selection);
  const found = await Promise.all(paths.map(async (path) => infoOf(place, path)));
  return found.filter((info) => info !== undefined).toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** Paths of the files in and below `folder` ("" or ending in a slash). */
async function pathsIn(place: Place, folder: string, selection: Selection): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const entry of await entriesOf(place.files, join(place.root, folder))) {
    const path = folder + entry.name;
    if (entry.isDirectory() && mayHold(`${path}/`, selection)) {
      for (const inner of await pathsIn(place, `${path}/`, selection)) paths.push(inner);
    }
    const isShown = path.startsWith(selection.prefix) && path > selection.startAfter && !isTemporary(path);
    if (entry.isFile() && isShown) paths.push(path);
  }
  return paths;
}

/** Of scratch space and the log their owners take care. */
const NOT_OF_TABLES = ["_scratch", "_log"];

async function removeAbandoned({ files, root }: Place, beforeMs: number): Promise<number> {
  let count = 0;
  for (const entry of await entriesOf(files, root, true)) {
    const [top = ""] = relative(root, entry.parentPath).split(sep);
    if (!entry.isFile() || !isTemporary(entry.name) || NOT_OF_TABLES.includes(top)) continue;
    const file = join(entry.parentPath, entry.name);
    const facts = await files.stat(file).catch(() => undefined);
    if (facts === undefined || facts.mtimeMs >= beforeMs) continue;
    await files.rm(file, { force: true });
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

async function entriesOf(
  files: FileSystem,
  folder: string,
  recursive = false,
): Promise<readonly FolderEntry[]> {
  try {
    return await files.readdir(folder, { withFileTypes: true, recursive });
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Undefined for a file that was deleted since it was listed. */
async function infoOf({ files, root }: Place, path: string): Promise<ObjectInfo | undefined> {
  try {
    const { size, mtimeMs } = await files.stat(join(root, path));
    return { path, sizeBytes: size, modifiedMs: Math.trunc(mtimeMs) };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function isThere(files: FileSystem, file: string): Promise<boolean> {
  try {
    await files.stat(file);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function writeTemporary(disk: Disk, file: string, bytes: Uint8Array): Promise<string> {
  const temporary = temporaryBeside(disk, file);
  await orRemove(disk.files, temporary, async () => {
    await using handle = await disk.files.open(temporary, "wx");
    await handle.writeFile(bytes);
    await handle.sync();
  });
  return temporary;
}

async function orRemove(files: FileSystem, temporary: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await files.rm(temporary, { force: true });
    throw error;
  }
}

function temporaryBeside({ newId }: Disk, file: string): string {
  return join(dirname(file), `${newId()}.tmp`);
}

/** Makes a file's bytes, or a folder's names, survive a crash. */
async function sync(files: FileSystem, path: string): Promise<void> {
  await using handle = await files.open(path, "r");
  await handle.sync();
}

/**
 * Makes folders below `root` and syncs their names, those also that are there already when they are first met: a process
 * that died may have made them. Calls that meet at a folder wait for one another: none returns while the name of a
 * folder above its own could still be lost.
 */
function folderMaker(files: FileSystem, root: string): (folder: string) => Promise<void> {
  const underWay = new Map<string, Promise<void>>();
  const synced = new Set<string>();
  const makeOne = async (folder: string): Promise<void> => {
    if (folder !== root) await make(dirname(folder));
    const isNew = await isMade(files, folder, folder === root);
    if (!isNew && synced.has(folder)) return;
    await sync(files, dirname(folder));
    synced.add(folder);
  };
  const make = (folder: string): Promise<void> => {
    const made = underWay.get(folder) ?? makeOne(folder).finally(() => underWay.delete(folder));
    underWay.set(folder, made);
    return made;
  };
  return make;
}

/** False if the folder was there. */
async function isMade(files: FileSystem, folder: string, recursive: boolean): Promise<boolean> {
  try {
    return (await files.mkdir(folder, { recursive })) !== undefined || !recursive;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** Names that are known to survive a crash: so many, then they are found out again. */
const NAMES_MAX = 10_000;
/** What opening or syncing a folder says to one who may only read it. */
const READ_ONLY_CODES = ["EACCES", "EPERM", "EROFS", "EINVAL"];

/** Makes the names survive that this process has read. */
interface NameKeeper {
  secure(path: string): Promise<void>;
  /** The same for the objects of a listing that are in the folder of its prefix itself. */
  secureFolder(prefix: string, objects: readonly ObjectInfo[]): Promise<void>;
}

/**
 * A commit can be read before its writer has synced its name, or when the writer died before that. Whoever reads it may
 * build on it, so it must not go away any more: the reader syncs it too, unless it knows that this was done.
 */
function nameKeeper(files: FileSystem, root: string): NameKeeper {
  const secured = new Set<string>();
  const secureAll = async (folder: string, paths: readonly string[]): Promise<void> => {
    if (paths.every((path) => secured.has(path))) return;
    try {
      await sync(files, join(root, folder));
    } catch (error) {
      if (!READ_ONLY_CODES.includes(systemCode(error) ?? "")) throw error;
    }
    if (secured.size + paths.length > NAMES_MAX) secured.clear();
    for (const path of paths) secured.add(path);
  };
  return {
    secure: async (path) => secureAll(dirname(path), [path]),
    secureFolder: async (prefix, objects) => {
      const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
      const inside = objects.filter(({ path }) => path.lastIndexOf("/") + 1 === folder.length);
      await secureAll(
        folder,
        inside.map(({ path }) => path),
      );
    },
  };
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

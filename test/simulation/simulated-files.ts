// The file system of a simulated process: every call is a step of the scheduler on the shared disk.

import type { FileSystem } from "../../src/adapters/local/file-system.ts";
import type { Chance } from "../../src/support/chance.ts";
import { type Disk, type DiskNode, systemError } from "./disk.ts";
import type { Scheduler, SimProcess } from "./scheduler.ts";

/** Where a process's calls go. */
export interface FilesOptions {
  readonly disk: Disk;
  readonly scheduler: Scheduler;
  readonly process: SimProcess;
  readonly chance: Chance;
}

/** The file system as a process of the simulation sees it. */
export function simulatedFiles({ disk, scheduler, process, chance }: FilesOptions): FileSystem {
  const call = async <T>(label: string, effect: () => T, tear?: () => void): Promise<T> =>
    scheduler.perform(process, label, {
      effect,
      fault: () => systemError(chance.below(8) === 0 ? "ENOSPC" : "EIO", label),
      ...(tear === undefined ? {} : { tear }),
    });
  return {
    open: async (path, flags) => {
      const node = await call(`open ${flags} ${path}`, () =>
        flags === "wx" ? disk.create(path) : disk.node(path),
      );
      return {
        writeFile: async (bytes) => {
          const tear = (): void => disk.write(node, bytes.subarray(0, chance.below(bytes.length + 1)));
          await call(`write ${path}`, () => disk.write(node, bytes), tear);
        },
        sync: async () => call(`sync ${path}`, () => disk.sync(node)),
        [Symbol.asyncDispose]: async () => undefined,
      };
    },
    readFile: async (path) => call(`read ${path}`, () => disk.read(path)),
    copyFile: async (from, to) => call(`copy ${from} to ${to}`, () => disk.copy(from, to)),
    link: async (existing, path) => call(`link ${path}`, () => disk.link(existing, path)),
    rename: async (from, to) => call(`rename ${from} to ${to}`, () => disk.rename(from, to)),
    rm: async (path, options) => call(`rm ${path}`, () => disk.rm(path, options?.force ?? false)),
    mkdir: async (path, { recursive }) => call(`mkdir ${path}`, () => disk.mkdir(path, recursive)),
    readdir: async (path, { recursive }) => {
      const entries = await call(`list ${path}`, () => disk.list(path, recursive));
      return entries.map(({ name, parentPath, node }) => ({
        name,
        parentPath,
        isFile: () => node.kind === "file",
        isDirectory: () => node.kind === "folder",
      }));
    },
    stat: async (path) => call(`stat ${path}`, () => factsOf(disk.node(path))),
  };
}

/** The disk without a scheduler: for looking at it when all is over. */
export function plainFiles(disk: Disk): FileSystem {
  const refused = async (): Promise<never> => {
    throw systemError("EROFS", "looking only");
  };
  return {
    open: refused,
    readFile: async (path) => disk.read(path),
    copyFile: refused,
    link: refused,
    rename: refused,
    rm: refused,
    mkdir: refused,
    readdir: async (path, { recursive }) =>
      disk.list(path, recursive).map(({ name, parentPath, node }) => ({
        name,
        parentPath,
        isFile: () => node.kind === "file",
        isDirectory: () => node.kind === "folder",
      })),
    stat: async (path) => factsOf(disk.node(path)),
  };
}

function factsOf(node: DiskNode): { readonly size: number; readonly mtimeMs: number } {
  return { size: node.kind === "file" ? node.bytes.length : 0, mtimeMs: node.mtimeMs };
}

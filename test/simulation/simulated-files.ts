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
  return filesOn(disk, async ({ label, effect, tear }) =>
    scheduler.perform(process, label, {
      effect,
      fault: () => systemError(chance.below(8) === 0 ? "ENOSPC" : "EIO", label),
      ...(tear === undefined ? {} : { tear: () => tear(chance.next()) }),
    }),
  );
}

/** The disk without a scheduler: every call happens at once. */
export function plainFiles(disk: Disk): FileSystem {
  return filesOn(disk, async ({ effect }) => effect());
}

/** A call of the file system. */
interface Call<T> {
  readonly label: string;
  readonly effect: () => T;
  /** Does only this share of it, 0 to 1. */
  readonly tear?: (share: number) => void;
}

function filesOn(disk: Disk, perform: <T>(call: Call<T>) => Promise<T>): FileSystem {
  const call = async <T>(label: string, effect: () => T): Promise<T> => perform({ label, effect });
  return {
    open: async (path, flags) => {
      const node = await call(`open ${flags} ${path}`, () =>
        flags === "wx" ? disk.create(path) : disk.node(path),
      );
      return {
        writeFile: async (bytes) => {
          const tear = (share: number): void =>
            disk.write(node, bytes.subarray(0, Math.floor(share * bytes.length)));
          await perform({ label: `write ${path}`, effect: () => disk.write(node, bytes), tear });
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

function factsOf(node: DiskNode): { readonly size: number; readonly mtimeMs: number } {
  return { size: node.kind === "file" ? node.bytes.length : 0, mtimeMs: node.mtimeMs };
}

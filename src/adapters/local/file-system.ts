// What the local store uses of the file system, so that a simulated disk can take its place.

import { copyFile, link, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";

/** An open file or folder. */
export interface OpenFile extends AsyncDisposable {
  writeFile(bytes: Uint8Array): Promise<void>;
  /** Makes the bytes of a file, or the names in a folder, survive a crash. */
  sync(): Promise<void>;
}

/** A name in a folder. */
export interface FolderEntry {
  readonly name: string;
  /** The folder that it is in. */
  readonly parentPath: string;
  isFile(): boolean;
  isDirectory(): boolean;
}

/** Calls of node:fs/promises, with their errors (`code` ENOENT, EEXIST …). */
export interface FileSystem {
  /** `wx` makes the file and fails if it is there. */
  open(path: string, flags: "r" | "wx"): Promise<OpenFile>;
  readFile(path: string): Promise<Uint8Array>;
  copyFile(from: string, to: string): Promise<void>;
  link(existing: string, path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  rm(path: string, options?: { readonly force: boolean }): Promise<void>;
  mkdir(path: string, options: { readonly recursive: boolean }): Promise<unknown>;
  readdir(
    path: string,
    options: { readonly withFileTypes: true; readonly recursive: boolean },
  ): Promise<readonly FolderEntry[]>;
  stat(path: string): Promise<{ readonly size: number; readonly mtimeMs: number }>;
}

/** The machine's own. */
export const systemFiles: FileSystem = {
  open: async (path, flags) => open(path, flags),
  readFile: async (path) => readFile(path),
  copyFile: async (from, to) => copyFile(from, to),
  link: async (existing, path) => link(existing, path),
  rename: async (from, to) => rename(from, to),
  rm: async (path, options) => rm(path, options),
  mkdir: async (path, options) => mkdir(path, options),
  readdir: async (path, options) => readdir(path, options),
  stat: async (path) => stat(path),
};

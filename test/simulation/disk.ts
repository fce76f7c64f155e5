// A disk in memory with what a power cut leaves of it: bytes and names that were not synced may be lost, old or torn.

import { dirname, join } from "node:path";
import type { Chance } from "../../src/support/chance.ts";

/** A file: its bytes now, and those that a power cut cannot take. */
interface FileNode {
  readonly kind: "file";
  bytes: Uint8Array;
  synced: Uint8Array;
  mtimeMs: number;
}

/** A folder: its names now, and those that a power cut cannot take. */
interface FolderNode {
  readonly kind: "folder";
  entries: Map<string, DiskNode>;
  synced: Map<string, DiskNode>;
  mtimeMs: number;
}

/** What a name stands for. */
export type DiskNode = FileNode | FolderNode;

/** An entry of a folder. */
export interface DiskEntry {
  readonly name: string;
  readonly parentPath: string;
  readonly node: DiskNode;
}

/** System calls of the simulated disk: each happens as a whole. Errors are those of node:fs. */
export class Disk {
  #root = newFolder();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The file or folder at a path. @throws ENOENT, ENOTDIR */
  node(path: string): DiskNode {
    let node: DiskNode = this.#root;
    for (const part of partsOf(path)) {
      if (node.kind === "file") throw systemError("ENOTDIR", path);
      const next = node.entries.get(part);
      if (next === undefined) throw systemError("ENOENT", path);
      node = next;
    }
    return node;
  }

  has(path: string): boolean {
    try {
      this.node(path);
      return true;
    } catch {
      return false;
    }
  }

  read(path: string): Uint8Array {
    return this.#file(path).bytes;
  }

  /** Makes an empty file. @throws EEXIST */
  create(path: string): DiskNode {
    const file: FileNode = {
      kind: "file",
      bytes: new Uint8Array(0),
      synced: new Uint8Array(0),
      mtimeMs: this.#nowMs(),
    };
    this.#enter(path, file, false);
    return file;
  }

  write(node: DiskNode, bytes: Uint8Array): void {
    if (node.kind === "folder") throw systemError("EISDIR", "a folder");
    node.bytes = Uint8Array.from(bytes);
    node.mtimeMs = this.#nowMs();
  }

  /** Bytes of a file, or names of a folder (not what they stand for), survive from now on. */
  sync(node: DiskNode): void {
    if (node.kind === "file") node.synced = node.bytes;
    else node.synced = new Map(node.entries);
  }

  /** The first folder that was made; undefined if all were there. @throws EEXIST where it is not recursive */
  mkdir(path: string, recursive: boolean): string | undefined {
    if (recursive && this.has(path)) return undefined;
    const above = recursive && path !== "/" ? this.mkdir(dirname(path), true) : undefined;
    this.#enter(path, newFolder(this.#nowMs()), false);
    return above ?? path;
  }

  link(existing: string, path: string): void {
    this.#enter(path, this.#file(existing), false);
  }

  rename(from: string, to: string): void {
    const node = this.#file(from);
    this.#enter(to, node, true);
    this.#folder(dirname(from)).entries.delete(nameOf(from));
  }

  copy(from: string, to: string): void {
    this.write(this.create(to), this.read(from));
  }

  rm(path: string, force: boolean): void {
    if (force && !this.has(path)) return;
    this.#file(path);
    this.#folder(dirname(path)).entries.delete(nameOf(path));
  }

  list(path: string, recursive: boolean): readonly DiskEntry[] {
    return [...this.#folder(path).entries].flatMap(([name, node]) => [
      { name, parentPath: path, node },
      ...(recursive && node.kind === "folder" ? this.list(join(path, name), true) : []),
    ]);
  }

  /** Keeps what was synced; of every other change chance decides, each on its own. */
  powerCut(chance: Chance): void {
    const lostShare = chance.next();
    const done = new Set<DiskNode>();
    const settle = (node: DiskNode): void => {
      if (done.has(node)) return;
      done.add(node);
      if (node.kind === "file") {
        node.bytes = node.bytes === node.synced ? node.bytes : tornBytes(node, chance);
        node.synced = node.bytes;
        return;
      }
      const kept = new Map<string, DiskNode>();
      for (const name of new Set([...node.entries.keys(), ...node.synced.keys()])) {
        const [now, before] = [node.entries.get(name), node.synced.get(name)];
        const survivor = now === before || chance.next() >= lostShare ? now : before;
        if (survivor !== undefined) kept.set(name, survivor);
      }
      node.entries = kept;
      node.synced = new Map(kept);
      for (const child of kept.values()) settle(child);
    };
    settle(this.#root);
  }

  #file(path: string): FileNode {
    const node = this.node(path);
    if (node.kind === "folder") throw systemError("EISDIR", path);
    return node;
  }

  #folder(path: string): FolderNode {
    const node = this.node(path);
    if (node.kind === "file") throw systemError("ENOTDIR", path);
    return node;
  }

  #enter(path: string, node: DiskNode, replace: boolean): void {
    const { entries } = this.#folder(dirname(path));
    const name = nameOf(path);
    if (!replace && entries.has(name)) throw systemError("EEXIST", path);
    if (entries.get(name)?.kind === "folder") throw systemError("EISDIR", path);
    entries.set(name, node);
  }
}

/** An error as node:fs throws it. */
export function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: simulated, '${path}'`), { code });
}

function newFolder(mtimeMs = 0): FolderNode {
  return { kind: "folder", entries: new Map(), synced: new Map(), mtimeMs };
}

/** Old, new, or the first part of the new. */
function tornBytes({ bytes, synced }: FileNode, chance: Chance): Uint8Array {
  const kind = chance.below(3);
  if (kind === 0) return synced;
  return kind === 1 ? bytes : bytes.slice(0, chance.below(bytes.length + 1));
}

function partsOf(path: string): readonly string[] {
  return path.split("/").filter((part) => part !== "");
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

// The cache of what services are made of: filled once a machine, by one process at a time, whole or not at all.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { withLock } from "./lock.ts";
import { missingOf, type Program } from "./program.ts";
import type { Say } from "./service.ts";

/** A folder of the cache and how it is made. */
export interface Package {
  /** Name and version; the folder's name. */
  readonly name: string;
  /** What only the making needs. */
  readonly needs: readonly Program[];
  /** Fills an empty folder. */
  fill(folder: string): Promise<void>;
}

/** Where downloads are kept from run to run, outside of the checkout: ATRIUM_CACHE, as in .ci/run. */
export function cacheFolder(): string {
  const { ATRIUM_CACHE, XDG_CACHE_HOME } = process.env;
  if (ATRIUM_CACHE !== undefined && ATRIUM_CACHE !== "") return resolve(ATRIUM_CACHE);
  const caches =
    XDG_CACHE_HOME === undefined || XDG_CACHE_HOME === "" ? join(homedir(), ".cache") : XDG_CACHE_HOME;
  return join(caches, "atrium");
}

/** The folder of a package; it exists only when it is whole. */
export function folderOf({ name }: Package): string {
  return join(cacheFolder(), name);
}

/** True when the package is in the cache. */
export function isInstalled(wanted: Package): boolean {
  return existsSync(folderOf(wanted));
}

/**
 * Puts the package into the cache, if it is not there. Two at once: the second waits for the first. An interrupted one
 * leaves a `.part-` folder, which the next removes. @throws Error if a program is missing or the making fails.
 */
export async function install(wanted: Package, say: Say): Promise<void> {
  if (isInstalled(wanted)) return;
  const missing = await missingOf(wanted.needs);
  if (missing !== undefined) throw new Error(missing);
  mkdirSync(cacheFolder(), { recursive: true });
  await withLock(join(cacheFolder(), `${wanted.name}.lock`), async () => {
    if (isInstalled(wanted)) return;
    removeParts(wanted);
    say(`installing ${wanted.name} into ${cacheFolder()}`);
    const part = await mkdtemp(`${folderOf(wanted)}.part-`);
    try {
      await wanted.fill(part);
      renameSync(part, folderOf(wanted));
    } finally {
      rmSync(part, { recursive: true, force: true });
    }
  });
}

function removeParts({ name }: Package): void {
  for (const entry of readdirSync(cacheFolder())) {
    if (entry.startsWith(`${name}.part-`)) {
      rmSync(join(cacheFolder(), entry), { recursive: true, force: true });
    }
  }
}

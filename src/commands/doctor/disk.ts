// Doctor's look at the disk: how much is free, what the lake takes, and what is left over in it.

import { readdir, stat, statfs } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { isS3Url } from "../../support/s3-url.ts";
import type { CommandContext } from "../command.ts";
import { type Finding, megabytes, plural } from "./finding.ts";

/** Less free disk than this is a warning, bytes; so is less than a tenth of the lake, which compaction may need. */
const FREE_BYTES_MIN = 1024 ** 3;
const FREE_SHARE_MIN = 0.1;

/** The free space where the lake is or will be, and the bytes of its parts. */
export async function examineDisk({ config }: CommandContext): Promise<readonly Finding[]> {
  const isHere = !isS3Url(config.lake.url);
  const url = isHere ? config.lake.url : config.cache.folder;
  const free = (await diskSpace(url))?.freeBytes;
  if (free === undefined) return [{ state: "fail", what: "disk", found: `${url} cannot be examined` }];
  if (!isHere) {
    const found = `${megabytes(free)} free for copies and scratch files in ${url}`;
    return [{ state: free < FREE_BYTES_MIN ? "warn" : "ok", what: "disk", found }];
  }
  const sizes = await sizesIn(url);
  const isLow = free < FREE_BYTES_MIN || free < sizes.total * FREE_SHARE_MIN;
  if (sizes.total === 0) {
    const found = `${megabytes(free)} free for ${url}`;
    return [{ state: isLow ? "warn" : "ok", what: "disk", found }];
  }
  const taken = `${megabytes(sizes.tables)} in tables, ${megabytes(sizes.log)} in the log`;
  const found = `${megabytes(free)} free for ${url}, which takes ${megabytes(sizes.total)}: ${taken}`;
  const disk: Finding = { state: isLow ? "warn" : "ok", what: "disk", found };
  const left = `${megabytes(sizes.scratch)} in ${plural(sizes.processes, "scratch folder")}, ${plural(sizes.temporary, "temporary file")}`;
  const why = sizes.processes + sizes.temporary === 0 ? "none" : `${left}: of what runs now, or was killed`;
  return [disk, { state: "ok", what: "leftovers", found: why }];
}

/** Space of the disk of a folder, or of the nearest one above it that is there; undefined if it cannot be examined. */
export async function diskSpace(
  path: string,
): Promise<{ readonly freeBytes: number; readonly sizeBytes: number } | undefined> {
  for (let folder = path; ; folder = dirname(folder)) {
    const facts = await statfs(folder).catch(() => undefined);
    if (facts !== undefined) {
      return { freeBytes: facts.bavail * facts.bsize, sizeBytes: facts.blocks * facts.bsize };
    }
    if (dirname(folder) === folder) return undefined;
  }
}

/** Bytes in the parts of a lake's folder. */
interface Sizes {
  total: number;
  tables: number;
  log: number;
  scratch: number;
  /** Folders in scratch space: one a process. */
  processes: number;
  /** Files of puts that are under way or never ended. */
  temporary: number;
}

async function sizesIn(url: string): Promise<Sizes> {
  const sizes: Sizes = { total: 0, tables: 0, log: 0, scratch: 0, processes: 0, temporary: 0 };
  const entries = await readdir(url, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const [top = "", ...rest] = relative(url, path).split(sep);
    if (entry.isDirectory()) {
      if (top === "_scratch" && rest.length === 1) sizes.processes += 1;
      continue;
    }
    // A file that is gone by now takes nothing.
    const size = (await stat(path).catch(() => undefined))?.size ?? 0;
    sizes.total += size;
    if (top === "_scratch") sizes.scratch += size;
    else if (top === "_log") sizes.log += size;
    else if (!top.startsWith("_")) sizes.tables += size;
    if (entry.name.endsWith(".tmp") && top !== "_scratch") sizes.temporary += 1;
  }
  return sizes;
}

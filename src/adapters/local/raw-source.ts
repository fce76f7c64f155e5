// The RawSource port over a folder.

import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { RawEntry, RawOpening, RawSource } from "../../replay/raw-source.ts";
import { AtriumError, messageOf, systemCode } from "../../support/errors.ts";

/** The raw files of the folder `dir`. */
export function localRawSource(dir: string): RawSource {
  const handles = { held: 0 };
  return {
    name: dir,
    list: () => listFolder(dir),
    open: (path, opening) => fileChunks(dir, path, { ...opening, handles }),
  };
}

/** Files held open at a time; the others are opened anew for each chunk. */
const HANDLES_MAX = 512;
const STATS_AT_ONCE = 64;

interface ChunkOptions extends RawOpening {
  readonly handles: { held: number };
}

async function* fileChunks(dir: string, path: string, options: ChunkOptions): AsyncGenerator<Uint8Array> {
  const { handles, chunkBytes } = options;
  const isHeld = handles.held < HANDLES_MAX;
  if (isHeld) handles.held += 1;
  try {
    const handle = isHeld ? await open(join(dir, path)) : undefined;
    try {
      for (let at = options.fromBytes; ;) {
        const chunk = Buffer.allocUnsafeSlow(chunkBytes);
        const { bytesRead } =
          handle === undefined
            ? await readOnce(join(dir, path), chunk, at)
            : await handle.read(chunk, 0, chunkBytes, at);
        if (bytesRead === 0) return;
        at += bytesRead;
        yield chunk.subarray(0, bytesRead);
      }
    } finally {
      await handle?.close();
    }
  } catch (error) {
    throw unreadable(path, error);
  } finally {
    if (isHeld) handles.held -= 1;
  }
}

async function readOnce(file: string, chunk: Buffer, at: number): Promise<{ readonly bytesRead: number }> {
  const handle = await open(file);
  try {
    return await handle.read(chunk, 0, chunk.length, at);
  } finally {
    await handle.close();
  }
}

async function listFolder(dir: string): Promise<readonly RawEntry[]> {
  const paths: string[] = [];
  for (const room of await namesIn(dir, "")) {
    for (const name of await namesIn(dir, room)) paths.push(`${room}/${name}`);
  }
  const entries: RawEntry[] = [];
  for (let from = 0; from < paths.length; from += STATS_AT_ONCE) {
    const found = await Promise.all(
      paths.slice(from, from + STATS_AT_ONCE).map((path) => entryAt(dir, path)),
    );
    entries.push(...found.filter((entry) => entry !== undefined));
  }
  return entries;
}

/** Names in the source folder or in one room; hidden ones are left out, and a file in place of a room has none. */
async function namesIn(dir: string, room: string): Promise<readonly string[]> {
  try {
    return (await readdir(join(dir, room))).filter((name) => !name.startsWith("."));
  } catch (error) {
    if (room === "") {
      throw new AtriumError(
        "SOURCE_MISSING",
        `The raw folder ${dir} cannot be read: ${messageOf(error)}. Check SOURCE_URL.`,
        { cause: error },
      );
    }
    if (systemCode(error) === "ENOTDIR" || systemCode(error) === "ENOENT") return [];
    throw unreadable(room, error);
  }
}

async function entryAt(dir: string, path: string): Promise<RawEntry | undefined> {
  try {
    const found = await stat(join(dir, path));
    return found.isFile() ? { path, sizeBytes: found.size } : undefined;
  } catch (error) {
    // Deleted since the folder was read, or a link to nowhere.
    if (systemCode(error) === "ENOENT") return undefined;
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): AtriumError {
  return new AtriumError(
    "SOURCE_UNREADABLE",
    `The raw file ${path} cannot be read: ${messageOf(error)}. Check the disk and the file's permissions, then start again.`,
    {
      cause: error,
      details: { file: path },
    },
  );
}

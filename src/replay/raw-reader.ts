// Reads one raw file chunk by chunk, inflating it where it is packed.

import { pipeline } from "node:stream/promises";
import { constants, createGunzip } from "node:zlib";
import { AtriumError, isAtriumError, messageOf } from "../support/errors.ts";
import type { RawOpening, RawSource } from "./raw-source.ts";
import type { RawFile } from "./select-files.ts";

/** The raw bytes of one file. */
export interface RawReader extends AsyncDisposable {
  /** The next chunk, or undefined at the end of the file; one call at a time. @throws SOURCE_UNREADABLE */
  read(): Promise<Uint8Array | undefined>;
  /** Bytes fetched from the source so far, as stored, with those that were passed over. */
  readonly sourceBytes: number;
}

/**
 * Opens a file at `fromBytes` of its raw bytes: a packed file is inflated up to there. Where a packed file is damaged,
 * what comes before the damage is read (all of it if the file is cut short), then the error is thrown.
 */
export function openRawReader(source: RawSource, file: RawFile, opening: RawOpening): RawReader {
  const progress = { sourceBytes: file.compressed ? 0 : opening.fromBytes };
  const stored = (from: RawOpening): AsyncIterable<Uint8Array> =>
    counted(source.open(file.path, from), progress);
  const chunks = file.compressed ? inflated(file, stored, opening) : stored(opening);
  const iterator = chunks[Symbol.asyncIterator]();
  return {
    read: async () => {
      const next = await iterator.next();
      return next.done === true ? undefined : next.value;
    },
    get sourceBytes() {
      return Math.min(progress.sourceBytes, file.sizeBytes);
    },
    [Symbol.asyncDispose]: async () => {
      await iterator.return?.();
    },
  };
}

type OpenStored = (opening: RawOpening) => AsyncIterable<Uint8Array>;

const PACKED_CHUNK_BYTES = 65_536;
/** What of a damaged file may be lost right before the damage; the smaller, the slower its second reading. */
const SALVAGE_CHUNK_BYTES = 512;

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  progress: { sourceBytes: number },
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    progress.sourceBytes += chunk.length;
    yield chunk;
  }
}

async function* inflated(file: RawFile, stored: OpenStored, opening: RawOpening): AsyncGenerator<Uint8Array> {
  const { fromBytes, chunkBytes } = opening;
  const place = { bytes: 0 };
  try {
    const packed = stored({ fromBytes: 0, chunkBytes: Math.min(PACKED_CHUNK_BYTES, chunkBytes) });
    yield* behind(fromBytes, gunzip(packed, { chunkSize: chunkBytes }), place);
  } catch (error) {
    if (isAtriumError(error)) throw error;
    yield* salvaged(stored, Math.max(place.bytes, fromBytes));
    throw new AtriumError(
      "SOURCE_UNREADABLE",
      `${file.path} is no valid gzip file: ${messageOf(error)}. What comes before the damage has been replayed. Put a whole file in its place and start again.`,
      {
        cause: error,
        details: { file: file.path },
      },
    );
  }
}

/**
 * zlib drops what it has inflated in the step in which it fails. So the file is inflated once more in small steps, and
 * without minding that it ends too early, to give what lies between `fromBytes` and the damage.
 */
async function* salvaged(stored: OpenStored, fromBytes: number): AsyncGenerator<Uint8Array> {
  const steps = {
    chunkSize: SALVAGE_CHUNK_BYTES,
    readableHighWaterMark: 1,
    finishFlush: constants.Z_SYNC_FLUSH,
  };
  try {
    yield* behind(fromBytes, gunzip(stored({ fromBytes: 0, chunkBytes: PACKED_CHUNK_BYTES }), steps));
  } catch {
    // The damage again: the caller reports it.
  }
}

/** What of the chunks lies behind their first `fromBytes`; `place` follows what has been looked at. */
async function* behind(
  fromBytes: number,
  chunks: AsyncIterable<Uint8Array>,
  place = { bytes: 0 },
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    const passed = Math.max(0, fromBytes - place.bytes);
    place.bytes += chunk.length;
    if (passed < chunk.length) yield chunk.subarray(passed);
  }
}

function gunzip(
  packed: AsyncIterable<Uint8Array>,
  options: { readonly chunkSize: number; readonly finishFlush?: number },
): AsyncIterable<Buffer> {
  const unpacking = createGunzip(options);
  // Its failure reaches the reader of `unpacking`, too: here it must only not count as unhandled.
  pipeline(packed, unpacking).catch(() => undefined);
  return unpacking;
}

// Fetches an object into a local file: a small one in one request, a large one in ranges side by side.

import { open, type FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { isAtriumError } from "../../support/errors.ts";
import { inParallel } from "../../support/parallel.ts";
import { PART_BYTES, type S3Access } from "./client.ts";
import { isNamed } from "./errors.ts";

const RANGES_AT_ONCE = 4;

/** Fewer bytes came than the answer promised. */
class CutShort extends Error {
  override readonly name = "CutShort";
}

/** Writes the object into a new file and syncs it; returns its size, bytes. @throws NOT_FOUND, STORE_* */
export async function downloadTo(s3: S3Access, key: string, localPath: string): Promise<number> {
  try {
    await using file = await open(localPath, "wx", 0o600);
    const first = await firstRange(s3, key, file);
    const starts: number[] = [];
    for (let from = PART_BYTES; from < first.sizeBytes; from += PART_BYTES) starts.push(from);
    await inParallel(starts, RANGES_AT_ONCE, async (from) => {
      await range(s3, { key, file, from, etag: first.etag });
    });
    await file.sync();
    return first.sizeBytes;
  } catch (cause) {
    throw s3.explain(`read ${key}`, cause);
  }
}

interface Found {
  readonly sizeBytes: number;
  readonly etag: string | undefined;
}

async function firstRange(s3: S3Access, key: string, file: FileHandle): Promise<Found> {
  try {
    return await range(s3, { key, file, from: 0 });
  } catch (error) {
    // No range of an object without bytes can be had.
    if (isAtriumError(error) && isNamed(error.cause, "InvalidRange")) {
      return { sizeBytes: 0, etag: undefined };
    }
    throw error;
  }
}

async function range(
  s3: S3Access,
  {
    key,
    file,
    from,
    etag,
  }: {
    readonly key: string;
    readonly file: FileHandle;
    readonly from: number;
    readonly etag?: string | undefined;
  },
): Promise<Found> {
  const command = new GetObjectCommand({
    Bucket: s3.bucket,
    Key: key,
    Range: `bytes=${from}-${from + PART_BYTES - 1}`,
    ...(etag === undefined ? {} : { IfMatch: etag }),
  });
  return s3.request(
    `read ${key}`,
    async (abortSignal) => {
      const { Body, ContentRange, ContentLength, ETag } = await s3.client.send(command, { abortSignal });
      const bytes = Body instanceof Readable ? await writeAll(file, Body, from) : 0;
      if (bytes !== ContentLength) throw new CutShort(`${bytes} of ${ContentLength} bytes came`);
      const size = /\/(\d+)$/.exec(ContentRange ?? "")?.[1];
      return { sizeBytes: size === undefined ? bytes : Number(size), etag: ETag };
    },
    s3.limits.partMsMax,
  );
}

async function writeAll(file: FileHandle, body: Readable, from: number): Promise<number> {
  let at = from;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    for (let done = 0; done < chunk.length;) {
      const { bytesWritten } = await file.write(chunk, done, chunk.length - done, at);
      done += bytesWritten;
      at += bytesWritten;
    }
  }
  return at - from;
}

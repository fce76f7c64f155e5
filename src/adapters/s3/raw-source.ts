// The RawSource port over the prefix of a bucket. Files are read by ranges, so that no connection waits for a slow replay.

import { GetObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import type { RawEntry, RawOpening, RawSource } from "../../replay/raw-source.ts";
import { AtriumError, isAtriumError, messageOf } from "../../support/errors.ts";
import { s3UrlOf } from "../../support/s3-url.ts";
import { openS3, type S3Access, type S3Options } from "./client.ts";
import { isNamed, statusOf } from "./errors.ts";

/** A source that is to be closed. */
export type S3RawSource = RawSource & AsyncDisposable;

/** Bytes of a range; less than that is not worth a request. */
const RANGE_BYTES_MIN = 262_144;

/** The raw files below the prefix of a bucket. */
export function s3RawSource(options: S3Options): S3RawSource {
  const { prefix } = options.place;
  const access = openS3(options);
  const s3: Place = { ...access, prefix, name: `${s3UrlOf(options.place)}/` };
  return {
    name: s3.name,
    list: async () => list(s3),
    open: (path, opening) => chunks(s3, path, opening),
    [Symbol.asyncDispose]: async () => access[Symbol.asyncDispose](),
  };
}

type Place = S3Access & { readonly prefix: string; readonly name: string };

async function list(s3: Place): Promise<readonly RawEntry[]> {
  const entries: RawEntry[] = [];
  let isThere = false;
  let token: string | undefined;
  do {
    const page = await pageAfter(s3, token);
    for (const { Key = "", Size = 0 } of page.Contents ?? []) {
      const path = Key.slice(s3.prefix.length);
      const parts = path.split("/");
      isThere = true;
      if (parts.length === 2 && parts.every((part) => part !== "" && !part.startsWith("."))) {
        entries.push({ path, sizeBytes: Size });
      }
    }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
  if (isThere) return entries;
  throw new AtriumError("SOURCE_MISSING", `There is nothing in ${s3.name}. Check SOURCE_URL.`);
}

async function pageAfter(s3: Place, token: string | undefined) {
  const command = new ListObjectsV2Command({
    Bucket: s3.bucket,
    Prefix: s3.prefix,
    ...(token === undefined ? {} : { ContinuationToken: token }),
  });
  try {
    return await s3.request(`list ${s3.name}`, async (abortSignal) =>
      s3.client.send(command, { abortSignal }),
    );
  } catch (cause) {
    const message = `The raw files in ${s3.name} cannot be listed: ${messageOf(cause)}`;
    throw new AtriumError("SOURCE_MISSING", message, { cause });
  }
}

async function* chunks(
  s3: Place,
  path: string,
  { fromBytes, chunkBytes }: RawOpening,
): AsyncGenerator<Uint8Array> {
  const rangeBytes = Math.max(chunkBytes, RANGE_BYTES_MIN);
  let etag: string | undefined;
  for (let at = fromBytes, isEnd = false; !isEnd;) {
    const range = await readRange(s3, path, { from: at, length: rangeBytes, etag });
    etag = range.etag;
    at += range.bytes.length;
    isEnd = range.bytes.length < rangeBytes;
    for (let start = 0; start < range.bytes.length; start += chunkBytes) {
      // A copy: the whole range would else live as long as one of its chunks.
      yield range.bytes.slice(start, start + chunkBytes);
    }
  }
}

interface Range {
  readonly bytes: Uint8Array;
  readonly etag: string | undefined;
}

async function readRange(
  s3: Place,
  path: string,
  {
    from,
    length,
    etag,
  }: { readonly from: number; readonly length: number; readonly etag: string | undefined },
): Promise<Range> {
  const command = new GetObjectCommand({
    Bucket: s3.bucket,
    Key: s3.prefix + path,
    Range: `bytes=${from}-${from + length - 1}`,
    // Another file under the same name would give lines that never were.
    ...(etag === undefined ? {} : { IfMatch: etag }),
  });
  try {
    return await s3.request(
      `read ${path}`,
      async (abortSignal) => {
        const { Body, ETag } = await s3.client.send(command, { abortSignal });
        return { bytes: (await Body?.transformToByteArray()) ?? new Uint8Array(), etag: ETag };
      },
      s3.limits.partMsMax,
    );
  } catch (error) {
    const cause = isAtriumError(error) ? error.cause : error;
    if (isNamed(cause, "InvalidRange") || statusOf(cause) === 416) return { bytes: new Uint8Array(), etag };
    throw unreadable(path, error, statusOf(cause) === 412);
  }
}

function unreadable(path: string, cause: unknown, isChanged: boolean): AtriumError {
  const why = isChanged ? "it was replaced while it was read. Start again." : messageOf(cause);
  const message = `The raw file ${path} cannot be read: ${why}`;
  return new AtriumError("SOURCE_UNREADABLE", message, { cause, details: { file: path } });
}

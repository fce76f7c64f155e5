// A lake on S3: one object a file; commits are conditional puts, data files are read through a local cache.

import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type MultipartUpload,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import type { ObjectInfo, ObjectStore } from "../../lakehouse/delta/object-store.ts";
import { objectPath } from "../../lakehouse/delta/paths.ts";
import { AtriumError, isAtriumError } from "../../support/errors.ts";
import { faultPoint } from "../../support/fault-point.ts";
import { inParallel } from "../../support/parallel.ts";
import { s3UrlOf } from "../../support/s3-url.ts";
import { openS3, type S3Access, type S3Options } from "./client.ts";
import { downloadTo } from "./download.ts";
import { isNamed, isUncertain, statusOf } from "./errors.ts";
import { cacheRoot, fileCache, type CacheFolder, type FileCache } from "./file-cache.ts";
import { uploadFile } from "./upload.ts";

/** What a lake on S3 works with. */
export interface S3StoreOptions extends S3Options {
  /** Keeps copies of data files; several stores and processes may share it. */
  readonly cache: CacheFolder;
}

/** A store that is to be closed. */
export interface S3ObjectStore extends ObjectStore, AsyncDisposable {
  /** The copies of its objects. */
  readonly cache: FileCache;
}

/** Objects that one request deletes: S3's own limit. */
const DELETES_AT_ONCE = 1000;
const BATCHES_AT_ONCE = 4;
const FAILURES_NAMED_MAX = 3;

/** The store below the prefix of a bucket. The bucket must be there. Several processes may use one prefix. */
export function s3ObjectStore(options: S3StoreOptions): S3ObjectStore {
  const { prefix } = options.place;
  const url = s3UrlOf(options.place);
  const access = openS3(options);
  const s3: Place = { ...access, prefix };
  const keyOf = (path: string): string => prefix + objectPath(path);
  const cache = fileCache({
    folder: options.cache,
    clock: options.clock,
    name: cacheName(options),
    fetch: async (path, file) => downloadTo(s3, keyOf(path), file),
  });
  return {
    url,
    cache,
    get: async (path) => get(s3, keyOf(path)),
    put: async (path, bytes) => put(s3, keyOf(path), bytes),
    putIfAbsent: async (path, bytes) => putIfAbsent(s3, keyOf(path), bytes),
    putFile: async (path, localPath) => {
      await uploadFile(s3, keyOf(path), localPath);
      faultPoint("store/file/moved");
      await cache.keep(path, localPath);
    },
    list: async (start, startAfter = "") => list(s3, start, startAfter),
    delete: async (paths) => {
      for (const path of paths) objectPath(path);
      await deleteAll(s3, paths);
      await cache.drop(paths);
    },
    removeAbandoned: async (beforeMs) => removeAbandoned(s3, beforeMs),
    localFile: async (path) => {
      objectPath(path);
      return cache.file(path);
    },
    [Symbol.asyncDispose]: async () => access[Symbol.asyncDispose](),
  };
}

/** The folder of the copies of a lake's files. */
export function s3CacheRoot(options: Pick<S3StoreOptions, "place" | "settings" | "cache">): string {
  return cacheRoot(options.cache, cacheName(options));
}

function cacheName({ place, settings }: Pick<S3StoreOptions, "place" | "settings">): string {
  return `${settings.endpoint ?? "aws"} ${s3UrlOf(place)}`;
}

type Place = S3Access & { readonly prefix: string };

async function get(s3: Place, Key: string): Promise<Uint8Array> {
  return s3.request(`read ${Key}`, async (abortSignal) => {
    const { Body } = await s3.client.send(new GetObjectCommand({ Bucket: s3.bucket, Key }), { abortSignal });
    return Body === undefined ? new Uint8Array() : Body.transformToByteArray();
  });
}

async function put(s3: Place, Key: string, Body: Uint8Array): Promise<void> {
  const command = { Bucket: s3.bucket, Key, Body: Body.slice(), ...s3.encryption };
  await s3.request(`write ${Key}`, async (abortSignal) =>
    s3.client.send(new PutObjectCommand(command), { abortSignal }),
  );
}

/**
 * S3 answers 412 if the object is there. After an attempt whose answer was lost, it may be there because of that very
 * attempt: then its bytes are ours, for what is committed carries a token of its writer.
 */
async function putIfAbsent(s3: Place, Key: string, bytes: Uint8Array): Promise<boolean> {
  const command = { Bucket: s3.bucket, Key, Body: bytes.slice(), IfNoneMatch: "*", ...s3.encryption };
  let mayBeDone = false;
  faultPoint("store/absent/written");
  try {
    const isDone = await s3.request(`write ${Key}`, async (abortSignal) => {
      try {
        await s3.client.send(new PutObjectCommand(command), { abortSignal });
        return true;
      } catch (error) {
        if (statusOf(error) === 412 || isNamed(error, "PreconditionFailed")) return false;
        mayBeDone ||= isUncertain(error);
        throw error;
      }
    });
    if (isDone) faultPoint("store/absent/linked");
    return isDone || (mayBeDone && (await isEqual(s3, Key, bytes)) === true);
  } catch (error) {
    if (!mayBeDone || !isAtriumError(error, "STORE_FAILED")) throw error;
    const isOurs = await isEqual(s3, Key, bytes).catch(() => undefined);
    if (isOurs === undefined) throw error;
    return isOurs;
  }
}

/** Undefined if there is no such object. */
async function isEqual(s3: Place, Key: string, bytes: Uint8Array): Promise<boolean | undefined> {
  try {
    return Buffer.compare(await get(s3, Key), bytes) === 0;
  } catch (error) {
    if (isAtriumError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

/**
 * S3 sorts by the bytes of UTF-8, JavaScript by the units of UTF-16. The two agree on what follows a start of ASCII, which
 * is all that Atrium writes; so the store is asked from the ASCII beginning of the start on, and the rest is done here.
 */
async function list(s3: Place, start: string, startAfter: string): Promise<readonly ObjectInfo[]> {
  const folder = start.slice(0, start.lastIndexOf("/") + 1);
  if (folder !== "") objectPath(folder.slice(0, -1));
  const [ascii = ""] = /^[\u0020-\u007e]*/.exec(startAfter) ?? [];
  const found: ObjectInfo[] = [];
  let token: string | undefined;
  do {
    const page = await s3.request(`list ${s3.prefix}${start}`, async (abortSignal) =>
      s3.client.send(
        new ListObjectsV2Command({
          Bucket: s3.bucket,
          Prefix: s3.prefix + start,
          ...(ascii === "" ? {} : { StartAfter: s3.prefix + ascii }),
          ...(token === undefined ? {} : { ContinuationToken: token }),
        }),
        { abortSignal },
      ),
    );
    for (const { Key = "", Size = 0, LastModified } of page.Contents ?? []) {
      const path = Key.slice(s3.prefix.length);
      // A key that ends in a slash is what some tools make as a folder.
      if (path.endsWith("/") || path.endsWith(".tmp") || path === "" || path <= startAfter) continue;
      found.push({ path, sizeBytes: Size, modifiedMs: LastModified?.getTime() ?? 0 });
    }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
  return found.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

async function deleteAll(s3: Place, paths: readonly string[]): Promise<void> {
  const batches: string[][] = [];
  for (let at = 0; at < paths.length; at += DELETES_AT_ONCE) {
    batches.push(paths.slice(at, at + DELETES_AT_ONCE));
  }
  await inParallel(batches, BATCHES_AT_ONCE, async (batch) => deleteBatch(s3, batch));
}

/** S3 answers 200 even where some could not be deleted: those are named. */
async function deleteBatch(s3: Place, paths: readonly string[]): Promise<void> {
  const what = `delete ${paths.length === 1 ? s3.prefix + (paths[0] ?? "") : `${paths.length} objects`}`;
  await s3.request(what, async (abortSignal) => {
    const Objects = paths.map((path) => ({ Key: s3.prefix + path }));
    const command = new DeleteObjectsCommand({ Bucket: s3.bucket, Delete: { Objects, Quiet: true } });
    const { Errors = [] } = await s3.client.send(command, { abortSignal });
    const failed = Errors.filter(({ Code }) => Code !== "NoSuchKey" && Code !== "NotFound");
    const [first] = failed;
    if (first === undefined) return;
    faultPoint("store/deleted");
    const named = failed.slice(0, FAILURES_NAMED_MAX).map(({ Key }) => Key);
    const more = failed.length > named.length ? ` and ${failed.length - named.length} more` : "";
    const code = /Denied|Forbidden/.test(first.Code ?? "") ? "STORE_DENIED" : "STORE_FAILED";
    const message = `Cannot delete ${named.join(", ")}${more} on S3: ${first.Code}: ${first.Message}. Allow s3:DeleteObject, or try again.`;
    throw new AtriumError(code, message, { details: { keys: failed.map(({ Key }) => Key) } });
  });
  faultPoint("store/deleted");
}

/** Uploads in parts that were never completed: they are no objects, but they are paid for. */
async function removeAbandoned(s3: Place, beforeMs: number): Promise<number> {
  let count = 0;
  for (let from: UploadPage["next"] = {}; from !== undefined;) {
    const { uploads, next }: UploadPage = await unfinishedUploads(s3, from);
    for (const { Key, UploadId, Initiated } of uploads) {
      if (Initiated === undefined || Initiated.getTime() >= beforeMs) continue;
      await abort(s3, { Key, UploadId });
      count += 1;
    }
    from = next;
  }
  return count;
}

interface UploadPage {
  readonly uploads: readonly MultipartUpload[];
  /** Undefined after the last page. */
  readonly next: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } | undefined;
}

async function unfinishedUploads(s3: Place, from: UploadPage["next"]): Promise<UploadPage> {
  const command = new ListMultipartUploadsCommand({ Bucket: s3.bucket, Prefix: s3.prefix, ...from });
  const page = await s3.request("list unfinished uploads", async (abortSignal) =>
    s3.client.send(command, { abortSignal }),
  );
  const { Uploads: uploads = [], NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
  if (page.IsTruncated !== true || KeyMarker === undefined) return { uploads, next: undefined };
  return { uploads, next: { KeyMarker, ...(UploadIdMarker === undefined ? {} : { UploadIdMarker }) } };
}

/** An upload that was completed or aborted meanwhile is no error. */
async function abort(s3: Place, upload: Pick<MultipartUpload, "Key" | "UploadId">): Promise<void> {
  const command = new AbortMultipartUploadCommand({
    Bucket: s3.bucket,
    Key: upload.Key,
    UploadId: upload.UploadId,
  });
  try {
    await s3.request(`abort the upload of ${upload.Key}`, async (abortSignal) =>
      s3.client.send(command, { abortSignal }),
    );
  } catch (error) {
    if (!isAtriumError(error) || !isNamed(error.cause, "NoSuchUpload")) throw error;
  }
}

// Sends a local file: in one request if it is small, else in parts side by side, of which all or nothing become the object.

import { open, type FileHandle } from "node:fs/promises";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { isAtriumError } from "../../support/errors.ts";
import { inParallel } from "../../support/parallel.ts";
import { PART_BYTES, type S3Access } from "./client.ts";
import { isNamed } from "./errors.ts";

/** A larger file goes in parts. */
const WHOLE_BYTES_MAX = 2 * PART_BYTES;
const PARTS_AT_ONCE = 4;
/** S3 takes no more parts. */
const PARTS_MAX = 10_000;

/** Makes an object of a file, which stays where it is. @throws STORE_* */
export async function uploadFile(s3: S3Access, key: string, localPath: string): Promise<void> {
  const what = `move ${localPath} to ${key}`;
  try {
    await using file = await open(localPath);
    const { size } = await file.stat();
    if (size <= WHOLE_BYTES_MAX) await putWhole(s3, { what, key, file, size });
    else await putParts(s3, { what, key, file, size });
  } catch (cause) {
    throw s3.explain(what, cause);
  }
}

interface Upload {
  readonly what: string;
  readonly key: string;
  readonly file: FileHandle;
  readonly size: number;
}

async function putWhole(s3: S3Access, { what, key, file, size }: Upload): Promise<void> {
  await s3.sending.run(size, async () => {
    const Body = await bytesOf(file, 0, size);
    const command = { Bucket: s3.bucket, Key: key, Body, ...s3.encryption };
    await s3.request(
      what,
      async (abortSignal) => s3.client.send(new PutObjectCommand(command), { abortSignal }),
      s3.limits.partMsMax,
    );
  });
}

async function putParts(s3: S3Access, upload: Upload): Promise<void> {
  const { what, key } = upload;
  const place = { Bucket: s3.bucket, Key: key };
  const { UploadId } = await s3.request(what, async (abortSignal) =>
    s3.client.send(new CreateMultipartUploadCommand({ ...place, ...algorithm(s3), ...s3.encryption }), {
      abortSignal,
    }),
  );
  try {
    const parts = await sendParts(s3, upload, UploadId);
    await complete(s3, upload, { ...place, UploadId, MultipartUpload: { Parts: [...parts] } });
  } catch (error) {
    await abort(s3, what, { ...place, UploadId });
    throw error;
  }
}

type UploadPlace = ConstructorParameters<typeof AbortMultipartUploadCommand>[0];

/** Should that fail too, upkeep aborts it later. */
async function abort(s3: S3Access, what: string, place: UploadPlace): Promise<void> {
  const command = new AbortMultipartUploadCommand(place);
  await s3
    .request(what, async (abortSignal) => s3.client.send(command, { abortSignal }))
    .catch(() => undefined);
}

async function sendParts(
  s3: S3Access,
  { what, key, file, size }: Upload,
  UploadId: string | undefined,
): Promise<readonly CompletedPart[]> {
  const partBytes = Math.max(PART_BYTES, Math.ceil(size / PARTS_MAX));
  const numbers = Array.from({ length: Math.ceil(size / partBytes) }, (_, index) => index + 1);
  return inParallel(numbers, PARTS_AT_ONCE, async (PartNumber) => {
    const from = (PartNumber - 1) * partBytes;
    const length = Math.min(partBytes, size - from);
    return s3.sending.run(length, async () => {
      const Body = await bytesOf(file, from, length);
      const part = { Bucket: s3.bucket, Key: key, UploadId, PartNumber, Body };
      const answer = await s3.request(
        what,
        async (abortSignal) => s3.client.send(new UploadPartCommand(part), { abortSignal }),
        s3.limits.partMsMax,
      );
      const { ETag, ChecksumCRC32 } = answer;
      // An upload that was not begun with checksums cannot be ended with them.
      return { PartNumber, ETag, ...(s3.isChecked && ChecksumCRC32 !== undefined ? { ChecksumCRC32 } : {}) };
    });
  });
}

function algorithm({ isChecked }: S3Access): { readonly ChecksumAlgorithm?: "CRC32" } {
  return isChecked ? { ChecksumAlgorithm: "CRC32" } : {};
}

/** A repetition after a lost answer finds no upload any more: then the object is there, whole. */
async function complete(
  s3: S3Access,
  { what, key, size }: Upload,
  command: ConstructorParameters<typeof CompleteMultipartUploadCommand>[0],
): Promise<void> {
  let tries = 0;
  try {
    await s3.request(
      what,
      async (abortSignal) => {
        tries += 1;
        return s3.client.send(new CompleteMultipartUploadCommand(command), { abortSignal });
      },
      s3.limits.partMsMax,
    );
  } catch (error) {
    if (!isAtriumError(error) || !isNamed(error.cause, "NoSuchUpload")) throw error;
    const head = new HeadObjectCommand({ Bucket: s3.bucket, Key: key });
    const found = await s3.request(what, async (abortSignal) => s3.client.send(head, { abortSignal }));
    if (found.ContentLength !== size) throw error;
  }
  // Two completions at once can leave an upload behind that is none.
  if (tries > 1) await abort(s3, what, command);
}

async function bytesOf(file: FileHandle, from: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let at = 0; at < length;) {
    const { bytesRead } = await file.read(bytes, at, length - at, from + at);
    if (bytesRead === 0) throw new Error("the file was cut while it was read");
    at += bytesRead;
  }
  return bytes;
}

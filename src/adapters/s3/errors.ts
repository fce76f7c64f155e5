// What an S3 store's failures mean: which of them may pass, and the error of the catalogue with what to do.

import { S3ServiceException } from "@aws-sdk/client-s3";
import { AtriumError, type ErrorCode, messageOf, systemCode } from "../../support/errors.ts";

/** What was attempted, where. */
export interface Attempted {
  /** As `read bronze/x`. */
  readonly what: string;
  readonly bucket: string;
  /** The address of the store; without one, AWS. */
  readonly endpoint: string | undefined;
}

/** An attempt took too long: whether it did its work is not known. */
export class TookTooLong extends Error {
  override readonly name = "TookTooLong";
}

/** The HTTP status of a failure, or undefined if no answer came. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

/** True if the error has one of these names; a HEAD has no other. */
export function isNamed(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}

/** Names of answers to credentials that were good until now. */
const EXPIRED = ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"];

/** Names of answers that may be others the next time, whatever their status. */
const PASSING = [
  "ConditionalRequestConflict",
  "OperationAborted",
  "SlowDown",
  "Throttling",
  "ThrottlingException",
  "RequestTimeout",
  "InternalError",
  "ServiceUnavailable",
];

/** True if the same request may succeed later. */
export function mayPass(error: unknown): boolean {
  const status = statusOf(error);
  if (status !== undefined) {
    return (
      PASSING.includes(nameOf(error)) || status === 429 || (status >= 500 && status !== 501 && status !== 507)
    );
  }
  return isUnreachable(error);
}

/** True if the store takes the credentials no more, as it did. */
export function hasExpired(error: unknown): boolean {
  return isNamed(error, ...EXPIRED);
}

/** True if no whole answer came, so that a write may or may not be done. */
export function isUncertain(error: unknown): boolean {
  const status = statusOf(error);
  return status === undefined || status >= 500;
}

/** The error of the catalogue for what a request ended with. */
export function s3Error(attempted: Attempted, cause: unknown): AtriumError {
  if (cause instanceof AtriumError) return cause;
  const [code, reason] = judged(attempted, cause);
  return new AtriumError(code, `Cannot ${attempted.what} on S3: ${reason}`, { cause });
}

function judged(attempted: Attempted, cause: unknown): readonly [ErrorCode, string] {
  const { bucket, endpoint } = attempted;
  const name = nameOf(cause);
  const at = endpoint === undefined ? "on AWS" : `at ${endpoint}`;
  if (name === "NoSuchBucket") {
    return ["STORE_DENIED", `there is no bucket ${bucket} ${at}. Make it, or name another one.`];
  }
  if (["NoSuchKey", "NotFound"].includes(name) || (statusOf(cause) === 404 && name !== "NoSuchUpload")) {
    return ["NOT_FOUND", `there is no such object in bucket ${bucket} ${at}.`];
  }
  if (statusOf(cause) === 507 || /Quota|Storage(Full|Limit)|InsufficientStorage/i.test(name)) {
    return ["STORE_FULL", `the store ${at} is full (${shown(cause)}). Make room there.`];
  }
  const refusal = REFUSALS[name] ?? (isCredentialError(cause) ? NO_CREDENTIALS : undefined);
  if (refusal !== undefined) return ["STORE_DENIED", `${refusal} (${shown(cause)})`];
  if ([301, 307, 308, 401, 403].includes(statusOf(cause) ?? 0)) {
    return ["STORE_DENIED", `bucket ${bucket} ${at} refuses it (${shown(cause)}). ${ALLOW}`];
  }
  const local = LOCAL[systemCode(cause) ?? ""];
  if (local !== undefined) return [local[0], `${messageOf(cause)}. ${local[1]}`];
  if (isUnreachable(cause)) {
    return [
      "STORE_FAILED",
      `the store ${at} cannot be reached (${shown(cause)}). Check the network and S3_ENDPOINT.`,
    ];
  }
  return ["STORE_FAILED", `the store ${at} says ${shown(cause)}. Try again, or see docs/operate/s3.md.`];
}

const ALLOW = "Allow this user the actions that docs/operate/s3.md lists.";
const NO_CREDENTIALS =
  "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile or role that the AWS tools find.";

/** What the answers of stores to unwelcome callers mean. */
const REFUSALS: Readonly<Record<string, string>> = {
  AccessDenied: `this user may not do that. ${ALLOW}`,
  AllAccessDisabled: `this user may not do that. ${ALLOW}`,
  InvalidAccessKeyId: "the store does not know the access key: check AWS_ACCESS_KEY_ID.",
  SignatureDoesNotMatch: "the secret key is not the one of the access key: check AWS_SECRET_ACCESS_KEY.",
  ...Object.fromEntries(
    EXPIRED.map((name) => [name, "the credentials have expired: get new ones (AWS_SESSION_TOKEN)."]),
  ),
  InvalidToken: "the session token is not valid: get a new one (AWS_SESSION_TOKEN).",
  RequestTimeTooSkewed: "this machine's clock is wrong: set it.",
  AuthorizationHeaderMalformed: "the region is not that of the bucket: set AWS_DEFAULT_REGION.",
  PermanentRedirect: "the bucket is in another region: set AWS_DEFAULT_REGION.",
  IllegalLocationConstraintException: "the bucket is in another region: set AWS_DEFAULT_REGION.",
};

/** What the file system says of the scratch folder and of the cache. */
const LOCAL: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOSPC: ["STORE_FULL", "Make room on the disk of CACHE_DIR, or lower CACHE_MB."],
  EDQUOT: ["STORE_FULL", "Make room within the quota of CACHE_DIR, or lower CACHE_MB."],
  EACCES: ["STORE_DENIED", "Give this user the right to write CACHE_DIR."],
  EPERM: ["STORE_DENIED", "Give this user the right to write CACHE_DIR."],
  EROFS: ["STORE_DENIED", "Put CACHE_DIR on a file system that can be written."],
  ENOENT: ["STORE_FAILED", "A local file is gone: try again."],
};

function isCredentialError(error: unknown): boolean {
  if (isNamed(error, "CredentialsProviderError", "TokenProviderError")) return true;
  return error instanceof Error && /could not load credentials|credential is missing/i.test(error.message);
}

function isUnreachable(error: unknown): boolean {
  const isAnswer = error instanceof S3ServiceException || isCredentialError(error);
  if (!(error instanceof Error) || isAnswer) return false;
  const code = systemCode(error) ?? "";
  if (LOCAL[code] !== undefined) return false;
  return (
    /^(ECONN|EPIPE|ENOTFOUND|EAI_|ETIMEDOUT|EHOST|ENET|ERR_STREAM_PREMATURE_CLOSE|HPE_)/.test(code) ||
    ["TimeoutError", "TookTooLong", "CutShort", "RequestTimeout"].includes(error.name) ||
    /socket hang up|aborted|checksum mismatch/i.test(error.message)
  );
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "";
}

/** The answer in a few words: its name, its message and its status, never what was sent. */
function shown(error: unknown): string {
  const status = statusOf(error);
  const name = systemCode(error) ?? nameOf(error);
  const message = messageOf(error).split("\n")[0]?.slice(0, 200) ?? "";
  const text =
    message === "" || message === name || message === "UnknownError" ? name : `${name}: ${message}`;
  return status === undefined ? text : `${text}, HTTP ${status}`;
}

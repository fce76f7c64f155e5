// The way to a store that speaks S3: one client, a bound on requests under way, and how a request is repeated.

import { readFileSync } from "node:fs";
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { type Chance, ownChance } from "../../support/chance.ts";
import type { Clock } from "../../support/clock.ts";
import { AtriumError, messageOf } from "../../support/errors.ts";
import { type Gate, makeGate } from "../../support/gate.ts";
import { type RetryLimits, retrying } from "../../support/retry.ts";
import type { S3Place } from "../../support/s3-url.ts";
import type { Secret } from "../../support/secret.ts";
import { hasExpired, mayPass, s3Error, TookTooLong } from "./errors.ts";

/** How to reach a store. What is left out is found as the AWS tools find it. */
export interface S3Settings {
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  /** Buckets in the path, not in the host name. */
  readonly pathStyle: boolean;
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: Secret | undefined;
  readonly sessionToken?: Secret | undefined;
  /** PEM file of the authorities that sign the store's certificate, beside the usual ones. */
  readonly caFile?: string | undefined;
  readonly sse: "none" | "AES256" | "aws:kms";
  readonly sseKmsKeyId?: string | undefined;
  /** Checksums of all bodies, or only where S3 requires one. */
  readonly checksums: "required" | "always";
}

/** What a store works with. */
export interface S3Options {
  readonly place: S3Place;
  readonly settings: S3Settings;
  readonly clock: Clock;
  /** Default: those below. */
  readonly limits?: Partial<S3Limits>;
  /** Default: chance of this process's own. */
  readonly chance?: Chance;
  /** Called when a request is sent again. */
  readonly onRetry?: (() => void) | undefined;
}

/** Bounds of the requests. */
export interface S3Limits {
  readonly requestsAtOnceMax: number;
  /** A request for few bytes fails after so long, ms. */
  readonly smallMsMax: number;
  /** A request for a part of a file fails after so long, ms. */
  readonly partMsMax: number;
  readonly retry: RetryLimits;
}

/** Bytes of a part of a large object. S3 wants 5 MB at least. */
export const PART_BYTES = 8 * 1024 * 1024;
/** Bytes of files that are in memory at once to be sent. */
const SENT_BYTES_AT_ONCE_MAX = 64 * 1024 * 1024;

const LIMITS: S3Limits = {
  requestsAtOnceMax: 64,
  smallMsMax: 20_000,
  partMsMax: 120_000,
  retry: { attemptsMax: 8, pauseMsFirst: 100, pauseMsMax: 5000, totalMsMax: 30_000 },
};

/** An open way to a bucket. */
export interface S3Access extends AsyncDisposable {
  readonly client: S3Client;
  readonly bucket: string;
  readonly limits: S3Limits;
  /** Bounds the bytes of files in memory. */
  readonly sending: Gate;
  /** True if all bodies have checksums. */
  readonly isChecked: boolean;
  /** Parameters of every write. */
  readonly encryption: {
    readonly ServerSideEncryption?: "AES256" | "aws:kms";
    readonly SSEKMSKeyId?: string;
  };
  /**
   * Runs one request, and again if its failure may pass. The signal ends an attempt that takes too long: pass it on, and
   * read the body within. `msMax` is for one attempt. @throws STORE_FAILED, STORE_DENIED, STORE_FULL, NOT_FOUND
   */
  request<Result>(what: string, send: Send<Result>, msMax?: number): Promise<Result>;
  /** The error of the catalogue for a failure of `what`. */
  explain(what: string, cause: unknown): AtriumError;
}

/** Sends a request. */
export type Send<Result> = (signal: AbortSignal) => Promise<Result>;

/** Opens a way; nothing is sent before it is used. @throws CONFIG_INVALID if the CA file cannot be read */
export function openS3(options: S3Options): S3Access {
  const { place, settings, clock } = options;
  const limits = { ...LIMITS, ...options.limits };
  const chance = options.chance ?? ownChance();
  const client = new S3Client(clientConfig(settings, limits));
  const requests = makeGate(limits.requestsAtOnceMax);
  const explain = (what: string, cause: unknown): AtriumError =>
    s3Error({ what, bucket: place.bucket, endpoint: settings.endpoint }, cause);
  return {
    client,
    bucket: place.bucket,
    limits,
    isChecked: settings.checksums === "always",
    sending: makeGate(SENT_BYTES_AT_ONCE_MAX),
    encryption: encryptionOf(settings),
    explain,
    request: async (what, send, msMax = limits.smallMsMax) => {
      try {
        const attempt = async () => renewing(client, async () => within(clock, msMax, send));
        return await retrying(async () => requests.run(1, attempt), {
          limits: limits.retry,
          clock,
          chance,
          mayPass,
          onRetry: options.onRetry,
        });
      } catch (cause) {
        throw explain(what, cause);
      }
    },
    [Symbol.asyncDispose]: async () => client.destroy(),
  };
}

/** Runs an attempt. One that is refused because its credentials have expired runs once more, if the chain has others by now. */
async function renewing<Result>(client: S3Client, attempt: () => Promise<Result>): Promise<Result> {
  const used = await client.config.credentials();
  try {
    return await attempt();
  } catch (error) {
    if (!hasExpired(error)) throw error;
    // What goes wrong here is less to the point than that they have expired.
    const found = await client.config.credentials({ forceRefresh: true }).catch(() => used);
    if (found.sessionToken === used.sessionToken && found.accessKeyId === used.accessKeyId) throw error;
    return attempt();
  }
}

/** Runs an attempt, and aborts it when its time is over. */
async function within<Result>(clock: Clock, msMax: number, send: Send<Result>): Promise<Result> {
  const done = new AbortController();
  const over = new AbortController();
  const watch = async (): Promise<void> => {
    await clock.sleep(msMax, done.signal);
    if (!done.signal.aborted) over.abort();
  };
  void watch();
  try {
    return await send(over.signal);
  } catch (cause) {
    throw over.signal.aborted ? new TookTooLong(`no answer within ${msMax} ms`, { cause }) : cause;
  } finally {
    done.abort();
  }
}

function clientConfig(settings: S3Settings, limits: S3Limits): S3ClientConfig {
  const { endpoint, region, accessKeyId, secretAccessKey, sessionToken, pathStyle } = settings;
  // Stores that are not AWS mostly take any region.
  const known = region ?? (endpoint === undefined ? undefined : "us-east-1");
  const checked = settings.checksums === "always" ? "WHEN_SUPPORTED" : "WHEN_REQUIRED";
  const sockets = { keepAlive: true, maxSockets: limits.requestsAtOnceMax };
  return {
    // `request` repeats: the client's own repetition would hide that a conditional put was done already.
    maxAttempts: 1,
    forcePathStyle: pathStyle,
    requestChecksumCalculation: checked,
    responseChecksumValidation: checked,
    requestHandler: {
      connectionTimeout: 5000,
      httpAgent: sockets,
      httpsAgent: { ...sockets, ...authorities(settings.caFile) },
    },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(known === undefined ? {} : { region: known }),
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : {
          credentials: {
            accessKeyId,
            secretAccessKey: secretAccessKey.reveal(),
            ...(sessionToken === undefined ? {} : { sessionToken: sessionToken.reveal() }),
          },
        }),
  };
}

function authorities(caFile: string | undefined): { readonly ca?: string } {
  if (caFile === undefined) return {};
  try {
    return { ca: readFileSync(caFile, "utf8") };
  } catch (cause) {
    const message = `S3_CA_FILE=${caFile} cannot be read: ${messageOf(cause)}. Name a PEM file.`;
    throw new AtriumError("CONFIG_INVALID", message, { cause });
  }
}

function encryptionOf({ sse, sseKmsKeyId }: S3Settings): S3Access["encryption"] {
  if (sse === "none") return {};
  const key = sse === "aws:kms" && sseKmsKeyId !== undefined ? { SSEKMSKeyId: sseKmsKeyId } : {};
  return { ServerSideEncryption: sse, ...key };
}

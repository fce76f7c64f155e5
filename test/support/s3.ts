// S3 for tests: a gateway of a test file's own, and stores on it.

import { join } from "node:path";
import { type S3, startS3 } from "../../services/s3.ts";
import type { S3Limits, S3Options, S3Settings } from "../../src/adapters/s3/client.ts";
import { type S3ObjectStore, s3ObjectStore } from "../../src/adapters/s3/object-store.ts";
import { type Clock, systemClock } from "../../src/support/clock.ts";
import { parseS3Url } from "../../src/support/s3-url.ts";
import { secret } from "../../src/support/secret.ts";
import { temporaryFolder } from "./program.ts";

/** A gateway and a folder beside it, gone when disposed of. */
export interface S3Fixture extends AsyncDisposable {
  readonly gateway: S3;
  readonly folder: string;
  /** How to reach it. */
  readonly settings: S3Settings;
  /** The environment that leads `atrium` to it; cache and log are in the folder. */
  readonly env: Readonly<Record<string, string>>;
}

/** How a store of a test differs from the usual. */
export interface TestStoreOptions {
  readonly settings?: Partial<S3Settings>;
  readonly limits?: Partial<S3Limits>;
  readonly clock?: Clock;
  readonly cacheBytesMax?: number;
  readonly onRetry?: () => void;
  /** Folder of the cache below that of the fixture. */
  readonly cache?: string;
}

/** Starts a gateway. */
export async function s3Fixture(): Promise<S3Fixture> {
  const folder = await temporaryFolder();
  const gateway = await startS3({ folder: join(folder.path, "s3") });
  const { accessKeyId, secretAccessKey } = gateway.credentials;
  return {
    gateway,
    folder: folder.path,
    settings: {
      endpoint: gateway.endpoint,
      region: gateway.region,
      pathStyle: true,
      accessKeyId,
      secretAccessKey: secret(secretAccessKey),
      sse: "none",
      checksums: "always",
    },
    env: {
      ...gateway.settings,
      CACHE_DIR: join(folder.path, "cache"),
      LOG_PATH: join(folder.path, "log.db"),
    },
    [Symbol.asyncDispose]: async () => {
      await gateway.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** How to open a store, or a way to its bucket. */
export function accessOptions(fixture: S3Fixture, url: string, options: TestStoreOptions = {}): S3Options {
  const { settings, limits, clock = systemClock, onRetry } = options;
  const place = parseS3Url(url);
  if (place === undefined) throw new Error(`${url} is no address on S3`);
  const all = { place, settings: { ...fixture.settings, ...settings }, clock, onRetry };
  return limits === undefined ? all : { ...all, limits };
}

/** A store on the gateway. */
export function testStore(fixture: S3Fixture, url: string, options: TestStoreOptions = {}): S3ObjectStore {
  const { cacheBytesMax = 2 ** 30, cache = "cache" } = options;
  return s3ObjectStore({
    ...accessOptions(fixture, url, options),
    cache: { path: join(fixture.folder, cache), bytesMax: cacheBytesMax },
  });
}

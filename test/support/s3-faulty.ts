// An S3 store behind a proxy that makes requests fail, for the tests of a `describe`.

import { after, before, beforeEach } from "node:test";
import type { S3ObjectStore } from "../../src/adapters/s3/object-store.ts";
import { present } from "../../src/support/assert.ts";
import { type Fate, type S3Proxy, s3Proxy, type Seen } from "./s3-proxy.ts";
import { type S3Fixture, s3Fixture, testStore, type TestStoreOptions } from "./s3.ts";

/** Retries without waiting. */
export const QUICK = { attemptsMax: 4, pauseMsFirst: 1, pauseMsMax: 2, totalMsMax: 60_000 };

/** What a test works with; the store is a new one for each. */
export interface FaultyStore {
  readonly fixture: S3Fixture;
  readonly proxy: S3Proxy;
  readonly store: S3ObjectStore;
  /** Another store behind the proxy. */
  readonly opened: (options: TestStoreOptions) => S3ObjectStore;
  /** What became of the requests that match. */
  readonly fatesOf: (matches: (seen: Seen) => boolean) => readonly Fate[];
}

/** Starts a gateway with a proxy before it; the proxy lets all pass when a test begins. */
export function faultyStore(): () => FaultyStore {
  let parts: { readonly fixture: S3Fixture; readonly proxy: S3Proxy } | undefined;
  let current: FaultyStore | undefined;
  let count = 0;
  before(async () => {
    const fixture = await s3Fixture();
    parts = { fixture, proxy: await s3Proxy(fixture.gateway.endpoint) };
  });
  beforeEach(() => {
    const { fixture, proxy } = present(parts, "the gateway");
    proxy.rule(() => "pass");
    proxy.seen.length = 0;
    const opened = (options: TestStoreOptions): S3ObjectStore =>
      testStore(fixture, `s3://lake/faults-${(count += 1)}`, {
        ...options,
        settings: { endpoint: proxy.endpoint, ...options.settings },
        limits: { retry: QUICK, ...options.limits },
      });
    const fatesOf = (matches: (seen: Seen) => boolean): readonly Fate[] =>
      proxy.seen.filter(matches).map(({ fate }) => fate);
    current = { fixture, proxy, store: opened({}), opened, fatesOf };
  });
  after(async () => {
    await parts?.proxy[Symbol.asyncDispose]();
    await parts?.fixture[Symbol.asyncDispose]();
  });
  return () => present(current, "the store of the test");
}

/** The first requests that match meet these fates, the others pass. */
export function first(matches: (seen: Seen) => boolean, ...fates: readonly Fate[]): (seen: Seen) => Fate {
  const left = [...fates];
  return (seen) => (matches(seen) ? (left.shift() ?? "pass") : "pass");
}

/** True for a request that writes an object. */
export function isPut({ method }: Seen): boolean {
  return method === "PUT";
}

/** The bytes of a text. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

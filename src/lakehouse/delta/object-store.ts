// PORT: where a lake's files live. One suite, test/contract/object-store.ts, holds for every adapter.

/** What is known of an object without reading it. */
export interface ObjectInfo {
  /** Path below the lake's root, `/` between its parts. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Last change, ms since the epoch. */
  readonly modifiedMs: number;
}

/**
 * Objects under the root of a lake, by path (`bronze/readings/_delta_log/00000000000000000000.json`).
 *
 * Atomicity: an object is seen whole or not at all. Durability: once a put resolves, it survives a crash,
 * and so does an object that `get` returned or that `putIfAbsent` found in its place, for others build on it.
 * `putIfAbsent` is linearizable: of any number of writers of one path exactly one gets true. Objects under a data
 * path are never changed once written. Errors: NOT_FOUND from `get` and `localFile`; STORE_DENIED for a path that
 * `objectPath` of paths.ts refuses; STORE_FULL, STORE_DENIED, STORE_FAILED (retryable: a put may or may not be done). Limits: `get` and `put` are for objects up to 64 MB; data files go by
 * `putFile` and `localFile`.
 */
export interface ObjectStore {
  /** The lake as its user named it: a folder, or `s3://bucket/prefix`. */
  readonly url: string;

  /** The whole object. @throws NOT_FOUND */
  get(path: string): Promise<Uint8Array>;

  /** Writes or replaces an object. */
  put(path: string, bytes: Uint8Array): Promise<void>;

  /** Writes the object only if none is there; false if one was. */
  putIfAbsent(path: string, bytes: Uint8Array): Promise<boolean>;

  /** Moves a local file in as an object; it is gone from its old place. The path is new: the caller made it unique. */
  putFile(path: string, localPath: string): Promise<void>;

  /**
   * Objects whose path starts with `prefix` (and sorts after `startAfter`), in the order of their paths. Objects put
   * before the call are in it; `.tmp` files, which are puts under way, are not.
   */
  list(prefix: string, startAfter?: string): Promise<readonly ObjectInfo[]>;

  /** Removes objects; those that are not there are no error. */
  delete(paths: readonly string[]): Promise<void>;

  /** Removes what puts that never ended left behind before `beforeMs` (ms since the epoch), as `.tmp` files; returns how many. */
  removeAbandoned(beforeMs: number): Promise<number>;

  /** A file on this machine that holds the object: the object itself, or a cached copy. @throws NOT_FOUND */
  localFile(path: string): Promise<string>;
}

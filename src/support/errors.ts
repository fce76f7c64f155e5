// The one catalogue of Atrium's errors: every failure that a user can meet has a code here.

/** How a process ends: 0 done, 1 failed, 2 wrong use or configuration, 99 nothing to do. */
export type ExitCode = 0 | 1 | 2 | 99;

interface CatalogueEntry {
  readonly exitCode: ExitCode;
  /** HTTP status when the error reaches a client of the API. */
  readonly httpStatus: number;
  /** True if the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean;
  /** One sentence for docs/operate/errors.md. */
  readonly meaning: string;
}

/** What HTTP calls unavailable (503) or out of space (507) may be well again later. */
const entry = (exitCode: ExitCode, httpStatus: number, meaning: string): CatalogueEntry => ({
  exitCode,
  httpStatus,
  retryable: httpStatus === 503 || httpStatus === 507,
  meaning,
});

/** Every error code, with its exit code, HTTP status and meaning. */
export const ERROR_CATALOGUE = {
  CONFIG_INVALID: entry(2, 500, "A setting has a value that is not allowed, or no such setting exists."),
  USAGE_INVALID: entry(2, 400, "A command, flag or argument is unknown or wrong."),
  PARAMETER_INVALID: entry(2, 400, "A parameter of an HTTP request is unknown or wrong."),
  NOT_FOUND: entry(1, 404, "The named room, table, topic, version or path does not exist."),
  SOURCE_MISSING: entry(2, 500, "The raw folder does not exist or cannot be read."),
  SOURCE_EMPTY: entry(2, 500, "The raw folder holds no file that the filters let through."),
  SOURCE_UNREADABLE: entry(1, 500, "A raw file cannot be read or is not valid gzip."),
  LOG_CORRUPT: entry(1, 500, "The log's database is cut short or damaged."),
  LOG_FULL: entry(
    1,
    503,
    "The log has reached its size limit and bronze has not committed the oldest messages yet.",
  ),
  LOG_REFUSED: entry(
    1,
    500,
    "The log does not take a message: too large, or the cluster cannot do what is asked of it.",
  ),
  LOG_OFFSET_LOST: entry(
    1,
    500,
    "The log no longer holds, or does not hold yet, the position that bronze wants next.",
  ),
  LAKE_INVALID: entry(2, 500, "The lake folder holds other files and is no lake."),
  LAKE_NEWER: entry(2, 500, "The lake was written by a newer version of Atrium."),
  TABLE_MISSING: entry(1, 503, "The table does not exist yet: no data has reached it."),
  TABLE_UNSUPPORTED: entry(1, 500, "The table needs a Delta feature that Atrium does not support."),
  TABLE_CORRUPT: entry(1, 500, "A commit, checkpoint or data file of a table is missing or damaged."),
  COMMIT_CONFLICT: entry(1, 503, "Another writer changed what this commit was based on."),
  COMMIT_OVERTAKEN: entry(
    1,
    500,
    "Another writer has already committed these positions: this one is a zombie and stops.",
  ),
  STORE_FULL: entry(1, 507, "The disk or quota is full."),
  STORE_DENIED: entry(1, 500, "The store refuses access."),
  STORE_FAILED: entry(1, 503, "The store failed or could not be reached."),
  ENGINE_FAILED: entry(1, 500, "A transform or query failed in the engine."),
  ENGINE_UNREACHABLE: entry(
    1,
    503,
    "The Spark server cannot be reached, or the connection broke for too long.",
  ),
  ENGINE_DENIED: entry(1, 500, "The Spark server refuses access."),
  QUERY_INVALID: entry(2, 400, "A SQL query is not valid or not read-only."),
  QUERY_TIMEOUT: entry(1, 503, "A query ran into its time limit."),
  PORT_IN_USE: entry(1, 500, "The HTTP port is taken by another process."),
  INTERNAL: entry(1, 500, "A fault in Atrium itself: please report it."),
} as const satisfies Record<string, CatalogueEntry>;

/** A code of the catalogue. */
export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** What an AtriumError may carry beside its code and message. */
export interface ErrorExtras {
  readonly cause?: unknown;
  /** Facts for machines: names and values, never secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** An operating fault: its message says what failed, on what, and what to do. */
export class AtriumError extends Error {
  override readonly name = "AtriumError";
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, extras: ErrorExtras = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.code = code;
    this.details = extras.details ?? {};
  }

  /** True if the same call may succeed later. */
  get retryable(): boolean {
    return ERROR_CATALOGUE[this.code].retryable;
  }
}

/** Narrows an unknown error to one of the catalogue, with the code if given. */
export function isAtriumError(error: unknown, code?: ErrorCode): error is AtriumError {
  return error instanceof AtriumError && (code === undefined || error.code === code);
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node system error (ENOENT, ENOSPC …), or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

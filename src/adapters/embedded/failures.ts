// What SQLite and the file system report, as errors of the catalogue.

import { AtriumError, messageOf, systemCode, type ErrorCode } from "../../support/errors.ts";

/** Primary result codes of SQLite. Source: https://www.sqlite.org/rescode.html */
const SQLITE = {
  ERROR: 1,
  PERM: 3,
  BUSY: 5,
  READONLY: 8,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  AUTH: 23,
  NOTADB: 26,
} as const;
/** Extended codes of IOERR that mean damaged data, not a failing disk: SHORT_READ, DATA, CORRUPTFS. */
const DAMAGE: readonly number[] = [522, 8202, 8458];

const CODES: Readonly<Record<number, ErrorCode>> = {
  [SQLITE.PERM]: "STORE_DENIED",
  [SQLITE.BUSY]: "STORE_FAILED",
  [SQLITE.READONLY]: "STORE_DENIED",
  [SQLITE.IOERR]: "STORE_FAILED",
  [SQLITE.CORRUPT]: "LOG_CORRUPT",
  [SQLITE.FULL]: "STORE_FULL",
  [SQLITE.CANTOPEN]: "STORE_DENIED",
  [SQLITE.AUTH]: "STORE_DENIED",
  [SQLITE.NOTADB]: "LOG_CORRUPT",
};
const SYSTEM_CODES: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: "STORE_FULL",
  EDQUOT: "STORE_FULL",
  EACCES: "STORE_DENIED",
  EPERM: "STORE_DENIED",
  EROFS: "STORE_DENIED",
};
const ADVICE: Readonly<Partial<Record<ErrorCode, string>>> = {
  LOG_CORRUPT:
    "What bronze has committed is safe. Move this file, its -wal and its -shm away and start again: docs/operate/errors.md, LOG_CORRUPT, says how replay and ingest go on.",
  STORE_FULL: "Make room on its disk; nothing that was acknowledged is lost.",
  STORE_DENIED: "Let this user read and write the file and its folder, or name another one.",
  STORE_FAILED:
    "Another process may be holding it, or the disk may be failing; nothing that was acknowledged is lost.",
};

/** The catalogue's error for anything thrown while the log `file` is in use. */
export function failureOf(error: unknown, file: string): unknown {
  const code = codeOf(error);
  return code === undefined ? error : described(code, error, file);
}

/** As `failureOf`, while the log is being opened: then a missing table or column means damage, too. */
export function openingFailure(error: unknown, file: string): unknown {
  if (resultCode(error) === SQLITE.ERROR) return described("LOG_CORRUPT", error, file);
  return failureOf(error, file);
}

/** The error for a file that is damaged, and how. */
export function damaged(file: string, how: string): AtriumError {
  return new AtriumError("LOG_CORRUPT", `The log ${file}: ${how}. ${ADVICE.LOG_CORRUPT}`, {
    details: { file },
  });
}

function codeOf(error: unknown): ErrorCode | undefined {
  const result = resultCode(error);
  if (result !== undefined) {
    return DAMAGE.includes(result) ? "LOG_CORRUPT" : (CODES[result & 0xff] ?? "INTERNAL");
  }
  if (error instanceof AtriumError) return undefined;
  const system = systemCode(error);
  return system === undefined || system.startsWith("ERR_")
    ? undefined
    : (SYSTEM_CODES[system] ?? "STORE_FAILED");
}

/** The extended result code of an error of SQLite. */
function resultCode(error: unknown): number | undefined {
  if (systemCode(error) !== "ERR_SQLITE_ERROR" || !(error instanceof Error) || !("errcode" in error)) {
    return undefined;
  }
  return typeof error.errcode === "number" ? error.errcode : undefined;
}

function described(code: ErrorCode, cause: unknown, file: string): AtriumError {
  const message = `The log ${file}: ${messageOf(cause)}. ${ADVICE[code] ?? "Please report this."}`;
  return new AtriumError(code, message, { cause, details: { file } });
}

// Writes one file of the generator: digits by hand into a large buffer, and the buffer to disk in large pieces.

import { type FileHandle, open } from "node:fs/promises";
import { invariant } from "../support/assert.ts";
import { AtriumError, type ErrorCode, messageOf, systemCode } from "../support/errors.ts";
import type { DayRows } from "./series.ts";

/** The buffer is written out once it holds this much, bytes. */
const FLUSH_BYTES = 256 * 1024;

/** A day has at most 86,400 rows of 22 bytes, and as many again for what the faults add. */
const BUFFER_BYTES = 4 * 1024 * 1024;

/** Longest line that `text` takes, bytes. */
const LINE_BYTES_MAX = 1024;

const ZERO = 48;
const COMMA = 44;
const SPACE = 32;
const MINUS = 45;
const POINT = 46;
const LINE_FEED = 10;

const ADVICE = {
  STORE_FULL: "Free some space or choose another folder, then start again with --force.",
  STORE_DENIED: "Choose a folder that you may write to.",
  STORE_FAILED: "Check the disk, then start again with --force.",
} as const satisfies Partial<Record<ErrorCode, string>>;

const CODE_OF_SYSTEM_ERROR: Readonly<Record<string, keyof typeof ADVICE>> = {
  ENOSPC: "STORE_FULL",
  EDQUOT: "STORE_FULL",
  EFBIG: "STORE_FULL",
  EACCES: "STORE_DENIED",
  EPERM: "STORE_DENIED",
  EROFS: "STORE_DENIED",
};

/** A buffer that writers take turns with, so that a new file costs no new memory. */
export function writerBuffer(): Uint8Array {
  return new Uint8Array(BUFFER_BYTES);
}

/** A file under way. Rows and lines go to memory; `flushIfLarge` after each day takes them to disk. */
export class CsvWriter implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #buffer: Uint8Array;
  #used = 0;
  #bytes = 0;
  #lines = 0;

  constructor(handle: FileHandle, path: string, buffer: Uint8Array) {
    this.#handle = handle;
    this.#path = path;
    this.#buffer = buffer;
  }

  /** Lines so far; the number of the last line, counted from 1. */
  get lines(): number {
    return this.#lines;
  }

  /** Bytes so far. */
  get bytes(): number {
    return this.#bytes + this.#used;
  }

  /** Appends one reading. */
  row(unixSeconds: number, hundredths: number): void {
    invariant(this.#used + LINE_BYTES_MAX <= this.#buffer.length, "a day fits into the writer's buffer");
    this.#used = putReading(this.#buffer, this.#used, unixSeconds, hundredths);
    this.#lines += 1;
  }

  /** Appends all readings of a day. */
  rows(rows: DayRows): void {
    invariant(this.#used + rows.count * 32 <= this.#buffer.length, "a day fits into the writer's buffer");
    const buffer = this.#buffer;
    let used = this.#used;
    for (let i = 0; i < rows.count; i += 1) {
      used = putReading(buffer, used, rows.seconds[i] ?? 0, rows.hundredths[i] ?? 0);
    }
    this.#used = used;
    this.#lines += rows.count;
  }

  /** Appends a line of any bytes but LF, at most 1,023 of them; adds the LF. */
  line(bytes: Uint8Array): void {
    invariant(bytes.length < LINE_BYTES_MAX, "a line is shorter than 1,024 bytes");
    invariant(this.#used + LINE_BYTES_MAX <= this.#buffer.length, "a day fits into the writer's buffer");
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
    this.#buffer[this.#used] = LINE_FEED;
    this.#used += 1;
    this.#lines += 1;
  }

  /** Writes the buffer out if it holds 256 KiB or more. @throws STORE_FULL, STORE_DENIED, STORE_FAILED */
  async flushIfLarge(): Promise<void> {
    if (this.#used >= FLUSH_BYTES) await this.flush();
  }

  /** Writes the buffer out. @throws STORE_FULL, STORE_DENIED, STORE_FAILED */
  async flush(): Promise<void> {
    let done = 0;
    while (done < this.#used) {
      try {
        done += (await this.#handle.write(this.#buffer, done, this.#used - done)).bytesWritten;
      } catch (error) {
        throw storeError(error, this.#path);
      }
    }
    this.#bytes += this.#used;
    this.#used = 0;
  }

  /** Closes the file; what was not flushed is lost. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

/** Makes or replaces a file. `buffer` is the writer's alone until it is closed. @throws STORE_FULL, STORE_DENIED, STORE_FAILED */
export async function openCsv(path: string, buffer: Uint8Array): Promise<CsvWriter> {
  try {
    return new CsvWriter(await open(path, "w"), path, buffer);
  } catch (error) {
    throw storeError(error, path);
  }
}

/** The catalogue's error for a failure of the file system at `path`. */
export function storeError(error: unknown, path: string): AtriumError {
  const code = CODE_OF_SYSTEM_ERROR[systemCode(error) ?? ""] ?? "STORE_FAILED";
  return new AtriumError(code, `Cannot write ${path}: ${messageOf(error)}. ${ADVICE[code]}`, {
    cause: error,
    details: { path },
  });
}

/** Writes `seconds, value` with two decimals and LF at `at`; returns the place behind it. Hot path. */
function putReading(buffer: Uint8Array, at: number, seconds: number, hundredths: number): number {
  let place = putWhole(buffer, at, seconds);
  buffer[place] = COMMA;
  buffer[place + 1] = SPACE;
  place += 2;
  let rest = hundredths;
  if (hundredths < 0) {
    buffer[place] = MINUS;
    place += 1;
    rest = -hundredths;
  }
  const whole = Math.floor(rest / 100);
  const decimals = rest - whole * 100;
  const tens = Math.floor(decimals / 10);
  place = putWhole(buffer, place, whole);
  buffer[place] = POINT;
  buffer[place + 1] = ZERO + tens;
  buffer[place + 2] = ZERO + decimals - tens * 10;
  buffer[place + 3] = LINE_FEED;
  return place + 4;
}

function putWhole(buffer: Uint8Array, at: number, value: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits += 1;
  let rest = value;
  for (let place = at + digits - 1; place >= at; place -= 1) {
    const tenth = Math.floor(rest / 10);
    buffer[place] = ZERO + rest - tenth * 10;
    rest = tenth;
  }
  return at + digits;
}

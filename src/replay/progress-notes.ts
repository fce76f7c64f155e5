// How far a file has been replayed, as a note that the log stores together with the messages.

/** Longest `tail`, bytes. */
export const TAIL_BYTES_MAX = 200;

/** Everything of a file below `bytes` is in the log. */
export interface FileProgress {
  /** Uncompressed bytes consumed. */
  readonly bytes: number;
  /** Lines consumed. */
  readonly lines: number;
  /** The last of those bytes: the last line with its end (its last 200 bytes), latin1. It shows that the file is still the same. */
  readonly tail: string;
}

/** The name of a file's note: its path without `.gz`, because packing a file changes nothing in it. */
export function progressName(path: string): string {
  return path.endsWith(".gz") ? path.slice(0, -".gz".length) : path;
}

/** The text of a note. */
export function progressText(progress: FileProgress): string {
  return JSON.stringify({ bytes: progress.bytes, lines: progress.lines, tail: progress.tail });
}

/** Reads the text of a note; undefined if it is not one. */
export function parseProgress(text: string): FileProgress | undefined {
  const note = parseObject(text);
  if (note === undefined) return undefined;
  const { bytes, lines, tail } = note;
  if (!isCount(bytes) || !isCount(lines) || typeof tail !== "string") return undefined;
  if (tail.length === 0 || tail.length > Math.min(TAIL_BYTES_MAX, bytes)) return undefined;
  return { bytes, lines, tail };
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null ? { ...parsed } : undefined;
  } catch {
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

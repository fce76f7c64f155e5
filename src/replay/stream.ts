// One raw file on its way through the merge: its buffer, its next line (the head) and how far it is.
//
//   buffer:  [ last line taken | head, scanned | more lines … part of a line ] 0
//            ^tailStart        ^consumedEnd                                   ^limit

import { AtriumError } from "../support/errors.ts";
import { newScannedLine, scanLine, type ScannedLine } from "./csv-scanner.ts";
import { messagePrefix } from "./message-writer.ts";
import { type FileProgress, TAIL_BYTES_MAX } from "./progress-notes.ts";
import { openRawReader, type RawReader } from "./raw-reader.ts";
import type { RawSource } from "./raw-source.ts";
import type { RawFile } from "./select-files.ts";

/** Longest line that is replayed at all, bytes. */
export const RAW_LINE_BYTES_MAX = 1_048_576;
/** Where the messages of a sensor go. */
export interface Route {
  readonly key: string;
  /** Number of the key: the same for two files of one sensor. */
  readonly keyId: number;
  /** Number of the topic and partition in a batch set. */
  readonly lane: number;
}

/** A file in the merge. */
export interface ReplayStream {
  readonly file: RawFile;
  readonly route: Route;
  readonly prefix: Uint8Array;
  /** The head, if there is one. */
  readonly line: ScannedLine;
  /** A row beyond this event time does not move the stream's place in the merge, seconds. */
  readonly eventSecondsMax: number;
  /** Place of the head on the event-time clock, seconds: its own time, or that of the last row that has one; -Infinity before. */
  mergeKey: number;
  /** Lines up to `limit`, and a 0 behind. */
  buffer: Uint8Array;
  limit: number;
  /** Place of `buffer[0]` in the file. */
  baseBytes: number;
  /** Behind the last line that was taken. */
  consumedEnd: number;
  /** Start of the last line that was taken, or what is still held of it. */
  tailStart: number;
  /** Lines taken, since the start of the file. */
  lines: number;
  /** `lines` as the log's notes have it. */
  linesNoted: number;
  /** Size of the raw file, known at its end; Infinity before. */
  fileBytes: number;
  reader: RawReader;
  /** The next chunk, on its way while this one is worked on. */
  pending: Promise<Uint8Array | undefined>;
}

/** What opening a file needs. */
export interface StreamOptions {
  readonly source: RawSource;
  readonly route: Route;
  readonly chunkBytes: number;
  readonly eventSecondsMax: number;
  /** How far the file was replayed before. */
  readonly progress?: FileProgress | undefined;
}

/** An open file, without a head yet, and whether its progress was of use: `unusable` if the file has changed below it. */
export interface OpenedStream {
  readonly stream: ReplayStream;
  readonly progress: "none" | "used" | "unusable";
}

/** Opens a file at its start, or behind what was replayed before if that is still the same. @throws SOURCE_UNREADABLE */
export async function openStream(file: RawFile, options: StreamOptions): Promise<OpenedStream> {
  const { progress } = options;
  if (progress !== undefined) {
    const stream = startStream(file, options, progress.bytes - progress.tail.length);
    if (await resume(stream, progress)) return { stream, progress: "used" };
    await closeStream(stream);
  }
  const stream = startStream(file, options, 0);
  await skipByteOrderMark(stream);
  return { stream, progress: progress === undefined ? "none" : "unusable" };
}

/** Scans the next line as the head; false if the buffer does not hold it whole. */
export function nextHead(stream: ReplayStream): boolean {
  const { line } = stream;
  if (!scanLine(line, stream.buffer, stream.consumedEnd, stream.limit)) return false;
  if (hasEventTime(stream)) stream.mergeKey = line.seconds;
  return true;
}

/** True if the head is well formed and its time lies between 1970 and the stream's limit. */
export function hasEventTime({ line, eventSecondsMax }: ReplayStream): boolean {
  return line.wellFormed && line.seconds >= 0 && line.seconds <= eventSecondsMax;
}

/** Takes the head: it counts as replayed. Its bytes stay in the buffer until the next refill. */
export function consumeHead(stream: ReplayStream): void {
  stream.tailStart = stream.consumedEnd;
  stream.consumedEnd = stream.line.next;
  stream.lines += 1;
}

/** Reads on until there is a head; false at the end of the file. @throws SOURCE_UNREADABLE */
export async function refill(stream: ReplayStream): Promise<boolean> {
  while (stream.fileBytes === Infinity) {
    await load(stream);
    const found = nextHead(stream);
    const lineBytes = found ? stream.line.end - stream.line.start : stream.limit - stream.consumedEnd;
    if (lineBytes > RAW_LINE_BYTES_MAX) throw lineTooLong(stream);
    if (found) return true;
  }
  return false;
}

/** How far the stream is, for the log's notes; at least one line was taken. */
export function progressOf(stream: ReplayStream): FileProgress {
  const bytes = consumedBytes(stream);
  const end = bytes - stream.baseBytes;
  const start = Math.max(stream.tailStart, end - TAIL_BYTES_MAX);
  return { bytes, lines: stream.lines, tail: latin1(stream.buffer, start, end) };
}

/** Raw bytes taken, since the start of the file. */
export function consumedBytes(stream: ReplayStream): number {
  return Math.min(stream.baseBytes + stream.consumedEnd, stream.fileBytes);
}

/** Stored bytes done, for progress: exact for a plain file, what was fetched of a packed one. */
export function storedBytesDone(stream: ReplayStream): number {
  return stream.file.compressed ? stream.reader.sourceBytes : consumedBytes(stream);
}

/** Closes the file; a chunk on its way is awaited and dropped. */
export async function closeStream(stream: ReplayStream): Promise<void> {
  await stream.pending.catch(() => undefined);
  await stream.reader[Symbol.asyncDispose]();
}

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const;

function startStream(file: RawFile, options: StreamOptions, fromBytes: number): ReplayStream {
  const { source, route, chunkBytes, eventSecondsMax } = options;
  const reader = openRawReader(source, file, { fromBytes, chunkBytes });
  return {
    file,
    route,
    prefix: messagePrefix(file.room, file.sensorType),
    line: newScannedLine(),
    eventSecondsMax,
    mergeKey: -Infinity,
    buffer: new Uint8Array(0),
    limit: 0,
    baseBytes: fromBytes,
    consumedEnd: 0,
    tailStart: 0,
    lines: 0,
    linesNoted: 0,
    fileBytes: Infinity,
    reader,
    pending: readAhead(reader),
  };
}

/** Goes behind what was replayed; false if the file is not the same up to there. */
async function resume(stream: ReplayStream, progress: FileProgress): Promise<boolean> {
  const tailBytes = progress.tail.length;
  // Two more, to see a line end that was not there when an unfinished last line was replayed.
  await loadAtLeast(stream, tailBytes + 2);
  const known = Math.min(stream.limit, stream.fileBytes - stream.baseBytes);
  if (known < tailBytes || latin1(stream.buffer, 0, tailBytes) !== progress.tail) return false;
  stream.lines = progress.lines;
  stream.consumedEnd = tailBytes;
  if (!progress.tail.endsWith("\n")) resumeUnfinishedLine(stream);
  stream.linesNoted = stream.lines;
  return true;
}

/**
 * The file ended without a line end before. Now its line end follows (at the end of the file `load` has put one there),
 * or the line was cut short when it was replayed, and is replayed again as a whole.
 */
function resumeUnfinishedLine(stream: ReplayStream): void {
  const { buffer, consumedEnd } = stream;
  if (buffer[consumedEnd] === LINE_FEED) {
    stream.consumedEnd += 1;
  } else if (buffer[consumedEnd] === CARRIAGE_RETURN && buffer[consumedEnd + 1] === LINE_FEED) {
    stream.consumedEnd += 2;
  } else {
    stream.consumedEnd = 0;
    stream.lines -= 1;
  }
}

async function skipByteOrderMark(stream: ReplayStream): Promise<void> {
  await loadAtLeast(stream, BYTE_ORDER_MARK.length);
  if (!BYTE_ORDER_MARK.every((byte, place) => stream.buffer[place] === byte)) return;
  stream.consumedEnd = BYTE_ORDER_MARK.length;
  stream.tailStart = BYTE_ORDER_MARK.length;
}

async function loadAtLeast(stream: ReplayStream, bytes: number): Promise<void> {
  while (stream.limit < bytes && stream.fileBytes === Infinity) await load(stream);
}

/** Takes in the next chunk and asks for the one behind it; at the end of the file, ends its last line. */
async function load(stream: ReplayStream): Promise<void> {
  const chunk = await stream.pending;
  makeRoom(stream, chunk?.length ?? 0);
  if (chunk !== undefined) {
    stream.buffer.set(chunk, stream.limit);
    stream.limit += chunk.length;
    stream.pending = readAhead(stream.reader);
  } else {
    stream.fileBytes = stream.baseBytes + stream.limit;
    const unfinished = stream.limit > stream.consumedEnd && stream.buffer[stream.limit - 1] !== LINE_FEED;
    if (unfinished) {
      stream.buffer[stream.limit] = LINE_FEED;
      stream.limit += 1;
    }
  }
  stream.buffer[stream.limit] = 0;
}

/** Moves what is still wanted (the tail, and what follows it) to the front, with room for `more` bytes, an LF and a 0. */
function makeRoom(stream: ReplayStream, more: number): void {
  const from = Math.max(stream.tailStart, stream.consumedEnd - TAIL_BYTES_MAX);
  const kept = stream.limit - from;
  const wanted = kept + more + 2;
  const { buffer } = stream;
  // A buffer that one long line has blown up is not kept.
  if (wanted > buffer.length || buffer.length > 8 * wanted + RAW_LINE_BYTES_MAX) {
    stream.buffer = new Uint8Array(wanted + (wanted >> 3));
    stream.buffer.set(buffer.subarray(from, stream.limit));
  } else buffer.copyWithin(0, from, stream.limit);
  stream.baseBytes += from;
  stream.limit = kept;
  stream.consumedEnd -= from;
  stream.tailStart = 0;
}

function readAhead(reader: RawReader): Promise<Uint8Array | undefined> {
  const pending = reader.read();
  // Whoever awaits it meets its error; until then it must not count as unhandled.
  pending.catch(() => undefined);
  return pending;
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
}

function lineTooLong(stream: ReplayStream): AtriumError {
  const { path } = stream.file;
  const line = stream.lines + 1;
  return new AtriumError(
    "SOURCE_UNREADABLE",
    `${path}, line ${line}: longer than ${RAW_LINE_BYTES_MAX} bytes, so it is no CSV of readings. Repair or remove the file and start again.`,
    {
      details: { file: path, line },
    },
  );
}

// Reads one raw line `seconds, number` at byte level: no strings, no objects, no numbers but the event time.

/** Longest line that may be a reading, bytes with its end; a longer one is malformed. */
export const LINE_BYTES_MAX = 65_536;

/**
 * Where the parts of a line are in its buffer. One such object is used again for every line of a file.
 * The number parts leave out the sign and what JSON does not allow or need: leading zeros, and in the value the
 * trailing zeros of the fraction. They mean something only where `wellFormed` is true.
 */
export interface ScannedLine {
  wellFormed: boolean;
  start: number;
  /** Behind the last byte, without LF or CR LF. */
  end: number;
  /** Start of the next line. */
  next: number;
  /** Event time, seconds since the epoch. */
  seconds: number;
  secondsNegative: boolean;
  secondsStart: number;
  secondsEnd: number;
  valueNegative: boolean;
  valueStart: number;
  valueEnd: number;
}

/** Makes the object that `scanLine` fills. */
export function newScannedLine(): ScannedLine {
  return {
    wellFormed: false,
    start: 0,
    end: 0,
    next: 0,
    // A fraction from the start, so that the field is a double and stays one.
    seconds: 0.5,
    secondsNegative: false,
    secondsStart: 0,
    secondsEnd: 0,
    valueNegative: false,
    valueStart: 0,
    valueEnd: 0,
  };
}

/**
 * Scans the line at `start` and returns true, or returns false and leaves `line` alone if it does not end before
 * `limit`. `bytes[limit]` must exist and be 0: it stops every loop here, so that none has to look at `limit`.
 * Hot path: a call for every line.
 */
export function scanLine(line: ScannedLine, bytes: Uint8Array, start: number, limit: number): boolean {
  let at = start;
  let byte = bytes[at] ?? 0;
  let seconds = 0;
  while (byte >= ZERO && byte <= NINE) {
    seconds = seconds * 10 + (byte - ZERO);
    at += 1;
    byte = bytes[at] ?? 0;
  }
  const secondsEnd = at;
  if (byte !== COMMA || !isPlainInteger(bytes, start, secondsEnd)) {
    return scanSlowly(line, bytes, start, limit);
  }
  at += bytes[at + 1] === SPACE ? 2 : 1;
  byte = bytes[at] ?? 0;
  const negative = byte === MINUS;
  if (negative) {
    at += 1;
    byte = bytes[at] ?? 0;
  }
  const valueStart = at;
  while (byte >= ZERO && byte <= NINE) {
    at += 1;
    byte = bytes[at] ?? 0;
  }
  let valueEnd = at;
  if (!isPlainInteger(bytes, valueStart, valueEnd)) return scanSlowly(line, bytes, start, limit);
  if (byte === DOT) {
    do {
      at += 1;
      byte = bytes[at] ?? 0;
      if (byte > ZERO && byte <= NINE) valueEnd = at + 1;
    } while (byte >= ZERO && byte <= NINE);
  }
  const end = at;
  if (byte === CARRIAGE_RETURN) {
    at += 1;
    byte = bytes[at] ?? 0;
  }
  if (byte !== LINE_FEED || at - start >= LINE_BYTES_MAX) return scanSlowly(line, bytes, start, limit);
  line.wellFormed = true;
  line.start = start;
  line.end = end;
  line.next = at + 1;
  line.seconds = seconds;
  line.secondsNegative = false;
  line.secondsStart = start;
  line.secondsEnd = secondsEnd;
  line.valueNegative = negative && !(bytes[valueStart] === ZERO && valueEnd === valueStart + 1);
  line.valueStart = valueStart;
  line.valueEnd = valueEnd;
  return true;
}

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const SPACE = 32;
const TAB = 9;
const PLUS = 43;
const COMMA = 44;
const MINUS = 45;
const DOT = 46;
const ZERO = 48;
const NINE = 57;
const UPPER_E = 69;
const LOWER_E = 101;

/** True for 1 to 15 digits without a needless leading zero: those are exact as a number and fine in JSON. */
function isPlainInteger(bytes: Uint8Array, start: number, end: number): boolean {
  const digits = end - start;
  return digits === 1 || (digits > 1 && digits <= 15 && bytes[start] !== ZERO);
}

/** The same, called from the hot path, for every line that it does not take: spaces, decimals in the time, exponents, malformed ones. */
function scanSlowly(line: ScannedLine, bytes: Uint8Array, start: number, limit: number): boolean {
  const lineFeed = bytes.indexOf(LINE_FEED, start);
  if (lineFeed < 0 || lineFeed >= limit) return false;
  line.start = start;
  line.next = lineFeed + 1;
  line.end = lineFeed > start && bytes[lineFeed - 1] === CARRIAGE_RETURN ? lineFeed - 1 : lineFeed;
  line.wellFormed = line.next - start <= LINE_BYTES_MAX && scanFields(line, bytes);
  return true;
}

function scanFields(line: ScannedLine, bytes: Uint8Array): boolean {
  const seconds = numberAt(bytes, skipBlanks(bytes, line.start, line.end), line.end);
  if (seconds === undefined || seconds.exponent || seconds.bareDot) return false;
  const comma = skipBlanks(bytes, seconds.behind, line.end);
  if (comma >= line.end || bytes[comma] !== COMMA) return false;
  const value = numberAt(bytes, skipBlanks(bytes, comma + 1, line.end), line.end);
  if (value === undefined || skipBlanks(bytes, value.behind, line.end) !== line.end) return false;
  line.secondsNegative = seconds.negative;
  line.secondsStart = seconds.start;
  line.secondsEnd = seconds.behind;
  const size = Number(
    Buffer.from(bytes.buffer, bytes.byteOffset + seconds.start, seconds.behind - seconds.start).toString(
      "latin1",
    ),
  );
  line.seconds = seconds.negative ? -size : size;
  line.valueStart = value.start;
  line.valueEnd = value.trimmedEnd;
  line.valueNegative =
    value.negative && !(bytes[value.start] === ZERO && value.trimmedEnd === value.start + 1);
  return true;
}

interface NumberSpan {
  readonly negative: boolean;
  /** First digit that counts: behind sign and leading zeros. */
  readonly start: number;
  /** Behind the whole number. */
  readonly behind: number;
  /** As `behind`, without trailing zeros of the fraction; the same where there is an exponent. */
  readonly trimmedEnd: number;
  /** True for `5.`: a dot without digits. */
  readonly bareDot: boolean;
  readonly exponent: boolean;
}

/** The number that begins at `from`: `-?digits[.digits][e[±]digits]` or `-?digits.`; undefined if there is none. */
function numberAt(bytes: Uint8Array, from: number, limit: number): NumberSpan | undefined {
  const negative = from < limit && bytes[from] === MINUS;
  const digits = negative ? from + 1 : from;
  const dot = skipDigits(bytes, digits, limit);
  if (dot === digits) return undefined;
  let start = digits;
  while (start < dot - 1 && bytes[start] === ZERO) start += 1;
  const hasDot = dot < limit && bytes[dot] === DOT;
  const fractionEnd = hasDot ? skipDigits(bytes, dot + 1, limit) : dot;
  const bareDot = hasDot && fractionEnd === dot + 1;
  const behind = skipExponent(bytes, fractionEnd, limit);
  const exponent = behind > fractionEnd;
  if (exponent && bareDot) return undefined;
  const trimmedEnd = exponent ? behind : trimFraction(bytes, dot, fractionEnd);
  return { negative, start, behind, trimmedEnd, bareDot, exponent };
}

/** The end of a number whose fraction goes from `dot` to `end`, without its trailing zeros, and without a bare dot. */
function trimFraction(bytes: Uint8Array, dot: number, end: number): number {
  let trimmed = end;
  while (trimmed > dot && (bytes[trimmed - 1] === ZERO || trimmed === dot + 1)) trimmed -= 1;
  return trimmed;
}

function skipExponent(bytes: Uint8Array, from: number, limit: number): number {
  if (from >= limit || (bytes[from] !== LOWER_E && bytes[from] !== UPPER_E)) return from;
  const signed = from + 1 < limit && (bytes[from + 1] === MINUS || bytes[from + 1] === PLUS);
  const digits = from + (signed ? 2 : 1);
  const end = skipDigits(bytes, digits, limit);
  return end === digits ? from : end;
}

function skipDigits(bytes: Uint8Array, from: number, limit: number): number {
  let at = from;
  while (at < limit) {
    const byte = bytes[at] ?? 0;
    if (byte < ZERO || byte > NINE) break;
    at += 1;
  }
  return at;
}

function skipBlanks(bytes: Uint8Array, from: number, limit: number): number {
  let at = from;
  while (at < limit && (bytes[at] === SPACE || bytes[at] === TAB)) at += 1;
  return at;
}

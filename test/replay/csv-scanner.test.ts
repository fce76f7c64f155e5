// The scanner of raw lines: what is a reading, how its numbers are written, and that it agrees with a slow, plain model.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LINE_BYTES_MAX, newScannedLine, scanLine } from "../../src/replay/csv-scanner.ts";

interface Outcome {
  readonly seconds: string;
  readonly value: string;
  readonly key: number;
}

const scanned = (text: string): Outcome | "malformed" | "incomplete" => {
  const bytes = Buffer.from(`${text}\0`, "latin1");
  const line = newScannedLine();
  if (!scanLine(line, bytes, 0, bytes.length - 1)) return "incomplete";
  if (!line.wellFormed) return "malformed";
  const part = (negative: boolean, from: number, to: number): string =>
    (negative ? "-" : "") + bytes.toString("latin1", from, to);
  return {
    seconds: part(line.secondsNegative, line.secondsStart, line.secondsEnd),
    value: part(line.valueNegative, line.valueStart, line.valueEnd),
    key: line.seconds,
  };
};

/** The same in strings. */
const model = (text: string): Outcome | "malformed" => {
  const fields = /^[ \t]*(-?)(\d+(?:\.\d+)?)[ \t]*,[ \t]*(-?)(\d+)(\.\d*)?([eE][+-]?\d+)?[ \t]*$/.exec(text);
  if (fields === null || (fields[5] === "." && fields[6] !== undefined)) return "malformed";
  const [, secondsSign, seconds = "", valueSign = "", whole = "", fraction = "", exponent = ""] = fields;
  const noZeros = (digits: string): string => digits.replace(/^0+(?=\d)/, "");
  const value = noZeros(whole) + (exponent === "" ? fraction.replace(/\.?0*$/, "") : fraction + exponent);
  return {
    seconds: secondsSign + noZeros(seconds),
    value: value === "0" ? "0" : valueSign + value,
    key: Number(secondsSign + seconds),
  };
};

test("a raw value loses the zeros that mean nothing", () => {
  const values = {
    "495.00": "495",
    "45.30": "45.3",
    "-0.00": "0",
    "-0": "0",
    "0.00": "0",
    "-0.50": "-0.5",
    "100": "100",
    "100.": "100",
    "007.10": "7.1",
    "-007": "-7",
    "00": "0",
    "0.001000": "0.001",
    "12345678901234567890.10": "12345678901234567890.1",
    "1.50e3": "1.50e3",
    "1E-05": "1E-05",
  };
  for (const [raw, value] of Object.entries(values)) {
    assert.deepEqual(scanned(`1377299108, ${raw}\n`), { seconds: "1377299108", value, key: 1377299108 }, raw);
  }
});

test("spaces around the fields, CR LF and decimals in the time are taken", () => {
  const key = 1377299107.5;
  for (const raw of [
    "1377299107.50,1\n",
    " 1377299107.50 , 1 \n",
    "1377299107.50,\t1\r\n",
    "01377299107.50, 1\r\n",
  ]) {
    assert.deepEqual(scanned(raw), { seconds: "1377299107.50", value: "1", key }, raw);
  }
  assert.deepEqual(scanned("5,1\r\n"), { seconds: "5", value: "1", key: 5 });
});

test("a time before 1970 or far in the future is a time", () => {
  assert.deepEqual(scanned("-5, 1\n"), { seconds: "-5", value: "1", key: -5 });
  assert.deepEqual(scanned("1377299108000000, 1\n"), {
    seconds: "1377299108000000",
    value: "1",
    key: 1377299108000000,
  });
  // So many digits that adding them up one by one would round more than once.
  for (const digits of ["9007199254740993001", "1".repeat(25), "9".repeat(400)]) {
    assert.deepEqual(scanned(`${digits}, 1\n`), { seconds: digits, value: "1", key: Number(digits) });
  }
});

test("what is not two numbers is malformed", () => {
  const lines = [
    "",
    " ",
    ",",
    "1",
    "1,",
    ",1",
    "1,2,3",
    "1;2",
    "ts,value",
    "1,nan",
    "1,inf",
    "1,-",
    "1,.5",
    "1,+5",
    "1,1e",
    "1,1.e5",
    "1,1e+",
    "1.,5",
    "1e9,5",
    "1,5 5",
    "1 1,5",
    "1,5\r\r",
    "\r",
    "1,5x",
    "1,é",
    "--1,5",
    "1,--5",
    "1,0x10",
    "1,1_0",
  ];
  for (const line of lines) assert.equal(scanned(`${line}\n`), "malformed", JSON.stringify(line));
});

test("a line without its end is not judged, and leaves the line object alone", () => {
  const bytes = Buffer.from("1,2\n3,4\0", "latin1");
  const line = newScannedLine();
  assert.ok(scanLine(line, bytes, 0, 7));
  const before = { ...line };
  assert.equal(scanLine(line, bytes, 4, 7), false);
  assert.deepEqual(line, before);
});

test("what lies behind the limit is not looked at", () => {
  const line = newScannedLine();
  const stale = Buffer.from("1377299108, 4\0 2.00\n1,2\n", "latin1");
  for (let limit = 0; limit <= 13; limit += 1) {
    const bytes = Buffer.from(stale);
    bytes[limit] = 0;
    assert.equal(scanLine(line, bytes, 0, limit), false, `limit ${limit}`);
  }
});

test("a line beyond 64 KiB is malformed, one of 64 KiB is not", () => {
  const lineOf = (bytes: number): string => `1,${"0".repeat(bytes - 4)}7\n`;
  assert.equal(scanned(lineOf(LINE_BYTES_MAX + 1)), "malformed");
  assert.deepEqual(scanned(lineOf(LINE_BYTES_MAX)), { seconds: "1", value: "7", key: 1 });
  assert.equal(scanned(`1,${"7".repeat(LINE_BYTES_MAX)}\n`), "malformed");
  const plainLineOf = (bytes: number): string => `1,7.${"0".repeat(bytes - 5)}\n`;
  assert.equal(scanned(plainLineOf(LINE_BYTES_MAX + 1)), "malformed");
  assert.deepEqual(scanned(plainLineOf(LINE_BYTES_MAX)), { seconds: "1", value: "7", key: 1 });
});

test("the scanner agrees with the model on any line of these characters, anywhere in a buffer", () => {
  const nearly = fc
    .tuple(
      fc.stringMatching(/^[ \t]?-?[0-9]{0,17}(\.[0-9]{0,3})?[ \t]?$/),
      fc.constantFrom(",", ", ", " ,\t", ""),
      fc.stringMatching(/^-?[0-9]{0,4}(\.[0-9]{0,4})?([eE][+-]?[0-9]{0,2})?[ \t]?$/),
    )
    .map((parts) => parts.join(""));
  const wild = fc.string({ unit: fc.constantFrom(...Array.from('0123456789 \t,.-+eE\rx"')), maxLength: 20 });
  fc.assert(
    fc.property(fc.oneof(nearly, wild), fc.nat(9), fc.boolean(), (text, start, crLf) => {
      const raw = Buffer.from(`${"9".repeat(start)}${text}${crLf ? "\r\n" : "\n"}7,7\n\0`, "latin1");
      const line = newScannedLine();
      assert.ok(scanLine(line, raw, start, raw.length - 1));
      const withoutReturn = !crLf && text.endsWith("\r") ? text.slice(0, -1) : text;
      assert.equal(raw.toString("latin1", line.start, line.end), withoutReturn);
      assert.equal(raw.toString("latin1", line.next), "7,7\n\0");
      assert.deepEqual(scanned(`${text}${crLf ? "\r\n" : "\n"}`), model(withoutReturn));
    }),
    { numRuns: 2000 },
  );
});

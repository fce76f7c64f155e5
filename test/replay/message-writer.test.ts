// The messages, byte for byte.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { newScannedLine, scanLine } from "../../src/replay/csv-scanner.ts";
import {
  type MessageBuffer,
  messagePrefix,
  writeMessage,
  writeRawLine,
} from "../../src/replay/message-writer.ts";

const written = (room: string, lines: readonly string[]): string => {
  const out: MessageBuffer = { bytes: new Uint8Array(1), length: 0 };
  const source = Buffer.from(`${lines.join("\n")}\n\0`);
  const prefix = messagePrefix(room, "co2");
  const line = newScannedLine();
  for (let at = 0; scanLine(line, source, at, source.length - 1); at = line.next) {
    if (line.wellFormed) writeMessage(out, prefix, source, line);
    else writeRawLine(out, source, line);
  }
  return Buffer.from(out.bytes.subarray(0, out.length)).toString("utf8");
};

test("a row becomes the message of the wire format", () => {
  assert.equal(
    written("413", ["1377299108, 495.00", "-1, -0.50", "1.5, -0.0"]),
    '{"room":"413","sensor":"co2","ts":1377299108,"value":495}\n' +
      '{"room":"413","sensor":"co2","ts":-1,"value":-0.5}\n' +
      '{"room":"413","sensor":"co2","ts":1.5,"value":0}\n',
  );
});

test("a malformed line goes out as it is", () => {
  assert.equal(written("413", ["", "héllo", "1,nan\r"]), "\nhéllo\n1,nan\n");
});

test("lines of any length follow each other without a gap", () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z]{0,30}$/), { minLength: 1 }), (lines) => {
      assert.equal(written("1", lines), lines.map((line) => `${line}\n`).join(""));
    }),
  );
});

test("any room name and any number give valid JSON that means the same", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme", minLength: 1 }),
      fc.nat(4_102_444_800),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      (room, ts, value) => {
        const message: unknown = JSON.parse(written(room, [`${ts}, ${value}`]));
        // A negative zero has no sign in a message.
        assert.deepEqual(message, { room, sensor: "co2", ts, value: value === 0 ? 0 : value });
      },
    ),
  );
});

// Cursors: they come back as they were, and fit nothing else.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeCursor, encodeCursor, filtersHash } from "../../src/api/cursor.ts";
import { KEYS } from "../../src/api/queries.ts";

const KEY = ["2013-08-23T08:00:00.000001Z", "co2", "413"];
const HASH = filtersHash("/v1/readings", { room: ["413"] });

test("a cursor comes back as it was, whatever the room is called", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (room) => {
      const cursor = { key: ["2013-08-23T08:00:00.000001Z", "co2", room] };
      const text = encodeCursor(HASH, cursor);
      assert.match(text, /^[A-Za-z0-9_-]+$/);
      assert.deepEqual(decodeCursor(text, HASH, KEYS.readings), cursor);
    }),
  );
  const pinned = { key: KEY, pinnedFrom: "2013-08-22T08:00:00.000000Z" };
  assert.deepEqual(decodeCursor(encodeCursor(HASH, pinned), HASH, KEYS.readings), pinned);
});

test("a cursor of other filters or of another path is told apart", () => {
  const text = encodeCursor(HASH, { key: KEY });
  for (const other of [
    filtersHash("/v1/readings", { room: ["415"] }),
    filtersHash("/v1/rooms", { room: ["413"] }),
  ]) {
    assert.equal(decodeCursor(text, other, KEYS.readings), "other filters");
  }
});

test("the order of filters and of their values does not matter", () => {
  assert.equal(
    filtersHash("/x", { room: ["1", "2"], to: "b" }),
    filtersHash("/x", { to: "b", room: ["2", "1"] }),
  );
});

test("what is no cursor, or has a key of another type, is refused", () => {
  const made = (...parts: unknown[]): string => Buffer.from(JSON.stringify(parts)).toString("base64url");
  const texts = [
    "",
    "x",
    "!!!",
    made(),
    made(2, HASH, KEY, null),
    made(1, HASH, KEY.slice(1), null),
    made(1, HASH, [1, "co2", "413"], null),
    made(1, HASH, ["yesterday", "co2", "413"], null),
    made(1, HASH, ["2013-08-23T08:00:00Z", "co2", null], null),
    made(1, HASH, KEY, "x"),
    made(1, HASH, "key", null),
    made(1, 5, KEY, null),
  ];
  for (const text of texts) assert.equal(decodeCursor(text, HASH, KEYS.readings), "no cursor", text);
  assert.equal(
    decodeCursor(made(1, HASH, ["2013-08-23", 1.5, "co2", "413"], null), HASH, KEYS.hourly),
    "no cursor",
  );
  assert.equal(
    decodeCursor(made(1, HASH, ["2013-02-30", 1, "co2", "413"], null), HASH, KEYS.hourly),
    "no cursor",
  );
});

test("any bytes are refused, never a failure", () => {
  fc.assert(
    fc.property(fc.string(), (text) => assert.equal(decodeCursor(text, HASH, KEYS.daily), "no cursor")),
  );
});

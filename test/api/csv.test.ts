// Rows as CSV, by RFC 4180.

import assert from "node:assert/strict";
import { test } from "node:test";
import { csvOf } from "../../src/api/csv.ts";

test("fields with commas, quotes or line ends are quoted; null is empty; lists are separated by blanks", () => {
  const rows = [
    { room: 'the "old", room', value: 1.5, ok: true, missing: ["pir", "co2"], note: null },
    { room: "a\r\nb", value: -1e21, ok: false, missing: [], note: "x" },
  ];
  assert.equal(
    csvOf(["room", "value", "ok", "missing", "note", "absent"], rows),
    'room,value,ok,missing,note,absent\r\n"the ""old"", room",1.5,true,pir co2,,\r\n"a\r\nb",-1e+21,false,,x,\r\n',
  );
});

test("without rows there is the header", () => assert.equal(csvOf(["a", "b"], []), "a,b\r\n"));

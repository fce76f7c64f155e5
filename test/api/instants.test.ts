// Dates and times of clients: one form that sorts as text, and nothing that does not exist.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { endOfDay, instantOfMs, isDate, parseInstant, startOfDay } from "../../src/api/instants.ts";

test("a day is one that exists, of the years 1 to 9999", () => {
  const days = ["2013-08-23", "2012-02-29", "0001-01-01", "9999-12-31"];
  for (const day of days) assert.equal(isDate(day), true, day);
  for (const text of [
    "2013-02-29",
    "2013-13-01",
    "2013-00-10",
    "0000-01-01",
    "2013-8-23",
    "20130823",
    "2013-08-23 ",
    "",
  ]) {
    assert.equal(isDate(text), false, text);
  }
});

test("a time may have an offset, fractions, no seconds or no zone", () => {
  const cases: Record<string, string> = {
    "2013-08-23T08:00:00Z": "2013-08-23T08:00:00.000000Z",
    "2013-08-23t08:00:00z": "2013-08-23T08:00:00.000000Z",
    "2013-08-23 08:00": "2013-08-23T08:00:00.000000Z",
    "2013-08-23T08:00:00.5": "2013-08-23T08:00:00.500000Z",
    "2013-08-23T01:00:00+02:00": "2013-08-22T23:00:00.000000Z",
    "2013-08-23T01:00:00 02:00": "2013-08-22T23:00:00.000000Z",
    "2013-08-23T23:30:00-0130": "2013-08-24T01:00:00.000000Z",
    "2013-08-23T08:00:00.123456Z": "2013-08-23T08:00:00.123456Z",
    "2013-08-23T08:00:00.1234561Z": "2013-08-23T08:00:00.123457Z",
    "2013-08-23T23:59:59.9999999Z": "2013-08-24T00:00:00.000000Z",
    "0001-01-01T00:00:00Z": "0001-01-01T00:00:00.000000Z",
  };
  for (const [text, instant] of Object.entries(cases)) assert.equal(parseInstant(text), instant, text);
});

test("what is no time is refused", () => {
  const texts = [
    "2013-08-23",
    "2013-08-23T24:00:00Z",
    "2013-08-23T08:60:00Z",
    "2013-08-23T08:00:60Z",
    "2013-02-30T00:00:00Z",
    "2013-08-23T08:00:00+24:00",
    "2013-08-23T08:00:00+02:60",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59-00:01",
    "now",
    "",
  ];
  for (const text of texts) assert.equal(parseInstant(text), undefined, text);
});

test("instants sort as the moments do", () => {
  const ms = fc.integer({ min: Date.parse("0001-01-01T00:00:00Z"), max: Date.parse("9999-12-31T23:59:59Z") });
  fc.assert(
    fc.property(ms, ms, (a, b) => {
      assert.equal(instantOfMs(a) < instantOfMs(b), a < b);
      assert.equal(parseInstant(new Date(a).toISOString()), instantOfMs(a));
    }),
  );
});

test("a day ends where the next one starts, and the last day is open", () => {
  assert.equal(endOfDay("2013-08-31"), startOfDay("2013-09-01"));
  assert.equal(endOfDay("9999-12-31"), undefined);
});

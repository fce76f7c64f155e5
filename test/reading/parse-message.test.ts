// The wire format: what is a reading, and why a message is not.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  isRejection,
  parseMessage,
  REJECTION_REASONS,
  type RejectionReason,
} from "../../src/reading/parse-message.ts";
import { SENSOR_TYPES } from "../../src/reading/terms.ts";

const LOG_TIME_MS = Date.UTC(2026, 0, 1);
const parse = (text: string | Uint8Array) =>
  parseMessage(typeof text === "string" ? Buffer.from(text) : text, LOG_TIME_MS);

test("a message with room, sensor, ts and value is a reading", () => {
  assert.deepEqual(parse('{"room":"413","sensor":"co2","ts":1377299108,"value":495}'), {
    room: "413",
    sensorType: "co2",
    eventUs: 1377299108e6,
    value: 495,
  });
});

test("ts is taken as seconds, milliseconds or microseconds by its size, and keeps its microseconds", () => {
  const us = (ts: string) => {
    const outcome = parse(`{"room":"413","sensor":"pir","ts":${ts},"value":1}`);
    assert.ok(!isRejection(outcome), JSON.stringify(outcome));
    return outcome.eventUs;
  };
  assert.equal(us("1377299108"), 1377299108000000);
  assert.equal(us("1377299108.25"), 1377299108250000);
  assert.equal(us("1377299108123"), 1377299108123000);
  assert.equal(us("1377299108123456"), 1377299108123456);
  assert.equal(us("0"), 0);
});

test("other fields are kept as attributes with their digits as sent", () => {
  const outcome = parse(
    '{"room":"413","sensor":"co2","ts":1377299108,"value":495,"serial":12345678901234567890,"unit":"ppm","at":{"x":1.10}}',
  );
  assert.ok(!isRejection(outcome));
  assert.equal(outcome.attributes, '{"serial":12345678901234567890,"unit":"ppm","at":{"x":1.10}}');
});

test("a number among the other fields is written as it was sent, whatever its form", () => {
  const digits = fc.stringMatching(/^-?(0|[1-9]\d{0,17})(\.\d{1,12})?([eE][+-]?\d{1,2})?$/);
  const texts = fc.string({ maxLength: 8 }).map((text) => JSON.stringify(text));
  fc.assert(
    fc.property(fc.array(fc.oneof(digits, texts), { minLength: 1 }), (members) => {
      const attributes = `{"a":${members[0]},"b":[${members.join(",")}],"c":{"d":${members[0]}}}`;
      const outcome = parse(
        `{"room":"413","sensor":"co2","ts":1377299108,"value":495,${attributes.slice(1)}`,
      );
      assert.ok(!isRejection(outcome));
      assert.equal(outcome.attributes, attributes);
    }),
    { numRuns: 2000 },
  );
});

test("a message may be nested 100 levels deep", () => {
  const text = `{"room":"413","sensor":"co2","ts":1,"value":1,"a":${"[".repeat(99)}1${"]".repeat(99)}}`;
  assert.ok(!isRejection(parse(text)));
});

const REJECTED: readonly (readonly [RejectionReason, string | Uint8Array])[] = [
  ["not_utf8", Buffer.from([0x7b, 0xff, 0x7d])],
  ["not_json", "1377299108, 495.00"],
  ["not_json", ""],
  ["not_json", '{"room":"413"'],
  ["not_an_object", "[1]"],
  ["not_an_object", "null"],
  ["not_an_object", "1377299108"],
  ["nested_too_deep", `{"room":${"[".repeat(400_000)}${"]".repeat(400_000)}}`],
  [
    "nested_too_deep",
    `{"room":"413","sensor":"co2","ts":1,"value":1,"a":${'{"a":'.repeat(100)}1${"}".repeat(100)}}`,
  ],
  ["room_missing", '{"sensor":"co2","ts":1377299108,"value":495}'],
  ["room_invalid", '{"room":413,"sensor":"co2","ts":1377299108,"value":495}'],
  ["room_invalid", '{"room":" ","sensor":"co2","ts":1377299108,"value":495}'],
  ["room_invalid", '{"room":"a\\u0000b","sensor":"co2","ts":1377299108,"value":495}'],
  ["room_invalid", `{"room":"${"x".repeat(101)}","sensor":"co2","ts":1377299108,"value":495}`],
  ["room_invalid", `{"room":"${"ü".repeat(40)}","sensor":"co2","ts":1377299108,"value":495}`],
  ["sensor_missing", '{"room":"413","ts":1377299108,"value":495}'],
  ["unknown_sensor_type", '{"room":"413","sensor":"noise","ts":1377299108,"value":495}'],
  ["timestamp_missing", '{"room":"413","sensor":"co2","value":495}'],
  ["timestamp_invalid", '{"room":"413","sensor":"co2","ts":"1377299108","value":495}'],
  ["timestamp_before_1970", '{"room":"413","sensor":"co2","ts":-1,"value":495}'],
  ["timestamp_in_future", '{"room":"413","sensor":"co2","ts":4102444800,"value":495}'],
  ["timestamp_in_future", '{"room":"413","sensor":"co2","ts":1e300,"value":495}'],
  ["value_missing", '{"room":"413","sensor":"co2","ts":1377299108}'],
  ["value_missing", '{"room":"413","sensor":"co2","ts":1377299108,"value":null}'],
  ["value_not_a_number", '{"room":"413","sensor":"co2","ts":1377299108,"value":"495"}'],
  ["value_not_a_number", '{"room":"413","sensor":"co2","ts":1377299108,"value":true}'],
  ["value_not_finite", '{"room":"413","sensor":"co2","ts":1377299108,"value":1e999}'],
  ["value_not_finite", '{"room":"413","sensor":"co2","ts":1377299108,"value":NaN}'],
  ["value_not_finite", '{"room":"413","sensor":"co2","ts":1377299108,"value":-Infinity}'],
];

for (const [reason, message] of REJECTED) {
  test(`a message is rejected as ${reason}: ${String(message).slice(0, 70)}`, () => {
    const outcome = parse(message);
    assert.ok(isRejection(outcome), "expected a rejection");
    assert.equal(outcome.reason, reason);
    assert.ok(outcome.detail.length > 0 && outcome.detail.length <= 201);
  });
}

test("every reason of the list has a message that shows it", () => {
  assert.deepEqual(new Set(REJECTED.map(([reason]) => reason)), new Set(Object.keys(REJECTION_REASONS)));
});

test("an event time up to a day ahead of its log time is taken, later ones are not", () => {
  const at = (ms: number) => parse(`{"room":"1","sensor":"pir","ts":${ms},"value":0}`);
  assert.ok(!isRejection(at(LOG_TIME_MS + 24 * 3600 * 1000)));
  assert.ok(isRejection(at(LOG_TIME_MS + 24 * 3600 * 1000 + 1)));
});

test("any bytes end as a reading or a rejection, never as an exception", () => {
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.json().map((text) => Buffer.from(text)),
    fc
      .record(
        {
          room: fc.oneof(fc.string(), fc.integer()),
          sensor: fc.oneof(fc.constantFrom(...SENSOR_TYPES), fc.string()),
          ts: fc.oneof(fc.double(), fc.integer(), fc.string()),
          value: fc.oneof(fc.double(), fc.string(), fc.constant(null)),
        },
        { requiredKeys: [] },
      )
      .map((fields) => Buffer.from(JSON.stringify(fields))),
  );
  fc.assert(
    fc.property(anything, (bytes) => {
      const outcome = parseMessage(bytes, LOG_TIME_MS);
      if (isRejection(outcome)) return outcome.reason in REJECTION_REASONS;
      return Number.isFinite(outcome.value) && Number.isSafeInteger(outcome.eventUs) && outcome.eventUs >= 0;
    }),
    { numRuns: 2000 },
  );
});

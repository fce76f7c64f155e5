// Decoding: the short way and the general way agree, positions are exact, nothing is dropped.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeBatch, type RejectedMessage } from "../../../src/lakehouse/bronze/decode.ts";
import { StagedReadings } from "../../../src/lakehouse/bronze/staged-readings.ts";
import type { ColumnValues, RowsInput } from "../../../src/lakehouse/engine.ts";
import type { RecordBatch } from "../../../src/log/event-log.ts";
import { recordsOf, type KeyedValue } from "../../../src/log/records.ts";
import { isRejection, parseMessage } from "../../../src/reading/parse-message.ts";
import { SENSOR_TYPES } from "../../../src/reading/terms.ts";

const PARTITION_BY = ["event_date", "room", "sensor_type"];
const LOG_TIME_MS = Date.UTC(2026, 0, 1);

function batchOf(items: readonly KeyedValue[], rest: Partial<RecordBatch> = {}): RecordBatch {
  return {
    topic: "iot.co2",
    partition: 1,
    baseOffset: 100n,
    logTimeMs: LOG_TIME_MS,
    records: recordsOf(items),
    ...rest,
  };
}

function decode(batch: RecordBatch, from = 0n) {
  const staged = new StagedReadings(1, PARTITION_BY);
  const rejected: RejectedMessage[] = [];
  decodeBatch(batch, from, { staged, rejected });
  return { rows: rowsOf(staged), rejected };
}

const at = (values: ColumnValues, row: number): unknown => values[row];

function rowsOf(staged: StagedReadings) {
  const inputs = new Map(staged.inputs().map((input) => [input.name, input]));
  const column = (input: string, name: string, row: number): unknown => {
    const found = inputs.get(input)!.columns.find((candidate) => candidate.name === name)!;
    return at(found.values, row);
  };
  const rows = inputs.get("staged") as RowsInput;
  return Array.from({ length: rows.rowCount }, (_, row) => {
    const sensor = Number(column("staged", "sensor_code", row));
    const source = Number(column("staged", "source_code", row));
    const attribute = Number(column("staged", "attribute_code", row));
    return {
      room: column("sensors", "room", sensor),
      sensorType: column("sensors", "sensor_type", sensor),
      eventUs: Number(column("staged", "event_ts", row)),
      value: column("staged", "value", row),
      topic: column("sources", "topic", source),
      partition: column("sources", "partition", source),
      offset: column("staged", "offset", row),
      logUs: Number(column("staged", "log_ts", row)),
      ...(attribute < 0 ? {} : { attributes: column("attribute_rows", "attributes", attribute) }),
    };
  });
}

test("a message in our own form becomes a row with its position and log time", () => {
  const value = Buffer.from('{"room":"413","sensor":"co2","ts":1377299108,"value":495.25}');
  assert.deepEqual(decode(batchOf([{ key: "413:co2", value }])).rows, [
    {
      room: "413",
      sensorType: "co2",
      eventUs: 1377299108e6,
      value: 495.25,
      topic: "iot.co2",
      partition: 1,
      offset: 100n,
      logUs: LOG_TIME_MS * 1000,
    },
  ]);
});

const number = fc.oneof(
  fc.integer({ min: -50_000, max: 50_000 }).map((cents) => String(cents / 100)),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc.constantFrom(
    "-0",
    "0",
    "-0.0",
    "00",
    "1.",
    ".5",
    "1e3",
    "-",
    "1.7976931348623157e308",
    "123456789012345678",
    "0.1234567890123",
  ),
);
const seconds = fc.oneof(
  fc.integer({ min: 1_300_000_000, max: 1_400_000_000 }).map(String),
  fc.constantFrom(
    "0",
    "-1",
    "0123456789",
    "4102444800",
    "1377299108.5",
    "1377299108123",
    "137729910",
    "1767225600",
    "1767312001",
  ),
);
const message = fc
  .record({
    room: fc.oneof(fc.constantFrom("413", "621E", "a b"), fc.string()),
    sensor: fc.oneof(fc.constantFrom(...SENSOR_TYPES), fc.constant("noise")),
    ts: seconds,
    value: number,
    tail: fc.constantFrom("", "", "", "", ',"x":1', " ", "\n"),
  })
  .map(({ room, sensor, ts, value, tail }) => ({
    key: `${room}:${sensor}`,
    value: Buffer.from(
      `{"room":${JSON.stringify(room)},"sensor":"${sensor}","ts":${ts},"value":${value}${tail}}`,
    ),
  }));
const rubbish = fc
  .uint8Array({ maxLength: 30 })
  .map((bytes) => ({ key: "413:co2", value: Buffer.from(bytes) }));

test("whatever the messages, the short way gives what the general way gives, each once and in its place", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof({ weight: 6, arbitrary: message }, rubbish), { minLength: 1, maxLength: 30 }),
      (items) => {
        const { rows, rejected } = decode(batchOf(items));
        const expected = items.map((item, index) => ({
          ...parseMessage(item.value, LOG_TIME_MS),
          offset: BigInt(100 + index),
          item,
        }));
        assert.deepEqual(
          rows.map(({ room, sensorType, eventUs, value, offset, attributes }) => [
            room,
            sensorType,
            eventUs,
            value,
            offset,
            attributes,
          ]),
          expected.flatMap((one) =>
            isRejection(one)
              ? []
              : [[one.room, one.sensorType, one.eventUs, one.value, one.offset, one.attributes]],
          ),
        );
        assert.deepEqual(
          rejected.map(({ reason, offset, key, value }) => [reason, offset, key, Buffer.from(value)]),
          expected.flatMap((one) =>
            isRejection(one) ? [[one.reason, one.offset, one.item.key, one.item.value]] : [],
          ),
        );
      },
    ),
    { numRuns: 500 },
  );
});

test("records below the position are dropped, the others keep their offsets", () => {
  const items = [1, 2, 3, 4].map((value) => ({
    key: "413:co2",
    value: Buffer.from(`{"room":"413","sensor":"co2","ts":1377299108,"value":${value}}`),
  }));
  const { rows } = decode(batchOf(items), 102n);
  assert.deepEqual(
    rows.map((row) => [row.offset, row.value]),
    [
      [102n, 3],
      [103n, 4],
    ],
  );
});

test("gaps in the offsets and log times of each record are kept", () => {
  const items = [1, 2].map((value) => ({
    key: "413:co2",
    value: Buffer.from(`{"room":"413","sensor":"co2","ts":1377299108,"value":${value}}`),
  }));
  const { rows } = decode(
    batchOf(items, { offsetDeltas: Uint32Array.of(0, 7), logTimeDeltasMs: Float64Array.of(0, 9) }),
  );
  assert.deepEqual(
    rows.map((row) => [row.offset, row.logUs]),
    [
      [100n, LOG_TIME_MS * 1000],
      [107n, (LOG_TIME_MS + 9) * 1000],
    ],
  );
});

test("a message whose key names another sensor is taken at its own word", () => {
  const value = Buffer.from('{"room":"415","sensor":"pir","ts":1377299108,"value":30}');
  const [row] = decode(batchOf([{ key: "413:co2", value }])).rows;
  assert.deepEqual([row?.room, row?.sensorType], ["415", "pir"]);
});

// Judges rejected messages anew, and puts those that are readings by now into the columns of bronze/readings. Pure.

import { messageText } from "../../reading/message-text.ts";
import { isRejection, parseMessage, type Reading } from "../../reading/parse-message.ts";
import type { RowsInput } from "../engine.ts";
import { correctionOf, type Corrections } from "./corrections.ts";
import type { HeldMessage } from "./rejected.ts";

/** A message that is a reading by now. */
export interface Redriven {
  readonly message: HeldMessage;
  readonly reading: Reading;
}

/** Messages, judged. */
export interface Judged {
  readonly readings: readonly Redriven[];
  /** How many are still rejected, by what they are rejected for now. */
  readonly rejected: ReadonlyMap<string, number>;
}

/** The member of `attributes` that says what a redriven message was. */
export const REDRIVEN_ATTRIBUTE = "atrium.redriven";

/** Judges messages by their own log times; of corrected ones, by what they should have been. */
export function judge(messages: readonly HeldMessage[], corrections: Corrections | undefined): Judged {
  const readings: Redriven[] = [];
  const rejected = new Map<string, number>();
  for (const message of messages) {
    const correction = corrections && correctionOf(corrections, message);
    if (corrections !== undefined && correction === undefined) continue;
    const outcome = parseMessage(correction?.value ?? message.value, message.logTimeMs);
    if (isRejection(outcome)) rejected.set(outcome.reason, (rejected.get(outcome.reason) ?? 0) + 1);
    else readings.push({ message, reading: outcome });
  }
  return { readings, rejected };
}

/** Redriven messages to bronze/readings. Inputs: `redriven` and `batch`. */
export const REDRIVEN_SQL = `
  select room, sensor_type, epoch_us(event_ts) // 1000000 as ts_unix, value, event_ts,
    cast(event_ts as date) as event_date, topic, "partition", "offset", log_ts, batch.made_at as ingest_ts, attributes
  from redriven cross join batch`;

/** The readings as an input named `redriven`. */
export function redrivenInput(redriven: readonly Redriven[]): RowsInput {
  const readings = redriven.map(({ reading }) => reading);
  return {
    kind: "rows",
    name: "redriven",
    rowCount: redriven.length,
    columns: [
      { name: "room", type: "string", values: readings.map(({ room }) => room) },
      { name: "sensor_type", type: "string", values: readings.map(({ sensorType }) => sensorType) },
      { name: "value", type: "double", values: Float64Array.from(readings, ({ value }) => value) },
      {
        name: "event_ts",
        type: "timestamp",
        values: BigInt64Array.from(readings, ({ eventUs }) => BigInt(eventUs)),
      },
      ...positionColumns(redriven.map(({ message }) => message)),
      { name: "attributes", type: "string", values: redriven.map(attributesOf) },
    ],
  };
}

/** What tells one row of bronze/rejected from another, as an input named `chosen`. */
export function chosenInput(messages: readonly HeldMessage[]): RowsInput {
  const columns = [
    ...positionColumns(messages),
    {
      name: "ingest_ts",
      type: "timestamp",
      values: BigInt64Array.from(messages, ({ ingestTime }) => BigInt(Date.parse(ingestTime)) * 1000n),
    },
    { name: "key", type: "string", values: messages.map(({ key }) => key) },
    { name: "value", type: "binary", values: messages.map(({ value }) => value) },
  ] as const;
  return { kind: "rows", name: "chosen", rowCount: messages.length, columns };
}

/** The rows of bronze_rejected that are chosen. Inputs: bronze_rejected, chosen. */
export const CHOSEN_SQL = `select held.* from bronze_rejected held where ${isChosen()}`;
/** The rows of bronze_rejected that are not chosen. Inputs: bronze_rejected, chosen. */
export const NOT_CHOSEN_SQL = `select held.* from bronze_rejected held where not ${isChosen()}`;

function isChosen(): string {
  return `exists (select 1 from chosen where chosen.topic = held.topic and chosen."partition" = held."partition"
    and chosen."offset" = held."offset" and chosen.log_ts = held.log_ts and chosen.ingest_ts = held.ingest_ts
    and chosen.key is not distinct from held.key and chosen.value = held.value)`;
}

function positionColumns(messages: readonly HeldMessage[]): RowsInput["columns"] {
  return [
    { name: "topic", type: "string", values: messages.map(({ topic }) => topic) },
    { name: "partition", type: "integer", values: Int32Array.from(messages, ({ partition }) => partition) },
    { name: "offset", type: "long", values: BigInt64Array.from(messages, ({ offset }) => BigInt(offset)) },
    {
      name: "log_ts",
      type: "timestamp",
      values: BigInt64Array.from(messages, ({ logTimeMs }) => BigInt(logTimeMs) * 1000n),
    },
  ];
}

/** The other fields of the message as they were sent, and behind them what it was when it was rejected. */
function attributesOf({ message, reading }: Redriven): string {
  const { reason, key, value } = message;
  const was = JSON.stringify({ reason, key, original: messageText(value) });
  const member = `"${REDRIVEN_ATTRIBUTE}":${was}}`;
  return reading.attributes === undefined ? `{${member}` : `${reading.attributes.slice(0, -1)},${member}`;
}

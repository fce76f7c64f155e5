// The bronze transforms as data: staged messages to the columns of bronze/readings and bronze/rejected.

import type { RowsInput } from "../engine.ts";
import type { RejectedMessage } from "./decode.ts";

/**
 * Staged readings, with their codes resolved, to bronze/readings and the code of each row's partition. Inputs: those of
 * StagedReadings, and `batch`. Whole numbers where they do: `epoch` goes through the calendar.
 */
export const BRONZE_READINGS_SQL = `
  select sensors.room, sensors.sensor_type,
    epoch_us(staged.event_ts) // 1000000 as ts_unix,
    staged.value, staged.event_ts, cast(staged.event_ts as date) as event_date,
    sources.topic, sources."partition", staged."offset",
    staged.log_ts, batch.made_at as ingest_ts, attribute_rows.attributes, staged.partition_code
  from staged
  join sensors on sensors.sensor_code = staged.sensor_code
  join sources on sources.source_code = staged.source_code
  left join attribute_rows on attribute_rows.attribute_code = staged.attribute_code
  cross join batch`;

/** The column by which the engine splits the rows of BRONZE_READINGS_SQL: see StagedReadings.partitionValues. */
export const PARTITION_CODE = "partition_code";

/** Rejected messages to bronze/rejected. Inputs: `rejected` and `batch`. */
export const BRONZE_REJECTED_SQL = `
  select topic, "partition", "offset", log_ts, batch.made_at as ingest_ts,
    cast(batch.made_at as date) as ingest_date, key, value, reason, detail
  from rejected cross join batch`;

/** One row that says when a batch is made (ms since 1970): the same moment in all of its rows. */
export function batchInput(madeAtMs: number): RowsInput {
  const values = BigInt64Array.of(BigInt(Math.trunc(madeAtMs)) * 1000n);
  return {
    kind: "rows",
    name: "batch",
    rowCount: 1,
    columns: [{ name: "made_at", type: "timestamp", values }],
  };
}

/** Rejected messages as an input named `rejected`. */
export function rejectedInput(messages: readonly RejectedMessage[]): RowsInput {
  return {
    kind: "rows",
    name: "rejected",
    rowCount: messages.length,
    columns: [
      { name: "topic", type: "string", values: messages.map((message) => message.topic) },
      {
        name: "partition",
        type: "integer",
        values: Int32Array.from(messages, (message) => message.partition),
      },
      { name: "offset", type: "long", values: BigInt64Array.from(messages, (message) => message.offset) },
      {
        name: "log_ts",
        type: "timestamp",
        values: BigInt64Array.from(messages, (message) => BigInt(message.logTimeMs) * 1000n),
      },
      { name: "key", type: "string", values: messages.map((message) => message.key) },
      { name: "value", type: "binary", values: messages.map((message) => message.value) },
      { name: "reason", type: "string", values: messages.map((message) => message.reason) },
      { name: "detail", type: "string", values: messages.map((message) => message.detail) },
    ],
  };
}

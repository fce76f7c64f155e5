// Ranges of Kafka's topics to files of bronze, read and written by Spark.
//
//   Kafka [start, end) ── counted: rows, odd ones, their bytes ──> plain ones ──> files of bronze/readings, in the lake
//                                                            └──> odd ones: only if there are any, in a second look

import type { WholeMessage } from "../../lakehouse/bronze/decode.ts";
import type { RangeReader, RangeTask } from "../../lakehouse/bronze/range-intake.ts";
import type { TableSchema } from "../../lakehouse/delta/actions.ts";
import { FUTURE_TOLERANCE_MS } from "../../reading/parse-message.ts";
import { SENSOR_TYPES } from "../../reading/terms.ts";
import { AtriumError, isAtriumError } from "../../support/errors.ts";
import type { Relation, SparkSession } from "./connect/session.ts";
import type { SparkEngine } from "./engine.ts";
import { observed, quoteName, sourceOf, sqlType, selectOver } from "./plans.ts";
import type { SparkSessions } from "./sessions.ts";

/** What the reader works with. */
export interface RangeReaderOptions {
  readonly sessions: SparkSessions;
  readonly engine: SparkEngine;
  /** Options of Spark's Kafka source: how the cluster is reached. */
  readonly kafka: Readonly<Record<string, string>>;
}

/** Makes the reader; nothing is sent before its first use. */
export function sparkRangeReader(options: RangeReaderOptions): RangeReader {
  const { sessions, engine } = options;
  return {
    take: async (task) =>
      sessions
        .use(async (session) => take(session, engine, { ...task, log: logRelation(options.kafka, task) }))
        .catch((error: unknown) => {
          throw lostOffsets(error) ?? withoutKafka(error) ?? error;
        }),
  };
}

interface Work extends RangeTask {
  readonly log: Relation;
}

async function take(session: SparkSession, engine: SparkEngine, work: Work): ReturnType<RangeReader["take"]> {
  const { schema, signal, madeAtMs, oddMax, oddBytesMax } = work;
  const counted = observed(parsedRelation(work.log), [
    "count_if(not is_plain) as odd",
    "coalesce(sum(if(is_plain, 0L, octet_length(value))), 0L) as odd_bytes",
  ]);
  let odd = 0n;
  let oddBytes = 0n;
  await using written = await engine.writeRelation(session, plainRows(counted, schema, madeAtMs), {
    columns: schema.columns,
    partitionColumns: schema.partitionColumns,
    into: "bronze/readings",
    signal,
    observe: (counts) => {
      odd = counts.get("odd") ?? 0n;
      oddBytes = counts.get("odd_bytes") ?? 0n;
    },
  });
  if (odd > BigInt(oddMax) || oddBytes > BigInt(oddBytesMax)) {
    await engine.discard(written.files);
    return undefined;
  }
  return { files: written.files, odd: odd === 0n ? [] : await oddMessages(session, work, Number(odd)) };
}

/**
 * The shape that parse-message.ts would take as it stands: see RangeReader. `\z` is the very end, which `$` is not; Java's
 * `\w` and `\d` are ASCII, so bytes that are no UTF-8 never match.
 */
const PLAIN = String.raw`\A\{"room":"[\w .-]{1,60}","sensor":"(?:${SENSOR_TYPES.join("|")})","ts":[1-9]\d{9},"value":-?(?:0|[1-9]\d{0,14})(?:\.\d{1,17})?\}\z`;

/**
 * Messages, and what a plain one says, cut at its quotes: `{` room `:` R `,` sensor `:` S `,` ts `:T,` value `:V}`. A double
 * of -0 is 0, as in this process.
 */
const PARSED_SQL = `
  select topic, "partition", "offset", "timestamp" as log_ts, key, value,
    coalesce(plain and trim(parts[3]) <> '' and epoch * 1000 <= unix_millis("timestamp") + ${FUTURE_TOLERANCE_MS}L, false) as is_plain,
    parts[3] as room, parts[7] as sensor_type, epoch, number
  from (
    select *, try_cast(substring(parts[10], 2, 10) as bigint) as epoch,
      try_cast(substring(parts[12], 2, length(parts[12]) - 2) as double) + 0d as number
    from (
      select *, if(plain, split(text, '"'), null) as parts
      from (
        select *, text rlike r'${PLAIN}' as plain
        from (select topic, "partition", "offset", "timestamp", key, value, cast(value as string) as text from kafka_log))))`;

function parsedRelation(log: Relation): Relation {
  return selectOver(PARSED_SQL, { kafka_log: log });
}

/** The plain ones as rows of bronze/readings, those of a partition together. */
function plainRows(parsed: Relation, { columns, partitionColumns }: TableSchema, madeAtMs: number): Relation {
  const values: Readonly<Record<string, string>> = {
    ts_unix: "epoch",
    value: "number",
    event_ts: "timestamp_seconds(epoch)",
    event_date: "cast(timestamp_seconds(epoch) as date)",
    ingest_ts: `timestamp_millis(${Math.trunc(madeAtMs)}L)`,
    attributes: "null",
  };
  const selected = columns.map(
    ({ name, type }) => `cast(${values[name] ?? quoteName(name)} as ${sqlType(type)}) as ${quoteName(name)}`,
  );
  const spread = partitionColumns.map(quoteName).join(", ");
  const text = `select /*+ rebalance(${spread}) */ * from (select ${selected.join(", ")} from parsed where is_plain)`;
  return selectOver(text, { parsed });
}

/** All other messages, whole; they were counted before. */
async function oddMessages(
  session: SparkSession,
  { log, signal }: Work,
  count: number,
): Promise<readonly WholeMessage[]> {
  const text = `select topic, "partition", "offset", unix_millis(log_ts), key, coalesce(value, X'') from parsed where not is_plain`;
  const relation = selectOver(text, { parsed: parsedRelation(log) });
  const { rows } = await session.collect(relation, { rowsMax: count, signal });
  if (rows.length !== count) {
    throw new AtriumError(
      "ENGINE_FAILED",
      `Spark counted ${count} messages to judge and gave ${rows.length}: nothing was committed. Try again.`,
    );
  }
  return rows.map(([topic, partition, offset, logTimeMs, key, value]) => ({
    topic: typeof topic === "string" ? topic : "",
    partition: Number(partition),
    offset: typeof offset === "bigint" ? offset : 0n,
    logTimeMs: Number(logTimeMs),
    key: key instanceof Uint8Array ? Buffer.from(key).toString("utf8") : null,
    value: value instanceof Uint8Array ? value : new Uint8Array(),
  }));
}

/** Exactly these offsets, without those that are no messages for readers; what is gone is an error. */
function logRelation(kafka: Readonly<Record<string, string>>, { ranges }: RangeTask): Relation {
  const byTopic = Map.groupBy(ranges, ({ topic }) => topic);
  const json = (of: (range: RangeTask["ranges"][number]) => unknown): string =>
    JSON.stringify(
      Object.fromEntries(
        [...byTopic].map(([topic, own]) => [
          topic,
          Object.fromEntries(own.map((range) => [range.partition, of(range)])),
        ]),
      ),
    );
  const assign = Object.fromEntries(
    [...byTopic].map(([topic, own]) => [topic, own.map(({ partition }) => partition)]),
  );
  const options = {
    ...kafka,
    assign: JSON.stringify(assign),
    startingOffsets: json(({ start }) => Number(start)),
    endingOffsets: json(({ end }) => Number(end)),
    failOnDataLoss: "true",
    "kafka.isolation.level": "read_committed",
  };
  return sourceOf("kafka", { options });
}

const LOST = /KAFKA_DATA_LOSS|OffsetOutOfRange|data may have been lost/i;
const NO_SOURCE = /Failed to find (?:the )?data source: kafka|DATA_SOURCE_NOT_FOUND/i;

function lostOffsets(error: unknown): AtriumError | undefined {
  if (!isAtriumError(error) || !LOST.test(error.message)) return undefined;
  const message = `Spark found records of the log gone: ${error.message} See docs/operate/errors.md, LOG_OFFSET_LOST.`;
  return new AtriumError("LOG_OFFSET_LOST", message, { cause: error, details: error.details });
}

function withoutKafka(error: unknown): AtriumError | undefined {
  if (!isAtriumError(error) || !NO_SOURCE.test(error.message)) return undefined;
  const message =
    "The Spark server has no Kafka source: put spark-sql-kafka-0-10 with its jars on its class path, of Spark's own version.";
  return new AtriumError("ENGINE_FAILED", message, { cause: error });
}

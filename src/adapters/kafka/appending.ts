// Appending: one Kafka transaction holds the messages of an append and the producer's notes.
//
//   begin -> messages -> notes and the append's token -> commit
//     any step fails: the producer is thrown away, and a new one of the same name ends what it left (the broker aborts it,
//     or completes a commit that it had begun); then the token among the notes tells whether the append is there

import { Producer, type MessageToProduce } from "@platformatic/kafka";
import type { OutgoingBatch, Progress } from "../../log/event-log.ts";
import { keyAt, valuesOf } from "../../log/records.ts";
import { AtriumError } from "../../support/errors.ts";
import type { Cluster } from "./cluster.ts";
import { clientOptions, type KafkaConnection } from "./connection.ts";
import { failureOf, isFenced } from "./failures.ts";
import { LAST_APPEND, noteMessages, readNotes } from "./notes.ts";

/** How messages are sent. */
export interface ProducerSettings {
  readonly connection: KafkaConnection;
  readonly compression: "none" | "gzip" | "snappy" | "lz4" | "zstd";
  readonly newToken: () => string;
}

/** One append: the same object again commits it at most once. */
export interface Append {
  readonly batches: readonly OutgoingBatch[];
  readonly producer: string;
  readonly notes: Progress;
}

/** Appends under the name of one producer; one call at a time. */
export interface Appender extends AsyncDisposable {
  /** @throws COMMIT_OVERTAKEN if another process appends under this name; STORE_FAILED (call again); LOG_REFUSED */
  append(append: Append): Promise<void>;
}

/** Messages of one request, over all partitions: enough to keep the broker busy, little enough to bound memory. */
const REQUEST_RECORDS_MAX = 20_000;
/** A partition's batch stays below the broker's default of 1 MiB, headers and lengths included. */
const BATCH_BYTES_MAX = 900_000;
const RECORD_OVERHEAD_BYTES = 24;

/** Makes an appender; the cluster is reached with the first append. */
export function makeAppender(cluster: Cluster, settings: ProducerSettings): Appender {
  const tokens = new WeakMap<readonly OutgoingBatch[], string>();
  let producer: Producer | undefined;
  const discard = async (): Promise<void> => {
    const gone = producer;
    producer = undefined;
    await gone?.close(true).catch(() => undefined);
  };
  const append = async (work: Append): Promise<void> => {
    const isAgain = tokens.has(work.batches);
    const token = tokens.get(work.batches) ?? settings.newToken();
    tokens.set(work.batches, token);
    try {
      producer ??= newProducer(settings, work.producer);
      const transaction = await producer.beginTransaction();
      if (isAgain && (await readNotes(cluster, work.producer)).get(LAST_APPEND) === token) {
        await transaction.abort();
        return;
      }
      for (const messages of requestsOf(work, token)) await transaction.send({ messages: [...messages] });
      await transaction.commit();
    } catch (error) {
      await discard();
      throw isFenced(error) ? fenced(work.producer) : failureOf(error, "appending messages");
    }
  };
  return { append, [Symbol.asyncDispose]: discard };
}

function newProducer({ connection, compression }: ProducerSettings, name: string): Producer {
  return new Producer({
    ...clientOptions(connection, "atrium-replay"),
    transactionalId: `atrium-${name}`,
    idempotent: true,
    acks: -1,
    compression,
  });
}

/** The messages of an append in requests, and the notes with the last of them. */
function* requestsOf(
  { batches, producer, notes }: Append,
  token: string,
): Generator<readonly MessageToProduce[]> {
  let messages: MessageToProduce[] = [];
  const bytes = new Map<string, number>();
  for (const batch of batches) {
    const place = `${batch.topic}:${batch.partition}`;
    for (const message of messagesOf(batch)) {
      const size = (bytes.get(place) ?? 0) + (message.value?.byteLength ?? 0) + RECORD_OVERHEAD_BYTES;
      if (messages.length === REQUEST_RECORDS_MAX || (size > BATCH_BYTES_MAX && messages.length > 0)) {
        yield messages;
        messages = [];
        bytes.clear();
      }
      bytes.set(place, (bytes.get(place) ?? 0) + (message.value?.byteLength ?? 0) + RECORD_OVERHEAD_BYTES);
      messages.push(message);
    }
  }
  yield [...messages, ...noteMessages(producer, [...notes, [LAST_APPEND, token]])];
}

function* messagesOf({ topic, partition, records }: OutgoingBatch): Generator<MessageToProduce> {
  const keys = records.keys.map((key) => (key === null ? undefined : Buffer.from(key)));
  let index = 0;
  for (const value of valuesOf(records)) {
    const key = keys[records.keyIndexes[index] ?? -1] ?? Buffer.from(keyAt(records, index) ?? "");
    // A view, not a copy: the client is done with it when the append is.
    yield { topic, partition, key, value: Buffer.from(value.buffer, value.byteOffset, value.byteLength) };
    index += 1;
  }
}

function fenced(producer: string): AtriumError {
  const message =
    `Another process appends as ${producer}, and has taken over: this one stops. ` +
    "Let one replay at a time feed a log.";
  return new AtriumError("COMMIT_OVERTAKEN", message, { details: { producer } });
}

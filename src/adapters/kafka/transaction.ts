// A producer's transactions on the wire: one session a name, in which each transaction is begun, filled and ended.
//
//   open (InitProducerId: ends what an earlier session of the name left open, and fences it)
//     '-> begin (AddPartitionsToTxn) -> produce, request by request -> end (EndTxn) -> settled (all marks are written) -.
//          ^-----------------------------------------------------------------------------------------------------------'
//
// Any error leaves the session unusable: the next one of the name settles what it left. The client's own producer is not
// used: it makes several objects of every record, takes a transaction that is still being settled for a failure, and says
// at its opening that it knows a producer id of 0.

import {
  addPartitionsToTxnV3,
  createAPI,
  describeTransactionsV0,
  endTxnV3,
  findCoordinatorV4,
  initProducerIdV4,
  produceV9,
  ProduceAcks,
  ProtocolError,
  ResponseError,
  Writer,
} from "@platformatic/kafka";
import type { Clock } from "../../support/clock.ts";
import { AtriumError } from "../../support/errors.ts";
import { inParallel } from "../../support/parallel.ts";
import type { Cluster, TopicFacts } from "./cluster.ts";
import { answers } from "./failures.ts";
import { type Codec, transactionalBatch } from "./record-batch.ts";
import type { EncodedRun } from "./record-writer.ts";

/** Records for a partition. */
export interface Outgoing {
  readonly topic: TopicFacts;
  readonly partition: number;
  readonly run: EncodedRun;
}

/** What a session works with. */
export interface SessionParts {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly codec: Codec;
  readonly transactionalId: string;
}

/** One producer's transactions, one at a time. All throw what the client throws, or STORE_FAILED. */
export interface Session {
  begin(places: readonly Pick<Outgoing, "topic" | "partition">[]): Promise<void>;
  /** Sends records, at most one run a partition. @throws LOG_REFUSED for one that is too large */
  produce(outgoing: readonly Outgoing[]): Promise<void>;
  end(how: "commit" | "abort"): Promise<void>;
  /** Waits until readers see what was committed. */
  settled(): Promise<void>;
}

const TRANSACTION_TIMEOUT_MS = 60_000;
const REQUEST_TIMEOUT_MS = 30_000;
const TRANSACTION_KEY = 1;
const BROKERS_AT_ONCE = 16;
/** Ending a transaction writes a mark into each of its partitions: a matter of milliseconds. */
const LOOK_FIRST_MS = 1;
const LOOK_MS_MAX = 50;
const SETTLING_MS_MAX = TRANSACTION_TIMEOUT_MS + 10_000;

interface Ids {
  readonly coordinator: number;
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** Opens a session; an earlier one of the name can no longer do anything. */
export async function openSession(parts: SessionParts): Promise<Session> {
  const { cluster, clock, transactionalId } = parts;
  const found = await findCoordinatorV4.api.async(await cluster.anyConnection("writing"), TRANSACTION_KEY, [
    transactionalId,
  ]);
  const coordinator = found.coordinators[0]?.nodeId ?? -1;
  const { producerId, producerEpoch } = await whileSettling(clock, async () =>
    initProducerIdV4.api.async(
      await cluster.connectionTo("writing", coordinator),
      transactionalId,
      TRANSACTION_TIMEOUT_MS,
      -1n,
      -1,
    ),
  );
  return sessionOf(parts, { coordinator, producerId, producerEpoch });
}

function sessionOf(parts: SessionParts, ids: Ids): Session {
  const { cluster, clock, transactionalId } = parts;
  const { coordinator, producerId, producerEpoch } = ids;
  const sequences = new Map<string, number>();
  return {
    begin: async (places) => {
      const topics = Array.from(
        Map.groupBy(places, ({ topic }) => topic.name),
        ([name, some]) => ({ name, partitions: some.map(({ partition }) => partition) }),
      );
      const transaction = { transactionalId, producerId, producerEpoch, verifyOnly: false, topics };
      await whileSettling(clock, async () =>
        addPartitionsToTxnV3.api.async(await cluster.connectionTo("writing", coordinator), [transaction]),
      );
    },
    produce: async (outgoing) => produce(parts, { ids, sequences, outgoing }),
    end: async (how) => {
      const connection = await cluster.connectionTo("writing", coordinator);
      await endTxnV3.api.async(connection, transactionalId, producerId, producerEpoch, how === "commit");
    },
    settled: async () => {
      const connection = await cluster.connectionTo("writing", coordinator);
      await untilSettled(clock, async () => {
        const { transactionStates } = await describeTransactionsV0.api.async(connection, [transactionalId]);
        return transactionStates[0]?.transactionState.startsWith("Prepare") !== true;
      });
    },
  };
}

/** Asks again while the broker is still writing the marks of the transaction before. */
async function whileSettling<T>(clock: Clock, ask: () => Promise<T>): Promise<T> {
  let answer: { readonly value: T } | undefined;
  await untilSettled(clock, async () => {
    try {
      answer = { value: await ask() };
      return true;
    } catch (error) {
      if (answers(error, "CONCURRENT_TRANSACTIONS")) return false;
      throw error;
    }
  });
  if (answer === undefined) throw stillSettling();
  return answer.value;
}

async function untilSettled(clock: Clock, isSettled: () => Promise<boolean>): Promise<void> {
  const endMs = clock.monotonicMs() + SETTLING_MS_MAX;
  for (let waitMs = LOOK_FIRST_MS; !(await isSettled()); waitMs = Math.min(waitMs * 2, LOOK_MS_MAX)) {
    if (clock.monotonicMs() > endMs) throw stillSettling();
    await clock.sleep(waitMs);
  }
}

function stillSettling(): AtriumError {
  const message = `Kafka: a transaction was not settled within ${SETTLING_MS_MAX / 1000} s. Check the brokers and try again.`;
  return new AtriumError("STORE_FAILED", message);
}

interface Produced {
  readonly ids: Ids;
  readonly sequences: Map<string, number>;
  readonly outgoing: readonly Outgoing[];
}

interface BatchBytes {
  readonly topic: string;
  readonly partition: number;
  readonly bytes: Buffer;
}

async function produce(
  { cluster, clock, codec, transactionalId }: SessionParts,
  { ids, sequences, outgoing }: Produced,
): Promise<void> {
  const timeMs = Math.floor(clock.nowMs());
  const batches = outgoing.map(({ topic, partition, run }) => {
    const place = `${topic.name}/${partition}`;
    const firstSequence = sequences.get(place) ?? 0;
    // Sequences begin again at 0 behind the largest 32-bit number.
    sequences.set(place, (firstSequence + run.count) % 2 ** 31);
    const bytes = transactionalBatch(
      { ...ids, codec, timeMs, recordCount: run.count, firstSequence },
      run.bytes,
    );
    return { topic: topic.name, partition, bytes, leader: topic.leaders[partition] ?? -1, run };
  });
  const byLeader = Map.groupBy(batches, ({ leader }) => leader);
  await inParallel([...byLeader], BROKERS_AT_ONCE, async ([leader, some]) => {
    const connection = await cluster.connectionTo("writing", leader);
    try {
      await produceApi.async(connection, transactionalId, some);
    } catch (error) {
      const tooLarge = some.find((batch) => isTooLarge(error, batch));
      throw tooLarge === undefined ? error : refused(tooLarge);
    }
  });
}

const PRODUCE_KEY = 0;
/** All brokers since Kafka 2.8 have it; from version 12 on transactions work otherwise. */
const PRODUCE_VERSION = 9;

const produceApi = createAPI<
  [transactionalId: string, batches: readonly BatchBytes[]],
  ReturnType<typeof produceV9.parseResponse>
>(PRODUCE_KEY, PRODUCE_VERSION, produceRequest, produceV9.parseResponse);

/** Source: Kafka's ProduceRequest, version 9. */
function produceRequest(transactionalId: string, batches: readonly BatchBytes[]): Writer {
  return Writer.create()
    .appendString(transactionalId)
    .appendInt16(ProduceAcks.ALL)
    .appendInt32(REQUEST_TIMEOUT_MS)
    .appendArray([...Map.groupBy(batches, ({ topic }) => topic)], (writer, [topic, some]) => {
      writer.appendString(topic).appendArray(some, (item, { partition, bytes }) => {
        item
          .appendInt32(partition)
          .appendUnsignedVarInt(bytes.length + 1)
          .append(bytes);
      });
    })
    .appendTaggedFields();
}

const TOO_LARGE = ["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"];

function isTooLarge(error: unknown, { topic, partition }: BatchBytes): boolean {
  if (!(error instanceof ResponseError) || !TOO_LARGE.some((id) => answers(error, id))) return false;
  const { response } = error as { readonly response?: ReturnType<typeof produceV9.parseResponse> };
  const answer = response?.responses
    .find(({ name }) => name === topic)
    ?.partitionResponses.find(({ index }) => index === partition);
  return answer === undefined || TOO_LARGE.includes(String(new ProtocolError(answer.errorCode).apiId));
}

function refused({ topic, partition, bytes, run }: BatchBytes & { readonly run: EncodedRun }): AtriumError {
  const what =
    run.count === 1
      ? `a message of ${run.bytes.length.toLocaleString("en")} bytes with the key ${JSON.stringify(run.firstKey)}`
      : `a batch of ${run.count} messages, ${bytes.length.toLocaleString("en")} bytes`;
  const advice =
    run.count === 1
      ? "Raise max.message.bytes of the topic"
      : "Lower BATCH_SIZE, or raise max.message.bytes of the topic";
  return new AtriumError(
    "LOG_REFUSED",
    `${topic}/${partition} does not take ${what}: too large. ${advice}.`,
    {
      details: { topic, partition, key: run.firstKey, bytes: run.bytes.length, messages: run.count },
    },
  );
}

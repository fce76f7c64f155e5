// One fetch from the leaders of some partitions, without a consumer group and at explicit positions. The client carries the
// request; its answer is taken apart here, because the client makes an object of every record.

import { createAPI, fetchV13, ResponseError, type Connection, type Reader } from "@platformatic/kafka";
import { inParallel } from "../../support/parallel.ts";
import type { Cluster, TopicFacts } from "./cluster.ts";

/** Where to fetch from. */
export interface FetchPlace {
  readonly topic: TopicFacts;
  readonly partition: number;
  /** Of the first record wanted. */
  readonly offset: bigint;
}

/** A transaction that was aborted: the records of this producer from that offset to its mark are nothing. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

/** What a partition answered. */
export interface Fetched {
  readonly place: FetchPlace;
  /** Kafka's error code; 0 for none. */
  readonly errorCode: number;
  /** Up to here every record is there and its transaction has ended. */
  readonly stableOffset: bigint;
  /** Record batches as stored; the last may be cut short. */
  readonly bytes: Buffer;
  /** As far as they touch these batches. */
  readonly aborted: readonly AbortedTransaction[];
}

/** Bounds of one fetch. */
export interface FetchLimits {
  /** How long a broker may wait for the first record, ms. */
  readonly waitMs: number;
  /** Bytes as stored, of a partition and over all partitions of a broker; one batch may go beyond. */
  readonly partitionBytesMax: number;
  readonly bytesMax: number;
}

interface PartitionAnswer {
  readonly partition: number;
  readonly errorCode: number;
  readonly stableOffset: bigint;
  readonly aborted: readonly AbortedTransaction[];
  readonly bytes: Buffer;
}

interface FetchAnswer {
  readonly topics: readonly { readonly topicId: string; readonly partitions: readonly PartitionAnswer[] }[];
}

const READ_COMMITTED = 1;
/** Without a session: every request names all it wants. */
const NO_SESSION = { id: 0, epoch: -1 };
const BROKERS_AT_ONCE = 16;
const FETCH_KEY = 1;
/** Topics by id; Kafka 3.1 has it, and so have all later ones. */
const FETCH_VERSION = 13;
const NO_BYTES = Buffer.alloc(0);

/** Fetches from all places, each broker asked once. @throws what the client throws when a broker cannot be reached */
export async function fetchOnce(
  cluster: Cluster,
  places: readonly FetchPlace[],
  limits: FetchLimits,
): Promise<readonly Fetched[]> {
  const byLeader = Map.groupBy(places, ({ topic, partition }) => topic.leaders[partition] ?? -1);
  const answers = await inParallel([...byLeader], BROKERS_AT_ONCE, async ([leader, some]) =>
    resultsOf(some, await request(await cluster.connectionTo("reading", leader), some, limits)),
  );
  return answers.flat();
}

const fetchApi = createAPI<Parameters<typeof fetchV13.createRequest>, FetchAnswer>(
  FETCH_KEY,
  FETCH_VERSION,
  fetchV13.createRequest,
  parseAnswer,
);

async function request(
  connection: Connection,
  places: readonly FetchPlace[],
  { waitMs, bytesMax, partitionBytesMax }: FetchLimits,
): Promise<FetchAnswer> {
  const topics = Array.from(
    Map.groupBy(places, ({ topic }) => topic.id),
    ([topicId, some]) => ({
      topicId,
      partitions: some.map(({ partition, offset }) => ({
        partition,
        currentLeaderEpoch: -1,
        fetchOffset: offset,
        lastFetchedEpoch: -1,
        partitionMaxBytes: partitionBytesMax,
      })),
    }),
  );
  const { id, epoch } = NO_SESSION;
  return fetchApi.async(connection, waitMs, 1, bytesMax, READ_COMMITTED, id, epoch, topics, [], "");
}

/** What the client gives to whoever takes an answer apart: correlation id, API, version, bytes. */
type Parsing = readonly [number, number, number, Reader];

/** Source: Kafka's FetchResponse, version 13. @throws ResponseError if the request as a whole was refused */
function parseAnswer(...[, apiKey, apiVersion, reader]: Parsing): FetchAnswer {
  const throttleTimeMs = reader.readInt32();
  const errorCode = reader.readInt16();
  reader.readInt32();
  if (errorCode !== 0) {
    throw new ResponseError(apiKey, apiVersion, { "": [errorCode, null] }, { throttleTimeMs });
  }
  const topics = reader.readArray((topic) => ({
    topicId: topic.readUUID(),
    partitions: topic.readArray(parsePartition) ?? [],
  }));
  return { topics: topics ?? [] };
}

function parsePartition(reader: Reader): PartitionAnswer {
  const partition = reader.readInt32();
  const errorCode = reader.readInt16();
  // The high watermark: records of open transactions lie below it, and are not for readers yet.
  reader.readInt64();
  const stableOffset = reader.readInt64();
  reader.readInt64();
  const aborted = reader.readNullableArray((some) => ({
    producerId: some.readInt64(),
    firstOffset: some.readInt64(),
  }));
  reader.readInt32();
  // The length of compact bytes is one more than they are, 0 means none.
  const size = reader.readUnsignedVarInt() - 1;
  if (size <= 0) return { partition, errorCode, stableOffset, aborted: aborted ?? [], bytes: NO_BYTES };
  const bytes = reader.buffer.slice(reader.position, reader.position + size);
  reader.skip(size);
  return { partition, errorCode, stableOffset, aborted: aborted ?? [], bytes };
}

function resultsOf(places: readonly FetchPlace[], { topics }: FetchAnswer): readonly Fetched[] {
  const found = new Map(
    topics.flatMap(({ topicId, partitions }) =>
      partitions.map((answer) => [`${topicId}/${answer.partition}`, answer] as const),
    ),
  );
  return places.flatMap((place) => {
    const answer = found.get(`${place.topic.id}/${place.partition}`);
    return answer === undefined ? [] : [{ ...answer, place }];
  });
}

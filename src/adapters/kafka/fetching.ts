// One fetch from the leaders of some partitions, without a consumer group: the client's low-level call, whole batches.

import {
  kGetApi,
  type Connection,
  type Consumer,
  type fetchV17,
  type RecordsBatch,
} from "@platformatic/kafka";
import { present } from "../../support/assert.ts";
import { inParallel } from "../../support/parallel.ts";
import type { Cluster, TopicFacts } from "./cluster.ts";

type FetchResponse = fetchV17.FetchResponse;
type FetchResponsePartition = fetchV17.FetchResponsePartition;

/** Where to fetch from. */
export interface FetchPlace {
  readonly topic: TopicFacts;
  readonly partition: number;
  /** Of the first record wanted. */
  readonly offset: bigint;
}

/** What a partition answered. */
export interface Fetched {
  readonly place: FetchPlace;
  /** Kafka's error code; 0 for none. */
  readonly errorCode: number;
  /** Up to here every record is there and its transaction has ended. */
  readonly stableOffset: bigint;
  readonly batches: readonly RecordsBatch[];
  /** Transactions that were aborted, as far as they touch these batches. */
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[];
}

/** Bounds of one fetch. */
export interface FetchLimits {
  /** How long a broker may wait for the first record, ms. */
  readonly waitMs: number;
  /** Bytes as stored, over all partitions of a broker; one batch may go beyond. */
  readonly bytesMax: number;
}

const READ_COMMITTED = 1;
/** Without a session: every request names all it wants. */
const NO_SESSION = { id: 0, epoch: -1 };
const BROKERS_AT_ONCE = 16;

/** Fetches from all places, each broker asked once. @throws what the client throws when a broker cannot be reached */
export async function fetchOnce(
  cluster: Cluster,
  places: readonly FetchPlace[],
  limits: FetchLimits,
): Promise<readonly Fetched[]> {
  const byLeader = Map.groupBy(places, ({ topic, partition }) =>
    present(topic.leaders[partition], `leader of ${topic.name}/${partition}`),
  );
  const answers = await inParallel([...byLeader], BROKERS_AT_ONCE, async ([leader, some]) => {
    const connections = await cluster.consumer.connectToBrokers([leader]);
    const connection = present(connections.get(leader), `connection to broker ${leader}`);
    return resultsOf(some, await request({ consumer: cluster.consumer, connection, places: some }, limits));
  });
  return answers.flat();
}

interface Request {
  readonly consumer: Consumer;
  readonly connection: Connection;
  readonly places: readonly FetchPlace[];
}

async function request(
  { consumer, connection, places }: Request,
  limits: FetchLimits,
): Promise<FetchResponse> {
  const api = await fetchApi(consumer);
  const byTopic = Map.groupBy(places, ({ topic }) => topic);
  const topics = Array.from(byTopic, ([topic, some]) => ({
    // Before version 13 topics go by name.
    topicId: api.version >= 13 ? topic.id : topic.name,
    partitions: some.map(({ partition, offset }) => ({
      partition,
      currentLeaderEpoch: -1,
      fetchOffset: offset,
      lastFetchedEpoch: -1,
      partitionMaxBytes: limits.bytesMax,
    })),
  }));
  return new Promise((resolve, reject) => {
    api(
      connection,
      limits.waitMs,
      1,
      limits.bytesMax,
      READ_COMMITTED,
      NO_SESSION.id,
      NO_SESSION.epoch,
      topics,
      [],
      "",
      (error: unknown, response: FetchResponse | undefined) => {
        // One partition's error makes an error of the whole, with all answers in it.
        const answered = response ?? responseIn(error);
        if (answered !== undefined) resolve(answered);
        else reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}

type FetchApi = ((...args: unknown[]) => void) & { readonly version: number };

async function fetchApi(consumer: Consumer): Promise<FetchApi> {
  return new Promise((resolve, reject) => {
    consumer[kGetApi]<unknown[], FetchResponse>("Fetch", (error, api) => {
      if (error) reject(error);
      // The client gives the version that the brokers speak; all versions take these arguments.
      else resolve(api as unknown as FetchApi);
    });
  });
}

function responseIn(error: unknown): FetchResponse | undefined {
  if (!(error instanceof Error) || !("response" in error)) return undefined;
  const { response } = error;
  const isResponse = typeof response === "object" && response !== null && "responses" in response;
  return isResponse ? (response as FetchResponse) : undefined;
}

function resultsOf(places: readonly FetchPlace[], response: FetchResponse): readonly Fetched[] {
  const found = new Map<string, FetchResponsePartition>();
  for (const { topicId, partitions } of response.responses) {
    for (const partition of partitions) found.set(`${topicId}/${partition.partitionIndex}`, partition);
  }
  return places.map((place) => {
    const { topic, partition } = place;
    const answer = found.get(`${topic.id}/${partition}`) ?? found.get(`${topic.name}/${partition}`);
    return {
      place,
      errorCode: answer?.errorCode ?? response.errorCode,
      stableOffset: answer?.lastStableOffset ?? -1n,
      batches: answer?.records ?? [],
      aborted: answer?.abortedTransactions ?? [],
    };
  });
}

// What a cluster holds: topics with their ids and leaders, offsets; and the clients that ask for it.

import { Admin, Consumer } from "@platformatic/kafka";
import type { PartitionRange } from "../../log/event-log.ts";
import { partitionMissing } from "../../log/positions.ts";
import { present } from "../../support/assert.ts";
import { clientOptions, type KafkaConnection } from "./connection.ts";
import { answers } from "./failures.ts";

/** A topic as the cluster knows it. */
export interface TopicFacts {
  readonly name: string;
  /** Given when it was made: a topic made again has another. */
  readonly id: string;
  /** Of each partition the broker that leads it. */
  readonly leaders: readonly number[];
}

/** A topic to make. */
export interface NewTopic {
  readonly name: string;
  readonly partitions: number;
  readonly replicas: number;
  /** Settings of the topic, as `retention.ms`. */
  readonly configs: Readonly<Record<string, string>>;
}

/** The clients of one cluster; nothing is reached until they are used. */
export interface Cluster extends AsyncDisposable {
  readonly admin: Admin;
  /** Used for fetching and for publishing positions; it never joins a group. */
  readonly consumer: Consumer;
  /** The cluster's own id. */
  id(): Promise<string>;
  /** Topics as they are now. @throws NOT_FOUND for one that is missing */
  topics(names: readonly string[]): Promise<ReadonlyMap<string, TopicFacts>>;
  /** Names of all topics. */
  topicNames(): Promise<readonly string[]>;
  /** Makes those that are missing, and waits until the cluster shows them. */
  createTopics(topics: readonly NewTopic[]): Promise<void>;
  /** Start and end (that of the records whose transactions have ended) of every partition. */
  ranges(topics: readonly TopicFacts[]): Promise<readonly PartitionRange[]>;
}

const READ_COMMITTED = 1;
const EARLIEST = -2n;
const LATEST = -1n;
/** A new topic may take a moment until all brokers know it. */
const LOOKS_MAX = 50;

/** Makes the clients; `group` is where positions are published. */
export function openCluster(
  connection: KafkaConnection,
  { group, sleep }: { readonly group: string; readonly sleep: (ms: number) => Promise<void> },
): Cluster {
  const admin = new Admin(clientOptions(connection, "atrium-admin"));
  const consumer = new Consumer({ ...clientOptions(connection, "atrium-ingest"), groupId: group });
  const topics = async (names: readonly string[]): Promise<ReadonlyMap<string, TopicFacts>> => {
    const there = new Set(await admin.listTopics());
    const missing = names.find((name) => !there.has(name));
    if (missing !== undefined) throw partitionMissing(missing);
    if (names.length === 0) return new Map();
    const metadata = await admin.metadata({ topics: [...names], forceUpdate: true });
    // Fetching asks the consumer for its connections, which it finds by its own knowledge of the brokers.
    await consumer.metadata({ topics: [...names], forceUpdate: true });
    return new Map(names.map((name) => [name, factsOf(name, metadata.topics.get(name))]));
  };
  return {
    admin,
    consumer,
    id: async () => (await admin.metadata({ topics: [], forceUpdate: true })).id,
    topics,
    topicNames: async () => admin.listTopics(),
    createTopics: async (wanted) => {
      for (const topic of wanted) await createTopic(admin, topic);
      for (let look = 1; ; look += 1) {
        const there = new Set(await admin.listTopics());
        if (wanted.every(({ name }) => there.has(name))) return;
        if (look === LOOKS_MAX) {
          throw partitionMissing(wanted.find(({ name }) => !there.has(name))?.name ?? "");
        }
        await sleep(100);
      }
    },
    ranges: async (some) => rangesOf(admin, some),
    [Symbol.asyncDispose]: async () => {
      // A client that is cut off may not be able to say good-bye: it is gone all the same.
      await Promise.allSettled([admin.close(), consumer.close(true)]);
    },
  };
}

interface TopicMetadata {
  readonly id: string;
  readonly partitions: readonly { readonly leader: number }[];
}

function factsOf(name: string, metadata: TopicMetadata | undefined): TopicFacts {
  const { id, partitions } = present(metadata, `topic ${name}`);
  return { name, id, leaders: partitions.map((partition) => partition.leader) };
}

async function createTopic(admin: Admin, { name, partitions, replicas, configs }: NewTopic): Promise<void> {
  try {
    await admin.createTopics({
      topics: [name],
      partitions,
      replicas,
      configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
    });
  } catch (error) {
    if (!answers(error, "TOPIC_ALREADY_EXISTS")) throw error;
  }
}

async function rangesOf(admin: Admin, topics: readonly TopicFacts[]): Promise<readonly PartitionRange[]> {
  const offsetsAt = async (timestamp: bigint): Promise<ReadonlyMap<string, bigint>> => {
    const listed = await admin.listOffsets({
      topics: topics.map(({ name, leaders }) => ({
        name,
        partitions: leaders.map((_, partitionIndex) => ({ partitionIndex, timestamp })),
      })),
      isolationLevel: READ_COMMITTED,
    });
    return new Map(
      listed.flatMap(({ name, partitions }) =>
        partitions.map(({ partitionIndex, offset }) => [`${name}/${partitionIndex}`, offset] as const),
      ),
    );
  };
  const [starts, ends] = await Promise.all([offsetsAt(EARLIEST), offsetsAt(LATEST)]);
  return topics.flatMap(({ name, leaders }) =>
    leaders.map((_, partition) => {
      const place = `${name}/${partition}`;
      return {
        topic: name,
        partition,
        start: present(starts.get(place), `start of ${place}`),
        end: present(ends.get(place), `end of ${place}`),
      };
    }),
  );
}

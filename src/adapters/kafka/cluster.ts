// What a cluster holds: topics with their ids and leaders, offsets; and the clients that ask for it.

import { Admin, Base, type Connection } from "@platformatic/kafka";
import type { PartitionRange, Position } from "../../log/event-log.ts";
import { partitionMissing } from "../../log/positions.ts";
import { present } from "../../support/assert.ts";
import { AtriumError, isAtriumError } from "../../support/errors.ts";
import { clientOptions, type KafkaConnection } from "./connection.ts";
import { answers, isPassing } from "./failures.ts";

/** A topic as the cluster knows it. */
export interface TopicFacts {
  readonly name: string;
  /** Given when it was made: a topic made again has another. */
  readonly id: string;
  /** Of each partition the broker that leads it; -1 while there is none. */
  readonly leaders: readonly number[];
}

/** A topic to make. */
export interface NewTopic {
  readonly name: string;
  readonly partitions: number;
  /** Copies of it; -1: as many as the cluster's own default says. */
  readonly replicas: number;
  /** Settings of the topic, as `retention.ms`. */
  readonly configs: Readonly<Record<string, string>>;
}

/** What a connection is for: one that waits for records must not hold up one that sends some. */
export type Purpose = "reading" | "writing";

/** The clients of one cluster; nothing is reached until they are used. */
export interface Cluster extends AsyncDisposable {
  readonly admin: Admin;
  /** A connection to a broker, opened when it is first wanted. */
  connectionTo(purpose: Purpose, broker: number): Promise<Connection>;
  /** A connection to any broker. */
  anyConnection(purpose: Purpose): Promise<Connection>;
  /** The cluster's own id. */
  id(): Promise<string>;
  /** Topics as they are now. @throws NOT_FOUND for one that is missing */
  topics(names: readonly string[]): Promise<ReadonlyMap<string, TopicFacts>>;
  /** Names of all topics but Kafka's own. */
  topicNames(): Promise<readonly string[]>;
  /** Makes those that are missing, and waits until the cluster shows them. */
  createTopics(topics: readonly NewTopic[]): Promise<void>;
  /** Start and end of every partition: the end of all records, or of those whose transactions have ended. */
  ranges(topics: readonly TopicFacts[], upTo?: "stable" | "all"): Promise<readonly PartitionRange[]>;
  /** Writes positions as a group's, for tools that show lag. */
  publish(group: string, positions: readonly Position[]): Promise<void>;
}

const ISOLATION = { all: 0, stable: 1 } as const;
const EARLIEST = -2n;
const LATEST = -1n;
/** A new topic may take a moment until all brokers know it. */
const LOOKS_MAX = 100;
const LOOK_AGAIN_MS = 100;

/** Makes the clients. */
export function openCluster(connection: KafkaConnection, sleep: (ms: number) => Promise<void>): Cluster {
  const admin = new Admin(clientOptions(connection, "atrium-admin"));
  const clients = {
    reading: new Base(clientOptions(connection, "atrium-ingest")),
    writing: new Base(clientOptions(connection, "atrium-replay")),
  };
  const topicNames = async (): Promise<readonly string[]> =>
    (await admin.listTopics()).filter((name) => !name.startsWith("__"));
  return {
    admin,
    connectionTo: async (purpose, broker) => connectionTo(clients[purpose], broker),
    anyConnection: async (purpose) => anyConnection(clients[purpose]),
    id: async () => (await admin.metadata({ topics: [], forceUpdate: true })).id,
    topics: async (names) => topicsOf(admin, names),
    topicNames,
    createTopics: async (wanted) => {
      for (const topic of wanted) await createTopic(admin, topic);
      for (let look = 1; !(await areReady(admin, wanted)); look += 1) {
        if (look === LOOKS_MAX) throw partitionMissing(wanted.map(({ name }) => name).join(", "));
        await sleep(LOOK_AGAIN_MS);
      }
    },
    ranges: async (some, upTo = "stable") => rangesOf(admin, some, ISOLATION[upTo]),
    publish: async (groupId, positions) => {
      const topics = Array.from(
        Map.groupBy(positions, ({ topic }) => topic),
        ([name, some]) => ({
          name,
          partitionOffsets: some.map(({ partition, offset }) => ({ partition, offset })),
        }),
      );
      await admin.alterConsumerGroupOffsets({ groupId, topics });
    },
    [Symbol.asyncDispose]: async () => {
      // A client that is cut off may not be able to say good-bye: it is gone all the same.
      await Promise.allSettled(
        [admin, clients.reading, clients.writing].map(async (client) => client.close()),
      );
    },
  };
}

async function topicsOf(admin: Admin, names: readonly string[]): Promise<ReadonlyMap<string, TopicFacts>> {
  if (names.length === 0) return new Map();
  const there = new Set(await admin.listTopics());
  const missing = names.find((name) => !there.has(name));
  if (missing !== undefined) throw partitionMissing(missing);
  const { topics } = await admin.metadata({ topics: [...names], forceUpdate: true });
  return new Map(
    names.map((name) => {
      const { id, partitions } = present(topics.get(name), `topic ${name}`);
      return [name, { name, id, leaders: partitions.map(({ leader }) => leader) }];
    }),
  );
}

async function connectionTo(client: Base, broker: number): Promise<Connection> {
  const known = broker < 0 ? undefined : (await client.connectToBrokers([broker])).get(broker);
  if (known !== undefined) return known;
  // The brokers may have changed since they were asked for.
  await client.metadata({ topics: [], forceUpdate: true });
  const found = broker < 0 ? undefined : (await client.connectToBrokers([broker])).get(broker);
  if (found !== undefined) return found;
  throw new AtriumError("STORE_FAILED", `Kafka: no broker leads the partition now (${broker}). Try again.`);
}

async function anyConnection(client: Base): Promise<Connection> {
  const { brokers } = await client.metadata({ topics: [], forceUpdate: true });
  const [broker] = brokers.keys();
  return connectionTo(client, broker ?? -1);
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

/** True once the leader of every partition knows that it is one: only then do topics take messages. */
async function areReady(admin: Admin, wanted: readonly NewTopic[]): Promise<boolean> {
  try {
    const topics = await topicsOf(
      admin,
      wanted.map(({ name }) => name),
    );
    if (topics.size > 0) await rangesOf(admin, [...topics.values()], ISOLATION.all);
    return true;
  } catch (error) {
    if (isAtriumError(error, "NOT_FOUND") || isPassing(error)) return false;
    throw error;
  }
}

async function rangesOf(
  admin: Admin,
  topics: readonly TopicFacts[],
  isolationLevel: 0 | 1,
): Promise<readonly PartitionRange[]> {
  const offsetsAt = async (timestamp: bigint): Promise<ReadonlyMap<string, bigint>> => {
    const listed = await admin.listOffsets({
      topics: topics.map(({ name, leaders }) => ({
        name,
        partitions: leaders.map((_, partitionIndex) => ({ partitionIndex, timestamp })),
      })),
      isolationLevel,
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

// ADAPTER of the log on Apache Kafka: topics and partitions are Kafka's own, read by explicit positions.

import type { DescribedLog, LogDescription } from "../../log/described-log.ts";
import type {
  OutgoingBatch,
  PartitionRange,
  Position,
  Progress,
  ProgressStep,
  ReadLimits,
  RecordBatch,
} from "../../log/event-log.ts";
import { checkNewTopic, checkPosition, partitionMissing, placeOf } from "../../log/positions.ts";
import { checkRecords } from "../../log/records.ts";
import { invariant } from "../../support/assert.ts";
import { uniqueId } from "../../support/chance.ts";
import type { Clock } from "../../support/clock.ts";
import { messageOf } from "../../support/errors.ts";
import type { Logger } from "../../support/logger.ts";
import { makeAppender, type Appender } from "./appending.ts";
import { openCluster, type Cluster, type TopicFacts } from "./cluster.ts";
import type { KafkaConnection } from "./connection.ts";
import { describeCluster } from "./describing.ts";
import { failureOf, isPassing } from "./failures.ts";
import { NOTES_TOPIC, notesTopic, ownNotes } from "./notes.ts";
import { makeReader, type Reader } from "./reading.ts";
import type { Codec } from "./record-batch.ts";

/** How a log on Kafka is opened. */
export interface KafkaLogOptions {
  readonly connection: KafkaConnection;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly compression: Codec;
  /** Largest batch of a partition before it is compressed, bytes. */
  readonly batchBytesMax: number;
  /** Copies of a topic that is made; -1: as many as the cluster's own default says. */
  readonly replication: number;
  /** Positions are published to this group too, for tools that show lag. */
  readonly group: string | undefined;
  /** Called when the cluster is asked again what it did not answer. */
  readonly onRetry?: (() => void) | undefined;
}

/** Messages are deleted by nobody but who keeps the cluster: bronze may be far behind. */
const TOPIC_CONFIGS = { "retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete" };
/** A call that is not for reading is tried for so long before it fails, ms. */
const PATIENCE_MS = 20_000;
/** Who appends waits by himself, and can be stopped meanwhile. */
const APPEND_PATIENCE_MS = 5_000;
const RETRY_MS = 250;

/** A log on Kafka, and the cluster behind it. */
export interface KafkaLog extends DescribedLog {
  readonly cluster: Cluster;
}

/** Opens the log; nothing is reached until it is used. @throws CONFIG_INVALID for a file of certificates that cannot be read */
export function openKafkaLog(options: KafkaLogOptions): KafkaLog {
  return new ClusterLog(options);
}

class ClusterLog implements KafkaLog {
  readonly cluster: Cluster;
  readonly #options: KafkaLogOptions;
  readonly #reader: Reader;
  readonly #appenders = new Map<string, Appender>();
  readonly #topics = new Map<string, TopicFacts>();
  readonly #closing = new AbortController();
  readonly #anonymous = uniqueId();
  #clusterId: string | undefined;

  constructor(options: KafkaLogOptions) {
    const { clock, logger, connection, onRetry } = options;
    this.#options = options;
    this.cluster = openCluster(connection, async (ms) => clock.sleep(ms, this.#closing.signal));
    this.#reader = makeReader({ cluster: this.cluster, clock, logger, onRetry });
    logger.debug("log opened", { bootstrap: connection.bootstrap });
  }

  async identity(topic: string): Promise<string> {
    return this.#ask("looking for topics", async () => {
      this.#clusterId ??= await this.cluster.id();
      const facts = (await this.cluster.topics([topic])).get(topic);
      if (facts === undefined) throw partitionMissing(topic);
      return `${this.#clusterId}.${facts.id}`;
    });
  }

  async createTopics(
    topics: readonly { readonly name: string; readonly partitions: number }[],
  ): Promise<void> {
    for (const { name, partitions } of topics) checkNewTopic(name, partitions);
    const { replication: replicas } = this.#options;
    await this.#ask("making topics", async () => {
      const there = new Set(await this.cluster.topicNames());
      const wanted = topics.map((topic) => ({ ...topic, replicas, configs: TOPIC_CONFIGS }));
      await this.cluster.createTopics(
        [...wanted, notesTopic(replicas)].filter(({ name }) => !there.has(name)),
      );
    });
  }

  async partitions(): Promise<ReadonlyMap<string, number>> {
    return this.#ask("looking for topics", async () => {
      const names = (await this.cluster.topicNames()).filter((name) => name !== NOTES_TOPIC);
      const topics = await this.cluster.topics(names);
      return new Map([...topics.values()].map(({ name, leaders }) => [name, leaders.length]));
    });
  }

  async append(batches: readonly OutgoingBatch[], progress?: ProgressStep): Promise<void> {
    this.#checkOpen();
    for (const { records } of batches) checkRecords(records);
    const step = progress ?? { producer: this.#anonymous, notes: new Map() };
    await this.#ask(
      "appending messages",
      async () => {
        for (const { topic, partition } of batches) {
          const { leaders } = await this.#topic(topic);
          if (leaders[partition] === undefined) throw partitionMissing(topic, partition);
        }
        await this.#appender(step.producer).append(batches, step);
      },
      APPEND_PATIENCE_MS,
    );
  }

  /** From here on this log appends under the producer's name, and an earlier one can no longer. */
  async progress(producer: string): Promise<Progress> {
    return ownNotes(await this.#ask("reading notes", async () => this.#appender(producer).notes()));
  }

  async read(
    from: readonly Position[],
    limits: ReadLimits,
    signal?: AbortSignal,
  ): Promise<readonly RecordBatch[]> {
    this.#checkOpen();
    const closing = this.#closing.signal;
    const ending = signal === undefined ? closing : AbortSignal.any([signal, closing]);
    return this.#reader.read(from, limits, ending);
  }

  async ranges(topics: readonly string[]): Promise<readonly PartitionRange[]> {
    return this.#ask("asking for offsets", async () =>
      this.cluster.ranges([...(await this.cluster.topics(topics)).values()]),
    );
  }

  /** Kafka keeps messages as its topics say; the positions are published for tools, if a group is named. */
  async release(positions: readonly Position[]): Promise<void> {
    this.#checkOpen();
    const { group, logger } = this.#options;
    if (group === undefined) return;
    const ranges = await this.ranges([...new Set(positions.map((position) => position.topic))]);
    const byPlace = new Map(ranges.map((range) => [placeOf(range), range]));
    for (const position of positions) {
      const range = byPlace.get(placeOf(position));
      if (range === undefined) throw partitionMissing(position.topic, position.partition);
      checkPosition(position, { start: 0n, end: range.end });
    }
    try {
      await this.cluster.publish(group, positions);
    } catch (error) {
      // Only for tools: the table's own commits are what counts.
      logger.warn("The positions were not published to the group.", { group, detail: messageOf(error) });
    }
  }

  async describe(topics: readonly string[]): Promise<LogDescription> {
    const { clock } = this.#options;
    return this.#ask("looking at the cluster", async () => describeCluster(this.cluster, topics, clock));
  }

  /** Ends waiting reads and leaves the cluster. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.cluster[Symbol.asyncDispose]();
  }

  #appender(producer: string): Appender {
    const known = this.#appenders.get(producer);
    if (known !== undefined) return known;
    const { clock, compression: codec, batchBytesMax } = this.#options;
    const topic = async (name: string): Promise<TopicFacts> => this.#topic(name);
    const { cluster } = this;
    const made = makeAppender({ cluster, clock, codec, batchBytesMax, newToken: uniqueId, topic }, producer);
    this.#appenders.set(producer, made);
    return made;
  }

  async #topic(name: string): Promise<TopicFacts> {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    const facts = (await this.cluster.topics([name])).get(name);
    if (facts === undefined) throw partitionMissing(name);
    this.#topics.set(name, facts);
    return facts;
  }

  /** Asks the cluster, again for some time if it does not answer. */
  async #ask<T>(what: string, question: () => Promise<T>, patienceMs = PATIENCE_MS): Promise<T> {
    this.#checkOpen();
    const { clock } = this.#options;
    const endMs = clock.monotonicMs() + patienceMs;
    for (;;) {
      try {
        return await question();
      } catch (error) {
        // Leaders may have moved.
        this.#topics.clear();
        if (!isPassing(error) || clock.monotonicMs() >= endMs || this.#closing.signal.aborted) {
          throw failureOf(error, what);
        }
        await clock.sleep(RETRY_MS, this.#closing.signal);
        this.#options.onRetry?.();
      }
    }
  }

  #checkOpen(): void {
    invariant(!this.#closing.signal.aborted, "the log on Kafka is used after it was closed");
  }
}

// ADAPTER of the log on Apache Kafka: topics and partitions are Kafka's own, read by explicit positions.

import type {
  EventLog,
  OutgoingBatch,
  PartitionRange,
  Position,
  Progress,
  ReadLimits,
  RecordBatch,
} from "../../log/event-log.ts";
import { checkNewTopic, checkPosition, partitionMissing } from "../../log/positions.ts";
import { checkRecords } from "../../log/records.ts";
import { invariant } from "../../support/assert.ts";
import { uniqueId } from "../../support/chance.ts";
import type { Clock } from "../../support/clock.ts";
import { isAtriumError } from "../../support/errors.ts";
import type { Logger } from "../../support/logger.ts";
import { makeAppender, type Appender, type ProducerSettings } from "./appending.ts";
import { openCluster, type Cluster, type TopicFacts } from "./cluster.ts";
import type { KafkaConnection } from "./connection.ts";
import { failureOf, isPassing } from "./failures.ts";
import { LAST_APPEND, notesTopic, readNotes } from "./notes.ts";
import { makeReader, type Reader } from "./reading.ts";

/** How a log on Kafka is opened. */
export interface KafkaLogOptions {
  readonly connection: KafkaConnection;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly compression: ProducerSettings["compression"];
  /** Copies of a topic that is made. */
  readonly replication: number;
  /** Positions are published to this group too, for tools that show lag. */
  readonly group: string | undefined;
}

/** Messages are deleted by nobody but who keeps the cluster: bronze may be far behind. */
const TOPIC_CONFIGS = { "retention.ms": "-1", "cleanup.policy": "delete" };
/** A call at the start is tried for so long before it fails, ms. */
const PATIENCE_MS = 10_000;
const RETRY_MS = 250;

/** Opens the log; nothing is reached until it is used. */
export function openKafkaLog(options: KafkaLogOptions): EventLog & { readonly cluster: Cluster } {
  return new KafkaLog(options);
}

class KafkaLog implements EventLog {
  readonly cluster: Cluster;
  readonly #options: KafkaLogOptions;
  readonly #reader: Reader;
  readonly #appenders = new Map<string, Appender>();
  readonly #topics = new Map<string, TopicFacts>();
  readonly #closing = new AbortController();
  readonly #anonymous = uniqueId();
  #clusterId: string | undefined;

  constructor(options: KafkaLogOptions) {
    const { clock, logger, connection, group = "atrium" } = options;
    this.#options = options;
    this.cluster = openCluster(connection, {
      group,
      sleep: async (ms) => clock.sleep(ms, this.#closing.signal),
    });
    this.#reader = makeReader({ cluster: this.cluster, clock, logger });
  }

  async identity(topic: string): Promise<string> {
    return this.#ask("looking for topics", async () => {
      this.#clusterId ??= await this.cluster.id();
      return `${this.#clusterId}.${(await this.#topic(topic)).id}`;
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
      const names = (await this.cluster.topicNames()).filter((name) => !name.startsWith("__"));
      const topics = await this.cluster.topics(names);
      return new Map([...topics.values()].map(({ name, leaders }) => [name, leaders.length]));
    });
  }

  async append(
    batches: readonly OutgoingBatch[],
    progress?: { readonly producer: string; readonly notes: Progress },
  ): Promise<void> {
    for (const { topic, partition, records } of batches) {
      checkRecords(records);
      const { leaders } = await this.#ask("looking for topics", async () => this.#topic(topic));
      if (leaders[partition] === undefined) throw partitionMissing(topic, partition);
    }
    const { producer = this.#anonymous, notes = new Map<string, string>() } = progress ?? {};
    await this.#appender(producer).append({ batches, producer, notes });
  }

  async progress(producer: string): Promise<Progress> {
    const notes = await this.#ask("reading notes", async () => readNotes(this.cluster, producer));
    return new Map([...notes].filter(([name]) => name !== LAST_APPEND));
  }

  async read(
    from: readonly Position[],
    limits: ReadLimits,
    signal?: AbortSignal,
  ): Promise<readonly RecordBatch[]> {
    this.#checkOpen();
    const closing = this.#closing.signal;
    return this.#reader.read(
      from,
      limits,
      signal === undefined ? closing : AbortSignal.any([signal, closing]),
    );
  }

  async ranges(topics: readonly string[]): Promise<readonly PartitionRange[]> {
    return this.#ask("asking for offsets", async () =>
      this.cluster.ranges([...(await this.cluster.topics(topics)).values()]),
    );
  }

  /** Kafka keeps messages as its topics say; the positions are published for tools, if a group is named. */
  async release(positions: readonly Position[]): Promise<void> {
    this.#checkOpen();
    if (this.#options.group === undefined) return;
    const ranges = await this.ranges([...new Set(positions.map((position) => position.topic))]);
    for (const position of positions) {
      const range = ranges.find(
        ({ topic, partition }) => topic === position.topic && partition === position.partition,
      );
      if (range === undefined) throw partitionMissing(position.topic, position.partition);
      checkPosition(position, { start: 0n, end: range.end });
    }
    try {
      await this.cluster.consumer.commit({
        offsets: positions.map((position) => ({ ...position, leaderEpoch: -1 })),
      });
    } catch (error) {
      // Only for tools: the table's own commits are what counts.
      this.#options.logger.debug("positions were not published", { detail: String(error) });
    }
  }

  /** Ends waiting reads and leaves the cluster. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    for (const appender of this.#appenders.values()) await appender[Symbol.asyncDispose]();
    await this.cluster[Symbol.asyncDispose]();
  }

  #appender(producer: string): Appender {
    const known = this.#appenders.get(producer);
    if (known !== undefined) return known;
    const { connection, compression } = this.#options;
    const made = makeAppender(this.cluster, { connection, compression, newToken: uniqueId });
    this.#appenders.set(producer, made);
    return made;
  }

  async #topic(name: string): Promise<TopicFacts> {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    const found = await this.cluster.topics([name]);
    for (const facts of found.values()) this.#topics.set(facts.name, facts);
    return this.#topic(name);
  }

  /** Asks the cluster, again for some time if it does not answer. */
  async #ask<T>(what: string, question: () => Promise<T>): Promise<T> {
    this.#checkOpen();
    const { clock } = this.#options;
    const endMs = clock.monotonicMs() + PATIENCE_MS;
    for (;;) {
      try {
        return await question();
      } catch (error) {
        if (isAtriumError(error) && !error.retryable) throw error;
        if (!isPassing(error) || clock.monotonicMs() >= endMs || this.#closing.signal.aborted) {
          throw failureOf(error, what);
        }
        await clock.sleep(RETRY_MS, this.#closing.signal);
      }
    }
  }

  #checkOpen(): void {
    invariant(!this.#closing.signal.aborted, "the log on Kafka is used after it was closed");
  }
}

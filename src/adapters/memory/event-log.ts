// ADAPTER of the log in memory: for tests and simulation, gone when the process ends.

import type {
  EventLog,
  OutgoingBatch,
  PartitionRange,
  Position,
  Progress,
  ProgressStep,
  ReadLimits,
  RecordBatch,
  Records,
} from "../../log/event-log.ts";
import { inOrder, type Sequenced } from "../../log/in-order.ts";
import { checkNewTopic, checkPosition, partitionMissing } from "../../log/positions.ts";
import { checkProgress } from "../../log/progress-check.ts";
import { byteSize, checkRecords } from "../../log/records.ts";
import { makeWaiting, type Waiting } from "../../log/waiting.ts";
import { invariant } from "../../support/assert.ts";
import { uniqueId } from "../../support/chance.ts";
import type { Clock } from "../../support/clock.ts";
import { AtriumError } from "../../support/errors.ts";

/** How a log in memory is made. */
export interface MemoryLogOptions {
  readonly clock: Clock;
  /** Default: a random one. */
  readonly identity?: string;
  /** As in the embedded log; `maxBytes` is counted over uncompressed records. Default: no limit. */
  readonly retention?: { readonly maxAgeMs?: number; readonly maxBytes: number };
}

interface HeldBatch extends Sequenced {
  readonly batch: RecordBatch;
  readonly home: Partition;
  readonly end: number;
  readonly bytes: number;
}

interface Partition {
  readonly topic: string;
  readonly partition: number;
  held: HeldBatch[];
  start: number;
  end: number;
  released: number;
}

/** Makes an empty log in memory. */
export function makeMemoryLog(options: MemoryLogOptions): EventLog {
  return new MemoryLog(options);
}

class MemoryLog implements EventLog {
  readonly #options: MemoryLogOptions;
  readonly #identity: string;
  readonly #topics = new Map<string, Partition[]>();
  readonly #notes = new Map<string, Map<string, string>>();
  readonly #waiting: Waiting;
  #lastSeq = 0;
  #usedBytes = 0;
  #isOpen = true;

  constructor(options: MemoryLogOptions) {
    this.#options = options;
    this.#identity = options.identity ?? uniqueId();
    this.#waiting = makeWaiting(options.clock, { first: Infinity, max: Infinity });
  }

  async identity(): Promise<string> {
    return this.#identity;
  }

  async createTopics(
    topics: readonly { readonly name: string; readonly partitions: number }[],
  ): Promise<void> {
    this.#checkOpen();
    for (const { name, partitions } of topics) checkNewTopic(name, partitions);
    for (const { name: topic, partitions } of topics) {
      if (this.#topics.has(topic)) continue;
      const empty = Array.from({ length: partitions }, (_, partition) => ({
        topic,
        partition,
        held: [],
        start: 0,
        end: 0,
        released: 0,
      }));
      this.#topics.set(topic, empty);
    }
  }

  async partitions(): Promise<ReadonlyMap<string, number>> {
    this.#checkOpen();
    return new Map(Array.from(this.#topics, ([topic, partitions]) => [topic, partitions.length]));
  }

  async append(batches: readonly OutgoingBatch[], progress?: ProgressStep): Promise<void> {
    this.#checkOpen();
    const homes = batches.map(({ topic, partition, records }) => {
      checkRecords(records);
      return this.#find(topic, partition);
    });
    if (progress !== undefined) checkProgress(progress, this.#notes.get(progress.producer) ?? new Map());
    this.#makeRoom(batches.reduce((sum, { records }) => sum + byteSize(records), 0));
    for (const [i, home] of homes.entries()) this.#hold(home, batches[i]?.records);
    if (progress !== undefined) this.#note(progress.producer, progress.notes);
    this.#waiting.wake();
  }

  async progress(producer: string): Promise<Progress> {
    this.#checkOpen();
    return new Map(this.#notes.get(producer));
  }

  async read(
    from: readonly Position[],
    limits: ReadLimits,
    signal?: AbortSignal,
  ): Promise<readonly RecordBatch[]> {
    this.#checkOpen();
    return this.#waiting.untilSome(() => this.#look(from, limits.recordsMax), limits.waitMs, signal);
  }

  async ranges(topics: readonly string[]): Promise<readonly PartitionRange[]> {
    this.#checkOpen();
    return topics.flatMap((topic) => {
      const found = this.#topics.get(topic);
      if (found === undefined) throw partitionMissing(topic);
      return found.map(({ partition, start, end }) => ({
        topic,
        partition,
        start: BigInt(start),
        end: BigInt(end),
      }));
    });
  }

  async release(positions: readonly Position[]): Promise<void> {
    this.#checkOpen();
    const found = positions.map((position) => {
      const home = this.#find(position.topic, position.partition);
      checkPosition(position, { start: 0n, end: BigInt(home.end) });
      return { home, offset: Number(position.offset) };
    });
    for (const { home, offset } of found) home.released = Math.max(home.released, offset);
  }

  /** Ends waiting reads and forgets everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOpen = false;
    this.#waiting.close();
    this.#topics.clear();
  }

  #look(from: readonly Position[], recordsMax: number): RecordBatch[] {
    const starts = new Map(from.map((position) => this.#startOf(position)));
    const read: RecordBatch[] = [];
    let records = 0;
    const sources = Array.from(starts, ([home, offset]) =>
      home.held.filter((held) => held.end > offset).values(),
    );
    for (const { batch, home, end } of inOrder(sources)) {
      read.push(batch);
      records += end - Math.max(Number(batch.baseOffset), starts.get(home) ?? 0);
      if (records >= recordsMax) break;
    }
    return read;
  }

  #startOf(position: Position): [Partition, number] {
    const home = this.#find(position.topic, position.partition);
    checkPosition(position, { start: BigInt(home.start), end: BigInt(home.end) });
    return [home, Number(position.offset)];
  }

  #hold(home: Partition, given: Records | undefined): void {
    if (given === undefined) return;
    const { topic, partition } = home;
    const logTimeMs = Math.floor(this.#options.clock.nowMs());
    const batch = { topic, partition, records: copied(given), baseOffset: BigInt(home.end), logTimeMs };
    const bytes = byteSize(given);
    home.end += given.count;
    this.#lastSeq += 1;
    this.#usedBytes += bytes;
    home.held.push({ seq: this.#lastSeq, batch, home, end: home.end, bytes });
  }

  #makeRoom(newBytes: number): void {
    const { clock, retention } = this.#options;
    if (retention === undefined) return;
    const beforeMs = retention.maxAgeMs === undefined ? -Infinity : clock.nowMs() - retention.maxAgeMs;
    const mayGo = [...this.#topics.values()]
      .flat()
      .map((home) => home.held.filter((held) => held.end <= home.released).values());
    const going: HeldBatch[] = [];
    let usedBytes = this.#usedBytes + newBytes;
    for (const held of inOrder(mayGo)) {
      if (held.batch.logTimeMs >= beforeMs && usedBytes <= retention.maxBytes) break;
      usedBytes -= held.bytes;
      going.push(held);
    }
    if (usedBytes > retention.maxBytes) throw full(retention.maxBytes);
    for (const held of going) this.#drop(held);
  }

  #drop(held: HeldBatch): void {
    held.home.held.shift();
    held.home.start = held.end;
    this.#usedBytes -= held.bytes;
  }

  #note(producer: string, notes: Progress): void {
    this.#notes.set(producer, new Map([...(this.#notes.get(producer) ?? []), ...notes]));
  }

  #find(topic: string, partition: number): Partition {
    const found = this.#topics.get(topic)?.[partition];
    if (found === undefined) throw partitionMissing(topic, partition);
    return found;
  }

  #checkOpen(): void {
    invariant(this.#isOpen, "the log in memory is used after it was closed");
  }
}

function copied(records: Records): Records {
  const { count, keys, values, keyIndexes, valueEnds } = records;
  const copy = { count, keys: [...keys], values: values.slice(), keyIndexes: keyIndexes.slice() };
  return valueEnds === undefined ? copy : { ...copy, valueEnds: valueEnds.slice() };
}

function full(maxBytes: number): AtriumError {
  const why = `${maxBytes} bytes are taken by messages that bronze has not committed yet`;
  return new AtriumError(
    "LOG_FULL",
    `The log in memory is full: ${why}. Nothing was appended. Start ingest, or allow it more room.`,
  );
}

// ADAPTER of the log on SQLite: one file, one row a record batch, any number of processes.

import type { DatabaseSync } from "node:sqlite";
import { encodeRecords } from "../../log/batch-codec.ts";
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
import { checkNewTopic, partitionMissing } from "../../log/positions.ts";
import { checkProgress } from "../../log/progress-check.ts";
import { checkRecords } from "../../log/records.ts";
import { makeWaiting, type Waiting } from "../../log/waiting.ts";
import { invariant } from "../../support/assert.ts";
import type { Clock } from "../../support/clock.ts";
import { faultPoint } from "../../support/fault-point.ts";
import type { Logger } from "../../support/logger.ts";
import { makeBatches, readBatches, type Batches } from "./batches.ts";
import { failureOf, openingFailure } from "./failures.ts";
import { makePartitions, type Partitions } from "./partitions.ts";
import { makeRoomKeeper, usedBytes, type Retention, type RoomKeeper } from "./retention.ts";
import { textOf } from "./rows.ts";
import { FORMAT_VERSION, openDatabase, pragma, transact } from "./schema.ts";

/** Records of other processes are looked for after 5 ms, then ever more rarely. */
const LOOK_PAUSES_MS = { first: 5, max: 250 };

/** The log is nearly full from this share of its limit on. */
const FULL_SHARE = 0.9;

/** How an embedded log is opened. */
export interface EmbeddedLogOptions {
  /** The database file; it and its folder are made if they are missing. */
  readonly file: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly retention: Retention;
  /** True: nothing is made or changed, and appending fails with STORE_DENIED. Default false. */
  readonly readOnly?: boolean;
  /** "full" (default): an append survives power loss. "normal": it survives kill -9 only, and a small append takes a third of the time. */
  readonly synchronous?: "full" | "normal";
}

/** What is known of an embedded log beside its records. */
export interface EmbeddedLogStats {
  /** Random, given when the file was made: another id means that the log was replaced. */
  readonly logId: string;
  readonly formatVersion: number;
  /** Bytes of the pages in use; `maxBytes` limits them. */
  readonly usedBytes: number;
  /** Bytes of the file that the next appends will use again. */
  readonly freeBytes: number;
  readonly maxBytes: number;
}

/** An EventLog in one SQLite file. */
export interface EmbeddedLog extends DescribedLog {
  /** Its id and sizes. */
  stats(): Promise<EmbeddedLogStats>;
}

/**
 * Opens the log in `file`.
 * @throws LOG_CORRUPT, LAKE_NEWER, NOT_FOUND (read-only and no file), STORE_FULL, STORE_DENIED, STORE_FAILED
 */
export async function openEmbeddedLog(options: EmbeddedLogOptions): Promise<EmbeddedLog> {
  const { file, readOnly = false, synchronous = "full" } = options;
  const { db, logId } = openDatabase({ file, readOnly, synchronous });
  options.logger.debug("log opened", { file, logId, readOnly });
  try {
    return new SqliteLog(db, logId, options);
  } catch (error) {
    db.close();
    throw openingFailure(error, file);
  }
}

class SqliteLog implements EmbeddedLog {
  readonly #db: DatabaseSync;
  readonly #logId: string;
  readonly #options: EmbeddedLogOptions;
  readonly #partitions: Partitions;
  readonly #batches: Batches;
  readonly #room: RoomKeeper;
  readonly #waiting: Waiting;

  constructor(db: DatabaseSync, logId: string, options: EmbeddedLogOptions) {
    const { file, clock, retention } = options;
    this.#db = db;
    this.#logId = logId;
    this.#options = options;
    this.#partitions = makePartitions(db);
    this.#batches = makeBatches(db);
    this.#room = makeRoomKeeper(
      { db, file, clock, partitions: this.#partitions, batches: this.#batches },
      retention,
    );
    this.#waiting = makeWaiting(clock, LOOK_PAUSES_MS);
  }

  /** Topics of this log are never made again: all share its name. */
  async identity(): Promise<string> {
    return this.#logId;
  }

  async createTopics(
    topics: readonly { readonly name: string; readonly partitions: number }[],
  ): Promise<void> {
    for (const { name, partitions } of topics) checkNewTopic(name, partitions);
    this.#write(() => {
      for (const { name, partitions } of topics) this.#partitions.create(name, partitions);
    });
  }

  async partitions(): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    for (const { topic } of this.#use(() => this.#partitions.all())) {
      counts.set(topic, (counts.get(topic) ?? 0) + 1);
    }
    return counts;
  }

  async append(batches: readonly OutgoingBatch[], progress?: ProgressStep): Promise<void> {
    // Compressed before the transaction begins, so that other writers wait as little as possible.
    const stored = this.#use(() => batches.map((batch) => this.#encoded(batch)));
    const logTimeMs = Math.floor(this.#options.clock.nowMs());
    this.#write(() => {
      if (progress?.previous !== undefined) checkProgress(progress, this.#notesOf(progress.producer));
      for (const { partitionId, count, payload } of stored) {
        const base = this.#partitions.advance(partitionId, count);
        this.#batches.insert({ partitionId, base, count, logTimeMs, payload });
      }
      faultPoint("log/append/inside");
      if (progress !== undefined) this.#note(progress.producer, progress.notes);
      this.#room.makeRoom();
    });
    faultPoint("log/append/done");
    this.#waiting.wake();
    this.#use(() => this.#room.shrink());
  }

  async progress(producer: string): Promise<Progress> {
    return this.#use(() => this.#notesOf(producer));
  }

  async read(
    from: readonly Position[],
    limits: ReadLimits,
    signal?: AbortSignal,
  ): Promise<readonly RecordBatch[]> {
    this.#use(() => undefined);
    const { recordsMax, waitMs } = limits;
    const look = (): RecordBatch[] =>
      this.#snapshot(() => readBatches(this.#batches, this.#partitions.all(), { from, recordsMax }));
    return this.#waiting.untilSome(look, waitMs, signal);
  }

  async ranges(topics: readonly string[]): Promise<readonly PartitionRange[]> {
    const rows = this.#use(() => this.#partitions.all());
    return topics.flatMap((topic) => {
      const found = rows.filter((row) => row.topic === topic);
      if (found.length === 0) throw partitionMissing(topic);
      return found.map(({ partition, start, end }) => ({
        topic,
        partition,
        start: BigInt(start),
        end: BigInt(end),
      }));
    });
  }

  async release(positions: readonly Position[]): Promise<void> {
    this.#write(() => {
      for (const position of positions) this.#partitions.release(position);
      faultPoint("log/release/inside");
    });
    faultPoint("log/release/done");
  }

  async stats(): Promise<EmbeddedLogStats> {
    return this.#snapshot(() => ({
      logId: this.#logId,
      formatVersion: FORMAT_VERSION,
      usedBytes: usedBytes(this.#db),
      freeBytes: pragma(this.#db, "freelist_count") * pragma(this.#db, "page_size"),
      maxBytes: this.#options.retention.maxBytes,
    }));
  }

  async describe(): Promise<LogDescription> {
    const { formatVersion, usedBytes: used, maxBytes } = await this.stats();
    const size = `${megabytes(used)} of ${megabytes(maxBytes)} used`;
    const text = `${this.#options.file}, format ${formatVersion}, ${size}`;
    const isFull = used > FULL_SHARE * maxBytes;
    const warning = "The log is nearly full: see why ingest is behind, or raise LOG_MAX_MB.";
    return { text, warnings: isFull ? [warning] : [] };
  }

  /** Ends waiting reads and closes the file; the last process to close it also empties its write-ahead log. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#waiting.close();
    if (this.#db.isOpen) this.#use(() => this.#db.close());
  }

  #encoded({ topic, partition, records }: OutgoingBatch): {
    partitionId: number;
    count: number;
    payload: Uint8Array;
  } {
    checkRecords(records);
    return {
      partitionId: this.#partitions.idOf(topic, partition),
      count: records.count,
      payload: encodeRecords(records),
    };
  }

  #notesOf(producer: string): Progress {
    const rows = this.#db.prepare("select name, note from progress where producer = ?").all(producer);
    return new Map(rows.map((row) => [textOf(row, "name"), textOf(row, "note")]));
  }

  #note(producer: string, notes: Progress): void {
    const upsert = this.#db.prepare(
      "insert or replace into progress (producer, name, note) values (?, ?, ?)",
    );
    for (const [name, note] of notes) upsert.run(producer, name, note);
  }

  #write(body: () => void): void {
    this.#use(() => transact(this.#db, "begin immediate", body));
  }

  #snapshot<T>(body: () => T): T {
    return this.#use(() => transact(this.#db, "begin", body));
  }

  #use<T>(body: () => T): T {
    invariant(this.#db.isOpen, `the log ${this.#options.file} is used after it was closed`);
    try {
      return body();
    } catch (error) {
      throw failureOf(error, this.#options.file);
    }
  }
}

/** Whole megabytes from 10 on. */
function megabytes(bytes: number): string {
  const value = bytes / 1_048_576;
  const digits = value >= 10 || value === 0 ? 0 : 1;
  return `${value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })} MB`;
}

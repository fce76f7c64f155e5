// PORT: the log between replay and bronze. One suite, test/contract/event-log.ts, holds for every adapter.

/** Records of one partition, framed for speed: one buffer, not one object a record. */
export interface Records {
  /** Number of records, at least 1 on the way into the log. */
  readonly count: number;
  /** The values (UTF-8 JSON where they are readings; any bytes otherwise), each followed by one LF. */
  readonly values: Uint8Array;
  /**
   * For each record the index in `values` of the LF behind it. Left out where no value holds an LF itself:
   * then the lines of `values` are the values.
   */
  readonly valueEnds?: Uint32Array;
  /** The distinct keys (`room:type`) of these records; null for records without one, which only other producers send. */
  readonly keys: readonly (string | null)[];
  /** For each record the place of its key in `keys`. */
  readonly keyIndexes: Uint16Array;
}

/** Records on their way into the log. */
export interface OutgoingBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: Records;
}

/** Records read from the log. Record i has offset `baseOffset + (offsetDeltas?.[i] ?? i)`. */
export interface RecordBatch extends OutgoingBatch {
  readonly baseOffset: bigint;
  /** Left out where offsets have no gaps. */
  readonly offsetDeltas?: Uint32Array;
  /** Log time of the records, ms since the epoch. */
  readonly logTimeMs: number;
  /** What to add to `logTimeMs` for each record. Left out where all have the same log time. */
  readonly logTimeDeltasMs?: Float64Array;
  /**
   * Where reading goes on, if that is not just behind the last record: offsets up to it hold nothing for readers (marks
   * and aborted records of transactions). Only such a batch may hold no record.
   */
  readonly endOffset?: bigint;
}

/** A place in the log: `offset` is that of the next record to read or write. */
export interface Position {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** First offset still held and the offset that the next record will get. */
export interface PartitionRange {
  readonly topic: string;
  readonly partition: number;
  readonly start: bigint;
  readonly end: bigint;
}

/** A producer's own notes on how far it is: name -> text. Written with the records or not at all. */
export type Progress = ReadonlyMap<string, string>;

/** Notes on their way into the log, with the records that they tell of. */
export interface ProgressStep {
  readonly producer: string;
  readonly notes: Progress;
  /**
   * What the producer knows to be stored under the names of `notes`; a name left out has no note. If something else is
   * stored, another one works under this producer's name, and nothing is appended. Left out: whatever is there is replaced.
   */
  readonly previous?: Progress;
}

/** Bounds of one read. */
export interface ReadLimits {
  /** Stop adding batches once this many records are read (at least one batch is returned if there is any). */
  readonly recordsMax: number;
  /** Wait at most this long for the first record, ms; 0 returns at once. */
  readonly waitMs: number;
}

/**
 * An ordered, durable log of records, split into topics and partitions.
 *
 * Order: within a partition, offsets rise in the order of appending. Atomicity: one `append` is visible and durable
 * as a whole or not at all, its progress included. Idempotence: appending is not idempotent, so callers store their
 * progress with it and ask `progress` after a restart. But after STORE_FAILED, whose outcome may be unknown, calling again
 * with the same array of batches and the same step appends at most once, and may throw COMMIT_OVERTAKEN if it had. Buffers: the log keeps no hold of what it was given, and what
 * it gives is the caller's to read, not to change. Errors: LOG_FULL when bounded retention cannot make room,
 * LOG_CORRUPT when stored data is damaged, LOG_OFFSET_LOST when a position is not held (below the start, or beyond
 * the end), NOT_FOUND for a topic or partition that was not made, INTERNAL for records that do not fit together and
 * for any use after dispose; STORE_FULL, STORE_DENIED, STORE_FAILED as in ObjectStore. Limits: at most 65,535 records
 * and 64 MiB a batch, 1,024 partitions a topic. Concurrency: one writer a producer (a second one is refused if both say what
 * they know to be stored), any number of readers, in any process. Dispose: may be repeated; it ends waiting reads, which then return an empty list.
 */
export interface EventLog extends AsyncDisposable {
  /**
   * A name of the topic that no other topic has, neither here nor in another log, and that it keeps: offsets of another,
   * or of an earlier one of the same name, mean nothing here. @throws NOT_FOUND
   */
  identity(topic: string): Promise<string>;

  /**
   * Makes the topics that are missing, each with this many partitions; leaves the others as they are.
   * @throws USAGE_INVALID for a name that Kafka would refuse, or not 1 to 1,024 partitions
   */
  createTopics(topics: readonly { readonly name: string; readonly partitions: number }[]): Promise<void>;

  /** Number of partitions by topic, for the topics that exist. */
  partitions(): Promise<ReadonlyMap<string, number>>;

  /**
   * Appends the batches and, in the same step, the producer's progress notes (those named; others stay). The arrays of
   * a batch belong to the caller again once it resolves: an adapter that keeps them copies them.
   * @throws COMMIT_OVERTAKEN if one of the notes is no longer the `previous` one: then nothing is appended
   */
  append(batches: readonly OutgoingBatch[], progress?: ProgressStep): Promise<void>;

  /** The notes that a producer stored with its last appends; empty for one that is not known. */
  progress(producer: string): Promise<Progress>;

  /**
   * Reads batches from the positions on, in the order of appending where the adapter knows it. A batch may begin
   * below the position asked for: the caller drops those records. Give each partition once. Returns an empty list
   * after `waitMs` without any, and at once when `signal` aborts.
   */
  read(from: readonly Position[], limits: ReadLimits, signal?: AbortSignal): Promise<readonly RecordBatch[]>;

  /** Start and end of every partition of the topics. */
  ranges(topics: readonly string[]): Promise<readonly PartitionRange[]>;

  /**
   * Says that everything below these positions is safe in bronze: retention may delete it. A lower position does
   * not take it back. @throws LOG_OFFSET_LOST beyond the end
   */
  release(positions: readonly Position[]): Promise<void>;
}

// Reading from explicit positions: batches are fetched ahead, in bounded memory, while earlier ones are being worked on.
//
//   read(positions) --- the queue of each partition begins at its position? --- no: it is emptied and begins there
//        |
//        '- take what is queued; nothing: wait for the fetch under way; then fetch ahead in the background

import type { Position, ReadLimits, RecordBatch } from "../../log/event-log.ts";
import { checkPosition, partitionMissing, placeOf } from "../../log/positions.ts";
import { byteSize, positionAfter } from "../../log/records.ts";
import type { Clock } from "../../support/clock.ts";
import { AtriumError } from "../../support/errors.ts";
import type { Logger } from "../../support/logger.ts";
import { readableBatches } from "./batches.ts";
import type { Cluster, TopicFacts } from "./cluster.ts";
import { patiently } from "./connection.ts";
import { fetchOnce, type Fetched } from "./fetching.ts";

/** Bytes of one answer of a broker, as stored. */
const FETCH_BYTES_MAX = 4 * 1024 * 1024;
/** Fetching ahead stops at so many bytes in memory, over all partitions; one answer may go beyond. */
const AHEAD_BYTES_MAX = 48 * 1024 * 1024;
/** A broker waits at most this long for records, ms: signals and new positions are looked at in between. */
const BROKER_WAIT_MS = 250;

/** What a reader works with. */
export interface ReaderParts {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Reads a cluster's partitions; one call at a time. */
export interface Reader {
  /** As EventLog.read. Outages are waited out. */
  read(from: readonly Position[], limits: ReadLimits, signal: AbortSignal): Promise<readonly RecordBatch[]>;
}

interface Lane {
  readonly topic: string;
  readonly partition: number;
  /** Where the queue begins, and where the next fetch goes on. */
  start: bigint;
  next: bigint;
  /** Up to here records can be read, as far as is known. */
  stable: bigint;
  queue: RecordBatch[];
  bytes: number;
}

interface State extends ReaderParts {
  readonly lanes: Map<string, Lane>;
  topics: Map<string, TopicFacts>;
  /** The fetch under way, and its failure. */
  filling: Promise<void> | undefined;
}

/** Makes a reader that has read nothing yet. */
export function makeReader(parts: ReaderParts): Reader {
  const state: State = { ...parts, lanes: new Map(), topics: new Map(), filling: undefined };
  return { read: async (from, limits, signal) => read(state, { from, limits, signal }) };
}

interface Asked {
  readonly from: readonly Position[];
  readonly limits: ReadLimits;
  readonly signal: AbortSignal;
}

async function read(state: State, { from, limits, signal }: Asked): Promise<readonly RecordBatch[]> {
  const endMs = state.clock.monotonicMs() + limits.waitMs;
  const lanes = from.map((position) => laneAt(state, position));
  let isFirst = true;
  while (!signal.aborted) {
    const batches = take(lanes, limits.recordsMax);
    if (batches.length > 0) {
      fillAhead(state, lanes, signal);
      return batches;
    }
    const leftMs = endMs - state.clock.monotonicMs();
    // The end of the log is known only from an answer that came after the question.
    if (!isFirst && leftMs <= 0 && lanes.every((lane) => lane.next >= lane.stable)) return [];
    if (state.filling === undefined) {
      startFill(state, { lanes, signal, waitMs: Math.max(0, Math.min(BROKER_WAIT_MS, leftMs)) });
    } else if (isFirst) {
      await filled(state);
      continue;
    }
    isFirst = false;
    await filled(state);
  }
  return [];
}

async function filled(state: State): Promise<void> {
  const { filling } = state;
  try {
    await filling;
  } finally {
    if (state.filling === filling) state.filling = undefined;
  }
}

/** The lane of a position; one that stands elsewhere begins anew there. */
function laneAt(state: State, { topic, partition, offset }: Position): Lane {
  const place = placeOf({ topic, partition });
  const known = state.lanes.get(place);
  if (known?.start === offset) return known;
  const lane = { topic, partition, start: offset, next: offset, stable: offset + 1n, queue: [], bytes: 0 };
  state.lanes.set(place, lane);
  return lane;
}

/** Takes batches, a partition after the other, until there are enough records. */
function take(lanes: readonly Lane[], recordsMax: number): readonly RecordBatch[] {
  const taken: RecordBatch[] = [];
  let records = 0;
  // The fullest first, so that none is left behind for long.
  for (const lane of lanes.toSorted((a, b) => b.bytes - a.bytes)) {
    while (records < recordsMax) {
      const batch = lane.queue.shift();
      if (batch === undefined) break;
      taken.push(batch);
      records += batch.records.count;
      lane.bytes -= byteSize(batch.records);
      lane.start = positionAfter(batch).offset;
    }
  }
  return taken;
}

function fillAhead(state: State, lanes: readonly Lane[], signal: AbortSignal): void {
  const bytes = lanes.reduce((sum, lane) => sum + lane.bytes, 0);
  if (state.filling === undefined && bytes < AHEAD_BYTES_MAX / 2) {
    startFill(state, { lanes, signal, waitMs: BROKER_WAIT_MS });
  }
}

interface Fill {
  readonly lanes: readonly Lane[];
  readonly signal: AbortSignal;
  readonly waitMs: number;
}

function startFill(state: State, fill: Fill): void {
  const { clock, logger } = state;
  const filling = patiently({ clock, logger, signal: fill.signal, what: "reading from Kafka" }, async () =>
    fetchInto(state, fill),
  ).then(() => undefined);
  // Whoever reads next meets its failure; until then it must not count as unhandled.
  filling.catch(() => undefined);
  state.filling = filling;
}

async function fetchInto(state: State, { lanes, waitMs }: Fill): Promise<void> {
  const topics = await topicsOf(state, lanes);
  const wanted = lanes.map((lane) => ({ lane, offset: lane.next }));
  const places = wanted.map(({ lane, offset }) => ({
    topic: topicOf(topics, lane),
    partition: lane.partition,
    offset,
  }));
  let answers: readonly Fetched[];
  try {
    answers = await fetchOnce(state.cluster, places, { waitMs, bytesMax: FETCH_BYTES_MAX });
  } catch (error) {
    await forgetLeaders(state);
    throw error;
  }
  for (const [index, answer] of answersInOrder(places, answers).entries()) {
    const asked = wanted[index];
    if (asked !== undefined && asked.lane.next === asked.offset) await addTo(state, asked.lane, answer);
  }
}

function answersInOrder(
  places: readonly Fetched["place"][],
  answers: readonly Fetched[],
): readonly Fetched[] {
  const byPlace = new Map(answers.map((answer) => [answer.place, answer]));
  return places.flatMap((place) => byPlace.get(place) ?? []);
}

async function addTo(state: State, lane: Lane, answer: Fetched): Promise<void> {
  if (answer.errorCode !== 0) return failed(state, lane, answer);
  for (const batch of readableBatches(answer)) {
    lane.queue.push(batch);
    lane.bytes += byteSize(batch.records);
    const { offset } = positionAfter(batch);
    if (offset > lane.next) lane.next = offset;
  }
  lane.stable = answer.stableOffset;
}

const OFFSET_OUT_OF_RANGE = 1;
/** Topics or partitions that the broker does not know (any more, or yet). */
const UNKNOWN = [3, 100];

/** What a partition's error means: elections and the like pass; what is lost is said. */
async function failed(state: State, lane: Lane, { errorCode, place }: Fetched): Promise<never> {
  const { topic, partition } = lane;
  const known = state.topics;
  await forgetLeaders(state);
  if (errorCode === OFFSET_OUT_OF_RANGE) {
    const ranges = await state.cluster.ranges([place.topic]);
    const range = ranges.find((some) => some.partition === partition);
    if (range === undefined) throw partitionMissing(topic, partition);
    checkPosition({ topic, partition, offset: lane.next }, range);
  }
  if (UNKNOWN.includes(errorCode)) {
    const now = await state.cluster.topics([topic]);
    if (now.get(topic)?.id !== known.get(topic)?.id) throw madeAgain(topic);
  }
  throw new AtriumError("STORE_FAILED", `Kafka answers ${errorCode} for ${topic}/${partition}.`);
}

/** The topics that the lanes read; a topic keeps the id with which reading began. */
async function topicsOf(state: State, lanes: readonly Lane[]): Promise<ReadonlyMap<string, TopicFacts>> {
  const names = [...new Set(lanes.map((lane) => lane.topic))];
  const isKnown = names.every((name) => (state.topics.get(name)?.leaders.length ?? 0) > 0);
  if (!isKnown) {
    const found = await state.cluster.topics(names);
    for (const [name, facts] of found) {
      const before = state.topics.get(name);
      if (before !== undefined && before.id !== facts.id) throw madeAgain(name);
      state.topics.set(name, facts);
    }
  }
  return state.topics;
}

async function forgetLeaders(state: State): Promise<void> {
  state.topics = new Map([...state.topics].map(([name, facts]) => [name, { ...facts, leaders: [] }]));
}

function topicOf(topics: ReadonlyMap<string, TopicFacts>, { topic, partition }: Lane): TopicFacts {
  const facts = topics.get(topic);
  if (facts?.leaders[partition] === undefined) throw partitionMissing(topic, partition);
  return facts;
}

function madeAgain(topic: string): AtriumError {
  const message =
    `The topic ${topic} was deleted and made again while it was read: what bronze had not taken from it is gone. ` +
    "Start again to take in the new topic from its beginning. See docs/operate/errors.md, LOG_OFFSET_LOST.";
  return new AtriumError("LOG_OFFSET_LOST", message, { details: { topic } });
}

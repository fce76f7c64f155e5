// Reading from explicit positions: batches are fetched ahead, in bounded memory, while earlier ones are being worked on.
//
//   read(positions) --- the lane of each partition begins at its position? --- no: it is emptied and begins there
//        |
//        '- take what is queued; nothing: wait for the fetch under way; then fetch ahead in the background

import type { Position, ReadLimits, RecordBatch } from "../../log/event-log.ts";
import { checkPosition, partitionMissing } from "../../log/positions.ts";
import type { Clock } from "../../support/clock.ts";
import { AtriumError, isAtriumError } from "../../support/errors.ts";
import type { Logger } from "../../support/logger.ts";
import type { Cluster, TopicFacts } from "./cluster.ts";
import { patiently } from "./connection.ts";
import { fetchOnce, type Fetched } from "./fetching.ts";
import { judgedBatches } from "./judging.ts";
import { type Lane, makeLanes } from "./lanes.ts";

/** Bytes of one answer of a broker, as stored: of a partition, and in all. */
const FETCH_BYTES = { partitionBytesMax: 1024 * 1024, bytesMax: 4 * 1024 * 1024 };
/** Fetching ahead stops at so many bytes as stored, of a partition and in all; one answer may go beyond. */
const LANE_BYTES_MAX = 2 * 1024 * 1024;
const AHEAD_BYTES_MAX = 16 * 1024 * 1024;
/** A broker waits at most this long for records, ms: signals and new positions are looked at in between. */
const BROKER_WAIT_MS = 250;
/** A topic that is gone for so long was deleted, ms; until then a broker may just not know it yet. */
const GONE_MS = 3000;

/** What a reader works with. */
export interface ReaderParts {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onRetry?: (() => void) | undefined;
}

/** Reads a cluster's partitions; one call at a time. */
export interface Reader {
  /**
   * As EventLog.read. Outages are waited out: with `waitMs` 0 the answer comes once the cluster has said that there is
   * nothing, else an empty list comes in time and the next call goes on waiting.
   */
  read(from: readonly Position[], limits: ReadLimits, signal: AbortSignal): Promise<readonly RecordBatch[]>;
}

interface State extends ReaderParts {
  readonly lanes: ReturnType<typeof makeLanes>;
  readonly topics: Map<string, TopicFacts>;
  /** True after a failure: leaders may have moved. */
  isStale: boolean;
  goneSinceMs: number | undefined;
  /** The fetch under way. It ends without a failure; what it met stands in `failure` until a reader takes it. */
  filling: Promise<void> | undefined;
  failure: { readonly error: unknown } | undefined;
}

/** Makes a reader that has read nothing yet. */
export function makeReader(parts: ReaderParts): Reader {
  const state: State = {
    ...parts,
    lanes: makeLanes(),
    topics: new Map(),
    isStale: false,
    goneSinceMs: undefined,
    filling: undefined,
    failure: undefined,
  };
  return { read: async (from, limits, signal) => read(state, { from, limits, signal }) };
}

interface Asked {
  readonly from: readonly Position[];
  readonly limits: ReadLimits;
  readonly signal: AbortSignal;
}

async function read(state: State, { from, limits, signal }: Asked): Promise<readonly RecordBatch[]> {
  if (from.length === 0) return [];
  const { clock } = state;
  const endMs = clock.monotonicMs() + limits.waitMs;
  const lanes = state.lanes.at(from);
  // Whether the log has ended is known only from a fetch that began after the question.
  let isAsked = false;
  while (!signal.aborted) {
    throwFailure(state);
    const batches = state.lanes.take(lanes, limits.recordsMax);
    const leftMs = endMs - clock.monotonicMs();
    if (batches.length > 0) {
      fillAhead(state, lanes, signal);
      return batches;
    }
    const isOver =
      limits.waitMs > 0 ? leftMs <= 0 : isAsked && state.filling === undefined && hasEnded(lanes);
    if (isOver) return [];
    if (state.filling === undefined) {
      startFill(state, { lanes, signal, waitMs: Math.max(0, Math.min(BROKER_WAIT_MS, leftMs)) });
      isAsked = true;
    }
    await untilFilled(state, limits.waitMs > 0 ? leftMs : undefined, signal);
  }
  return [];
}

function hasEnded(lanes: readonly Lane[]): boolean {
  return lanes.every((lane) => lane.stable !== undefined && lane.next >= lane.stable);
}

function throwFailure(state: State): void {
  const { failure } = state;
  state.failure = undefined;
  if (failure !== undefined) throw failure.error;
}

/** Waits for the fetch under way, at most so long. */
async function untilFilled(state: State, ms: number | undefined, signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const stopping = AbortSignal.any([signal, stop.signal]);
  await Promise.race([state.filling, state.clock.sleep(ms ?? FOR_EVER_MS, stopping)]);
  stop.abort();
}

/** The longest that a timer takes. */
const FOR_EVER_MS = 2 ** 31 - 1;

/** Fetches in the background while the reader works, as far as there is room. */
function fillAhead(state: State, lanes: readonly Lane[], signal: AbortSignal): void {
  if (state.filling !== undefined || state.lanes.bytes() >= AHEAD_BYTES_MAX) return;
  const hungry = lanes.filter((lane) => lane.bytes < LANE_BYTES_MAX);
  if (hungry.length > 0) startFill(state, { lanes: hungry, signal, waitMs: BROKER_WAIT_MS });
}

interface Fill {
  readonly lanes: readonly Lane[];
  readonly signal: AbortSignal;
  readonly waitMs: number;
}

function startFill(state: State, fill: Fill): void {
  const { clock, logger, onRetry } = state;
  const patience = { clock, logger, onRetry, signal: fill.signal, what: "reading" };
  const run = async (): Promise<void> => {
    try {
      await patiently(patience, async () => fetchInto(state, fill));
    } catch (error) {
      state.failure = { error };
    } finally {
      state.filling = undefined;
    }
  };
  state.filling = run();
}

async function fetchInto(state: State, { lanes, waitMs }: Fill): Promise<void> {
  await lookForTopics(state, lanes);
  // The emptiest first: what does not fit into the answer waits for the next one.
  const wanted = lanes.toSorted((a, b) => a.bytes - b.bytes || a.turn - b.turn);
  const places = wanted.map((lane) => ({
    topic: topicOf(state.topics, lane),
    partition: lane.partition,
    offset: lane.next,
  }));
  state.isStale = true;
  const answers = await fetchOnce(state.cluster, places, { waitMs, ...FETCH_BYTES });
  const byPlace = new Map(answers.map((answer) => [answer.place, answer]));
  for (const [index, lane] of wanted.entries()) {
    const place = places[index];
    const answer = place === undefined ? undefined : byPlace.get(place);
    if (answer !== undefined && answer.place.offset === lane.next) await addTo(state, lane, answer);
  }
  state.isStale = false;
  state.goneSinceMs = undefined;
}

async function addTo(state: State, lane: Lane, answer: Fetched): Promise<void> {
  if (answer.errorCode !== 0) return failed(state, lane, answer);
  for (const judged of judgedBatches(answer)) {
    lane.queue.push(judged);
    lane.bytes += judged.batch.bytes.length;
    lane.next = judged.batch.endOffset;
  }
  lane.stable = answer.stableOffset;
}

const OFFSET_OUT_OF_RANGE = 1;

/** What a partition's error means: elections and the like pass; what is lost is said. */
async function failed(state: State, lane: Lane, { errorCode, place }: Fetched): Promise<never> {
  const { topic, partition } = lane;
  if (errorCode === OFFSET_OUT_OF_RANGE) {
    await lookForTopics(state, [lane]);
    const ranges = await state.cluster.ranges([place.topic]);
    const range = ranges.find((some) => some.partition === partition);
    if (range === undefined) throw partitionMissing(topic, partition);
    checkPosition({ topic, partition, offset: lane.next }, range);
  }
  throw new AtriumError("STORE_FAILED", `Kafka answers with error ${errorCode} for ${topic}/${partition}.`);
}

/** Learns where the topics are, at first and after a failure; a topic keeps the id with which reading began. */
async function lookForTopics(state: State, lanes: readonly Lane[]): Promise<void> {
  const names = [...new Set(lanes.map((lane) => lane.topic))];
  const isKnown = (lane: Lane): boolean =>
    state.topics.get(lane.topic)?.leaders[lane.partition] !== undefined;
  if (!state.isStale && lanes.every(isKnown)) return;
  for (const name of names) {
    const before = state.topics.get(name);
    const facts = await factsOf(state, name);
    if (before !== undefined && before.id !== facts.id) throw replaced(name, "deleted and made again");
    state.topics.set(name, facts);
  }
}

async function factsOf(state: State, name: string): Promise<TopicFacts> {
  try {
    const found = (await state.cluster.topics([name])).get(name);
    if (found !== undefined) return found;
  } catch (error) {
    if (!state.topics.has(name) || !isAtriumError(error, "NOT_FOUND")) throw error;
    const nowMs = state.clock.monotonicMs();
    state.goneSinceMs ??= nowMs;
    if (nowMs - state.goneSinceMs < GONE_MS) {
      throw new AtriumError("STORE_FAILED", `Kafka does not show the topic ${name}.`, { cause: error });
    }
    throw replaced(name, "deleted");
  }
  throw partitionMissing(name);
}

function topicOf(topics: ReadonlyMap<string, TopicFacts>, { topic, partition }: Lane): TopicFacts {
  const facts = topics.get(topic);
  if (facts?.leaders[partition] === undefined) throw partitionMissing(topic, partition);
  return facts;
}

function replaced(topic: string, what: string): AtriumError {
  const message =
    `The topic ${topic} was ${what} while it was read: what bronze had not taken from it is gone. ` +
    "Start ingest again: it takes in a topic that was made again from its beginning. See docs/operate/errors.md, LOG_OFFSET_LOST.";
  return new AtriumError("LOG_OFFSET_LOST", message, { details: { topic } });
}

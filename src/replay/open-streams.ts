// Opens all files of a replay, each where it was left, with the place in the log where its messages go.

import type { EventLog } from "../log/event-log.ts";
import type { SensorType } from "../reading/terms.ts";
import type { Logger } from "../support/logger.ts";
import { parseProgress, progressName } from "./progress-notes.ts";
import type { RawSource } from "./raw-source.ts";
import type { RawFile } from "./select-files.ts";
import { closeStream, openStream, type ReplayStream, type Route } from "./stream.ts";

/** A topic and its number of partitions. */
export interface TopicShape {
  readonly name: string;
  readonly partitions: number;
}

/** A place in the log. */
export interface Place {
  readonly topic: string;
  readonly partition: number;
}

/** Which sensor's messages go where. */
export interface Routing {
  /** By lane number the place. */
  readonly places: readonly Place[];
  /** Number of distinct keys. */
  readonly keys: number;
  /** By file, in the files' order. */
  readonly routes: readonly Route[];
}

/** What is needed to find the places. */
export interface RoutingOptions {
  readonly log: EventLog;
  readonly topics: Readonly<Record<SensorType, TopicShape>>;
  /** The partition of a key: 0 to `partitions` - 1. */
  readonly partitionOf: (key: string, partitions: number) => number;
}

/** Makes the topics that are missing and finds the place of each file's messages; a topic that exists keeps its partitions. */
export async function routeFiles(files: readonly RawFile[], options: RoutingOptions): Promise<Routing> {
  const types = new Set(files.map((file) => file.sensorType));
  await options.log.createTopics([...types].map((type) => options.topics[type]));
  const existing = await options.log.partitions();
  const places: Place[] = [];
  const lanes = new Map<string, number>();
  const keyIds = new Map<string, number>();
  const routes = files.map((file): Route => {
    const key = `${file.room}:${file.sensorType}`;
    const { name: topic, partitions } = options.topics[file.sensorType];
    const partition = options.partitionOf(key, existing.get(topic) ?? partitions);
    const lane = numberOf(lanes, `${partition} ${topic}`);
    places[lane] = { topic, partition };
    return { key, keyId: numberOf(keyIds, key), lane };
  });
  return { places, keys: keyIds.size, routes };
}

/** What opening the files needs. */
export interface OpenStreamsOptions {
  /** As in StreamOptions. */
  readonly eventSecondsMax: number;
  readonly source: RawSource;
  readonly routes: readonly Route[];
  /** The log's notes of an earlier run; empty to start over. */
  readonly notes: ReadonlyMap<string, string>;
  readonly logger: Logger;
}

/** Opens the files, in their order; some at a time, because a packed one is inflated up to where it was left. @throws SOURCE_UNREADABLE */
export async function openStreams(
  files: readonly RawFile[],
  options: OpenStreamsOptions,
): Promise<readonly ReplayStream[]> {
  const chunkBytes = chunkBytesFor(files.length);
  const opened: ReplayStream[] = [];
  const work = files.entries();
  const worker = async (): Promise<void> => {
    for (const [place, file] of work) {
      const route = options.routes[place];
      if (route !== undefined) opened[place] = await openOne(file, route, { ...options, chunkBytes });
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: OPENING_AT_ONCE }, worker));
  const failed = ends.find((end) => end.status === "rejected");
  if (failed === undefined) return opened;
  // Some places are empty: their files were never opened.
  await closeStreams(opened.filter(() => true));
  throw failed.reason;
}

/** Closes files. */
export async function closeStreams(streams: readonly ReplayStream[]): Promise<void> {
  await Promise.allSettled(streams.map(closeStream));
}

const OPENING_AT_ONCE = 32;
/** What the buffers of all files together may take; about three chunks a file are held at a time. */
const BUFFERS_BYTES_MAX = 268_435_456;
const CHUNK_BYTES_MIN = 16_384;
const CHUNK_BYTES_MAX = 262_144;

function chunkBytesFor(files: number): number {
  return Math.max(CHUNK_BYTES_MIN, Math.min(CHUNK_BYTES_MAX, Math.floor(BUFFERS_BYTES_MAX / (3 * files))));
}

async function openOne(
  file: RawFile,
  route: Route,
  options: OpenStreamsOptions & { readonly chunkBytes: number },
): Promise<ReplayStream> {
  const note = options.notes.get(progressName(file.path));
  const progress = note === undefined ? undefined : parseProgress(note);
  const opened = await openStream(file, {
    source: options.source,
    route,
    chunkBytes: options.chunkBytes,
    eventSecondsMax: options.eventSecondsMax,
    progress,
  });
  if (opened.progress === "unusable" || (note !== undefined && progress === undefined)) {
    options.logger.warn(
      "This file has changed since it was replayed: it starts over. Silver keeps each reading once.",
      { file: file.path },
    );
  }
  return opened.stream;
}

function numberOf(numbers: Map<string, number>, name: string): number {
  const known = numbers.get(name);
  if (known !== undefined) return known;
  numbers.set(name, numbers.size);
  return numbers.size - 1;
}

// Streaming queries: started from SQL or a plan, looked at, awaited and stopped. They belong to the session's id.

import type { MessageInitShape } from "@bufbuild/protobuf";
import { AtriumError } from "../../../support/errors.ts";
import { execute } from "./execution.ts";
import type { Link } from "./link.ts";
import type { ExecutePlanResponse } from "./proto/spark/connect/base_pb.ts";
import type {
  CommandSchema,
  StreamingQueryCommandSchema,
  StreamingQueryCommandResult,
  WriteStreamOperationStartSchema,
} from "./proto/spark/connect/commands_pb.ts";
import type { RelationSchema } from "./proto/spark/connect/relations_pb.ts";

/** Where a stream goes and when. */
export interface StreamOptions {
  /** `delta`, `kafka`, `memory`, `noop`. */
  readonly format: string;
  /** Folder of the sink, or its table; neither for sinks that have none. */
  readonly path?: string;
  readonly table?: string;
  /** Folder in which the stream keeps how far it is: a stream started anew with it goes on from there. */
  readonly checkpoint?: string;
  readonly options?: Readonly<Record<string, string>>;
  readonly outputMode?: "append" | "update" | "complete";
  readonly partitionBy?: readonly string[];
  /** By this name `list` shows it; also the table of the sink `memory`. */
  readonly name?: string;
  /** `every`: as SQL's intervals, `10 seconds`; `now`: takes all that is there, and ends. Default: as fast as it can. */
  readonly trigger?: { readonly every: string } | "now";
}

/** How a stream stands. */
export interface StreamStatus {
  readonly isActive: boolean;
  readonly isDataAvailable: boolean;
  readonly isTriggerActive: boolean;
  readonly message: string;
}

/** One micro-batch, as Spark reports it; there is no total: sum the batches. */
export interface StreamProgress {
  readonly batchId: number;
  /** ISO, when the batch began. */
  readonly timestamp: string;
  readonly inputRows: number;
  /** All that Spark says, by its names. */
  readonly report: Readonly<Record<string, unknown>>;
}

/** A streaming query. */
export interface SparkStream {
  /** The same after a restart from the checkpoint. */
  readonly id: string;
  readonly runId: string;
  readonly name: string | undefined;
  status(): Promise<StreamStatus>;
  /** The newest batches, the oldest first: as many as Spark keeps (100 by default). */
  progress(): Promise<readonly StreamProgress[]>;
  /** Waits until all that is in the sources now has been taken. */
  processAll(signal?: AbortSignal): Promise<void>;
  /** Waits until it ends or the signal aborts. @throws ENGINE_FAILED, QUERY_INVALID if it failed; the signal's reason */
  ended(signal?: AbortSignal): Promise<void>;
  /** Stops it; waits until it has stopped. */
  stop(): Promise<void>;
}

/** The streams of a session. */
export interface SparkStreams {
  /** Starts a stream from SQL over a view of a source, or from a plan. @throws QUERY_INVALID, ENGINE_FAILED */
  start(
    input: string | MessageInitShape<typeof RelationSchema>,
    options: StreamOptions,
  ): Promise<SparkStream>;
  /** Those that run in this session. */
  list(): Promise<readonly SparkStream[]>;
}

interface StreamId {
  readonly id: string;
  readonly runId: string;
}

/** Waiting is cut in pieces, so that a signal is heard soon, ms. */
const AWAIT_MS = 500n;

/** The streams of one session; `relation` makes a plan of SQL. */
export function sparkStreams(
  link: Link,
  relation: (sql: string) => MessageInitShape<typeof RelationSchema>,
): SparkStreams {
  return {
    start: async (input, options) => {
      const plan = typeof input === "string" ? relation(input) : input;
      const value = startOf(plan, options);
      const result = await command(link, { commandType: { case: "writeStreamOperationStart", value } });
      if (result?.case !== "writeStreamOperationStartResult") throw noAnswer("the start of a stream");
      const { queryId, name } = result.value;
      return streamOf(link, idOf(queryId), name);
    },
    list: async () => {
      const value = { command: { case: "active", value: true } } as const;
      const result = await command(link, { commandType: { case: "streamingQueryManagerCommand", value } });
      if (result?.case !== "streamingQueryManagerCommandResult") throw noAnswer("the list of streams");
      const { resultType } = result.value;
      const active = resultType.case === "active" ? resultType.value.activeQueries : [];
      return active.map(({ id, name }) => streamOf(link, idOf(id), name));
    },
  };
}

function streamOf(link: Link, queryId: StreamId, name: string | undefined): SparkStream {
  const ask = async (
    command: Command,
    signal?: AbortSignal,
  ): Promise<StreamingQueryCommandResult["resultType"]> => streamCommand(link, { queryId, command }, signal);
  return {
    ...queryId,
    name: name === "" ? undefined : name,
    status: async () => {
      const answer = await ask({ case: "status", value: true });
      if (answer.case !== "status") throw noAnswer("the status of a stream");
      const { statusMessage: message, isActive, isDataAvailable, isTriggerActive } = answer.value;
      return { message, isActive, isDataAvailable, isTriggerActive };
    },
    progress: async () => {
      const answer = await ask({ case: "recentProgress", value: true });
      if (answer.case !== "recentProgress") throw noAnswer("the progress of a stream");
      return answer.value.recentProgressJson.map(progressOf);
    },
    processAll: async (signal) => {
      await ask({ case: "processAllAvailable", value: true }, signal);
    },
    ended: async (signal) => {
      for (;;) {
        signal?.throwIfAborted();
        const answer = await ask({ case: "awaitTermination", value: { timeoutMs: AWAIT_MS } }, signal);
        if (answer.case === "awaitTermination" && answer.value.terminated) return;
      }
    },
    stop: async () => {
      await ask({ case: "stop", value: true });
    },
  };
}

type Command = NonNullable<MessageInitShape<typeof StreamingQueryCommandSchema>["command"]>;

async function streamCommand(
  link: Link,
  value: { readonly queryId: StreamId; readonly command: Command },
  signal: AbortSignal | undefined,
): Promise<StreamingQueryCommandResult["resultType"]> {
  const result = await command(link, { commandType: { case: "streamingQueryCommand", value } }, signal);
  return result?.case === "streamingQueryCommandResult" ? result.value.resultType : { case: undefined };
}

async function command(
  link: Link,
  value: MessageInitShape<typeof CommandSchema>,
  signal?: AbortSignal,
): Promise<ExecutePlanResponse["responseType"] | undefined> {
  let result: ExecutePlanResponse["responseType"] | undefined;
  const options = signal === undefined ? {} : { signal };
  for await (const { responseType } of execute(link, { opType: { case: "command", value } }, options)) {
    if (responseType.case !== "executionProgress") result = responseType;
  }
  return result;
}

function startOf(
  input: MessageInitShape<typeof RelationSchema>,
  {
    format,
    path,
    table,
    checkpoint,
    options = {},
    outputMode,
    partitionBy = [],
    name,
    trigger,
  }: StreamOptions,
): MessageInitShape<typeof WriteStreamOperationStartSchema> {
  return {
    input,
    format,
    options: { ...options, ...(checkpoint === undefined ? {} : { checkpointLocation: checkpoint }) },
    outputMode: outputMode ?? "append",
    partitioningColumnNames: [...partitionBy],
    queryName: name ?? "",
    ...(trigger === undefined ? {} : { trigger: triggerOf(trigger) }),
    ...(path === undefined ? {} : { sinkDestination: { case: "path", value: path } as const }),
    ...(table === undefined ? {} : { sinkDestination: { case: "tableName", value: table } as const }),
  };
}

function triggerOf(
  trigger: NonNullable<StreamOptions["trigger"]>,
): NonNullable<MessageInitShape<typeof WriteStreamOperationStartSchema>["trigger"]> {
  if (trigger === "now") return { case: "availableNow", value: true };
  return { case: "processingTimeInterval", value: trigger.every };
}

function progressOf(json: string): StreamProgress {
  const report = JSON.parse(json) as Readonly<Record<string, unknown>>;
  const sources = Array.isArray(report["sources"]) ? (report["sources"] as readonly unknown[]) : [];
  const inputRows = sources.reduce((sum: number, source) => sum + numberIn(source, "numInputRows"), 0);
  return { batchId: numberIn(report, "batchId"), timestamp: String(report["timestamp"]), inputRows, report };
}

function numberIn(value: unknown, name: string): number {
  if (typeof value !== "object" || value === null) return 0;
  const field = (value as Readonly<Record<string, unknown>>)[name];
  return typeof field === "number" ? field : 0;
}

function idOf(given: StreamId | undefined): StreamId {
  if (given === undefined) throw noAnswer("the id of a stream");
  return { id: given.id, runId: given.runId };
}

function noAnswer(what: string): AtriumError {
  return new AtriumError("ENGINE_FAILED", `Spark answered without ${what}: is it a version from 4.0 on?`);
}

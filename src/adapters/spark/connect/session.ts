// A session with a Spark Connect server: SQL in, rows out. Views, settings and streams belong to the session's id.

import type { MessageInitShape } from "@bufbuild/protobuf";
import { rowsOf } from "./arrow.ts";
import { execute, type Plan, type StatementOptions } from "./execution.ts";
import { failureOf } from "./failure.ts";
import { type Link, openLink, SIDE_CALL_MS_MAX, type SparkOptions } from "./link.ts";
import { withLiterals } from "./literals.ts";
import { boundParameters } from "./parameters.ts";
import { InterruptRequest_InterruptType as InterruptType } from "./proto/spark/connect/base_pb.ts";
import type { ConfigRequest_OperationSchema, InterruptRequest } from "./proto/spark/connect/base_pb.ts";
import { WriteOperation_SaveMode as SaveMode } from "./proto/spark/connect/commands_pb.ts";
import type { RelationSchema } from "./proto/spark/connect/relations_pb.ts";
import { retrying } from "./retry.ts";
import { sparkStreams, type SparkStreams } from "./streams.ts";
import { columnsOf } from "./type-names.ts";
import type { SparkColumn, SparkParameters, SparkRow } from "./values.ts";

/** What gives rows, not run yet. */
export type Relation = MessageInitShape<typeof RelationSchema>;

/** Parameters and limits of a statement. */
export interface QueryOptions extends StatementOptions {
  readonly parameters?: SparkParameters;
  /** At most this many rows are kept; default 100,000. The rest is not computed to its end. */
  readonly rowsMax?: number;
}

/** Some rows of a result. */
export interface SparkBatch {
  readonly columns: readonly SparkColumn[];
  readonly rows: readonly SparkRow[];
}

/** A whole result. */
export interface SparkResult extends SparkBatch {
  /** True if there were more than `rowsMax` rows. */
  readonly truncated: boolean;
}

/** Where the rows of a relation are written. */
export interface WriteOptions extends StatementOptions {
  /** `parquet`, `delta`, `noop`. */
  readonly format: string;
  /** Without one the format must need none. */
  readonly path?: string;
  readonly partitionBy?: readonly string[];
  readonly options?: Readonly<Record<string, string>>;
}

/** Where a source of a stream is, or a table by its format. */
export interface SourceOptions {
  /** `delta`, `kafka`, `rate`. */
  readonly format: string;
  readonly options?: Readonly<Record<string, string>>;
  readonly paths?: readonly string[];
  /** As DDL: `a int, b string`. */
  readonly schema?: string;
}

type Interrupt = Pick<InterruptRequest, "interruptType"> & Partial<Pick<InterruptRequest, "interrupt">>;

const ROWS_MAX = 100_000;
const LIMIT_MAX = 2_147_483_647;

/** Opens a session: the server makes it with the first statement. @throws CONFIG_INVALID for a wrong address */
export async function openSpark(options: SparkOptions): Promise<SparkSession> {
  return Promise.resolve(new SparkSession(openLink(options), options.literalParameters ?? false));
}

/**
 * A session. Calls may run side by side. All calls throw QUERY_INVALID (the text or its data are at fault), ENGINE_FAILED,
 * COMMIT_CONFLICT, ENGINE_UNREACHABLE, ENGINE_DENIED, QUERY_TIMEOUT, or the reason of their signal; `details` of an error
 * are a SparkFailure.
 */
export class SparkSession implements AsyncDisposable {
  /** Give it to openSpark to come back to this session. */
  readonly id: string;
  readonly streams: SparkStreams;
  readonly #link: Link;
  readonly #isLiteral: boolean;

  constructor(link: Link, isLiteral: boolean) {
    this.id = link.sessionId;
    this.#link = link;
    this.#isLiteral = isLiteral;
    this.streams = sparkStreams(link, (text) => this.relation(text));
  }

  /** Runs one statement of any kind and gives its rows. A query takes two trips to the server: `query` takes one. */
  async sql(text: string, options: QueryOptions = {}): Promise<SparkResult> {
    return this.#collect(await this.#command(text, options), options);
  }

  /** Runs a statement for what it does, such as INSERT or CREATE: its rows are not fetched. A mere SELECT is not run. */
  async run(text: string, options: QueryOptions = {}): Promise<void> {
    await this.#command(text, options);
  }

  /** Runs a SELECT. Use `sql` or `run` for what changes anything: a plan may be looked at twice. */
  async query(text: string, options: QueryOptions = {}): Promise<SparkResult> {
    return this.#collect(this.relation(text, options.parameters), options);
  }

  /** The rows of a relation. */
  async collect(relation: Relation, options: QueryOptions = {}): Promise<SparkResult> {
    return this.#collect(relation, options);
  }

  /**
   * Writes the rows of a relation; what is at the path already is an error.
   * @returns what the relation's observations (collectMetrics) counted, whole numbers by their names
   */
  async write(
    input: Relation,
    { format, path, partitionBy = [], options = {}, ...statement }: WriteOptions,
  ): Promise<ReadonlyMap<string, bigint>> {
    const value = {
      input,
      source: format,
      mode: path === undefined ? SaveMode.APPEND : SaveMode.ERROR_IF_EXISTS,
      partitioningColumns: [...partitionBy],
      options: { ...options },
      ...(path === undefined ? {} : { saveType: { case: "path", value: path } as const }),
    };
    const plan: Plan = {
      opType: { case: "command", value: { commandType: { case: "writeOperation", value } } },
    };
    const counts = new Map<string, bigint>();
    for await (const { observedMetrics } of execute(this.#link, plan, statement)) {
      for (const { keys, values } of observedMetrics) {
        for (const [index, key] of keys.entries()) {
          const found = values[index]?.literalType;
          if (found?.case === "long") counts.set(key, found.value);
        }
      }
    }
    return counts;
  }

  /** Runs a SELECT and gives its rows as they come, batch by batch: at least one, maybe empty. `rowsMax` does not count. */
  async *batches(text: string, options: QueryOptions = {}): AsyncGenerator<SparkBatch> {
    yield* this.#batches(this.relation(text, options.parameters), options);
  }

  /** A SELECT as what a view or a stream begins with; nothing is sent. @throws QUERY_INVALID for wrong parameters */
  relation(text: string, parameters?: SparkParameters): Relation {
    const value = this.#isLiteral
      ? { query: withLiterals(text, parameters) }
      : { query: text, ...boundParameters(parameters) };
    return { relType: { case: "sql", value } };
  }

  /** A stream of what comes into a source; make it a view to read it with SQL. */
  streamOf({ format, options = {}, paths = [], schema }: SourceOptions): Relation {
    const source = {
      format,
      options: { ...options },
      paths: [...paths],
      ...(schema === undefined ? {} : { schema }),
    };
    return {
      relType: {
        case: "read",
        value: { isStreaming: true, readType: { case: "dataSource", value: source } },
      },
    };
  }

  /** Gives a relation a name in this session, in place of what had the name. */
  async createView(name: string, input: Relation): Promise<void> {
    const value = { input, name, isGlobal: false, replace: true };
    await this.#drain({
      opType: { case: "command", value: { commandType: { case: "createDataframeView", value } } },
    });
  }

  /** Settings of the session by name; undefined for those that have no value. */
  async settings(names: readonly string[]): Promise<ReadonlyMap<string, string | undefined>> {
    const pairs = await this.#config({ case: "getOption", value: { keys: [...names] } });
    return new Map(pairs.map(({ key, value }) => [key, value]));
  }

  /** Changes settings of the session. */
  async set(settings: Readonly<Record<string, string>>): Promise<void> {
    const pairs = Object.entries(settings).map(([key, value]) => ({ key, value }));
    await this.#config({ case: "set", value: { pairs } });
  }

  /** Stops all statements of the session; the ids of those that it found. */
  async interruptAll(): Promise<readonly string[]> {
    return this.#interrupt({ interruptType: InterruptType.ALL });
  }

  /** Stops the statements with a tag; the ids of those that it found. */
  async interruptTag(tag: string): Promise<readonly string[]> {
    return this.#interrupt({
      interruptType: InterruptType.TAG,
      interrupt: { case: "operationTag", value: tag },
    });
  }

  /** Stops a statement by its id; empty if it does not run. */
  async interruptOperation(operationId: string): Promise<readonly string[]> {
    return this.#interrupt({
      interruptType: InterruptType.OPERATION_ID,
      interrupt: { case: "operationId", value: operationId },
    });
  }

  /** Ends the connection and leaves the session on the server, with its views and streams (an hour after its last call, by Spark's default). */
  async leave(): Promise<void> {
    await this.#link.close();
  }

  /** Ends the session on the server too: its views are gone, its statements and streams are stopped. */
  async close(): Promise<void> {
    try {
      await this.#link.client.releaseSession(this.#link.fields(), { timeoutMs: SIDE_CALL_MS_MAX });
    } catch {
      // The server is gone, and so is the session: or it will be, after its time.
    }
    await this.#link.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Runs a statement and gives what stands for its rows. */
  async #command(text: string, options: QueryOptions): Promise<Relation> {
    const input = this.relation(text, options.parameters);
    const plan: Plan = {
      opType: { case: "command", value: { commandType: { case: "sqlCommand", value: { input } } } },
    };
    let result = input;
    for await (const { responseType } of execute(this.#link, plan, options)) {
      if (responseType.case === "sqlCommandResult") result = responseType.value.relation ?? input;
    }
    return result;
  }

  async #collect(relation: Relation, options: QueryOptions): Promise<SparkResult> {
    const { rowsMax = ROWS_MAX } = options;
    const rows: SparkRow[] = [];
    let columns: readonly SparkColumn[] = [];
    for await (const batch of this.#batches(limited(relation, rowsMax + 1), options)) {
      columns = batch.columns;
      for (const row of batch.rows) rows.push(row);
      if (rows.length > rowsMax) return { columns, rows: rows.slice(0, rowsMax), truncated: true };
    }
    return { columns, rows, truncated: false };
  }

  async *#batches(root: Relation, options: QueryOptions): AsyncGenerator<SparkBatch> {
    let columns: readonly SparkColumn[] = [];
    let isEmpty = true;
    for await (const response of execute(this.#link, { opType: { case: "root", value: root } }, options)) {
      if (response.schema !== undefined) columns = columnsOf(response.schema);
      if (response.responseType.case !== "arrowBatch") continue;
      isEmpty = false;
      yield { columns, rows: rowsOf(response.responseType.value.data) };
    }
    if (isEmpty) yield { columns, rows: [] };
  }

  async #drain(plan: Plan): Promise<void> {
    for await (const response of execute(this.#link, plan)) void response;
  }

  async #config(
    opType: MessageInitShape<typeof ConfigRequest_OperationSchema>["opType"],
  ): Promise<readonly { readonly key: string; readonly value?: string | undefined }[]> {
    const { pairs } = await this.#call(async () =>
      this.#link.client.config({ ...this.#link.fields(), operation: opType === undefined ? {} : { opType } }),
    );
    return pairs;
  }

  async #interrupt(what: Interrupt): Promise<readonly string[]> {
    const { interruptedIds } = await this.#call(async () =>
      this.#link.client.interrupt({ ...what, ...this.#link.fields() }),
    );
    return interruptedIds;
  }

  async #call<T extends { readonly serverSideSessionId: string }>(call: () => Promise<T>): Promise<T> {
    try {
      const answer = await retrying(this.#link, call);
      this.#link.observe(answer.serverSideSessionId);
      return answer;
    } catch (error) {
      throw await failureOf(error, this.#link);
    }
  }
}

/** Spark then stops early. Beyond what its limit can be, it computes all. */
function limited(input: Relation, limit: number): Relation {
  return limit > LIMIT_MAX ? input : { relType: { case: "limit", value: { input, limit } } };
}

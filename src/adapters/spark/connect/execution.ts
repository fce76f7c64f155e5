// Runs a plan and gives its responses, each once and in order, over as many connections as that takes.
//
//   ExecutePlan ──> response 1, 2 … ✂ connection breaks
//   ReattachExecute(after 2) ──> 3 … ✂ ──> ReattachExecute(after 3) ──> … result complete
//   ReleaseExecute(until n) while it runs, so that the server keeps no more than it must; ReleaseExecute(all) at the end
//
// An operation that the server does not know has not begun: it is sent again under the same id, which can begin once only.
// Leaving early (break, an error, a signal, the time limit) releases all, and that stops it on the server.

import type { MessageInitShape } from "@bufbuild/protobuf";
import { uniqueId } from "../../../support/chance.ts";
import type { Clock } from "../../../support/clock.ts";
import { AtriumError } from "../../../support/errors.ts";
import { failureOf, isBroken, isUnknownOperation } from "./failure.ts";
import { type Link, SIDE_CALL_MS_MAX } from "./link.ts";
import type {
  ExecutePlanResponse,
  PlanSchema,
  ReleaseExecuteRequestSchema,
} from "./proto/spark/connect/base_pb.ts";
import { patience } from "./retry.ts";

/** A plan: a relation that gives rows, or a command. */
export type Plan = MessageInitShape<typeof PlanSchema>;

/**
 * A statement without rows yet is stopped at this age or later: Spark cancels the jobs that it has begun, and one that it begins a moment
 * after runs to its end, whoever asked.
 */
const SETTLE_MS = 2000;

type Release = NonNullable<MessageInitShape<typeof ReleaseExecuteRequestSchema>["release"]>;

/** Limits and marks of a statement. */
export interface StatementOptions {
  /** After that it is stopped on the server too, ms; default: no limit. */
  readonly timeoutMs?: number;
  /** Stops it; the call then fails with the signal's reason. */
  readonly signal?: AbortSignal;
  /** By which `interruptTag` finds it; without commas. */
  readonly tags?: readonly string[];
  /** A UUID by which `interruptOperation` finds it; default: a new one. */
  readonly operationId?: string;
}

/**
 * Runs a plan.
 * @throws QUERY_INVALID, ENGINE_FAILED, COMMIT_CONFLICT, ENGINE_UNREACHABLE, ENGINE_DENIED, QUERY_TIMEOUT, or the signal's reason
 */
export async function* execute(
  link: Link,
  plan: Plan,
  options: StatementOptions = {},
): AsyncGenerator<ExecutePlanResponse> {
  using limit = timeLimit(link.clock, options);
  const operation = new Operation(link, plan, options);
  let hasFailed = false;
  try {
    yield* operation.responses(limit.signal);
  } catch (error) {
    if (limit.signal.aborted) throw limit.signal.reason;
    hasFailed = true;
    throw await failureOf(error, link);
  } finally {
    operation.releaseAll(hasFailed);
  }
}

/** One statement on the server. */
class Operation {
  readonly #link: Link;
  readonly #plan: Plan;
  readonly #id: string;
  readonly #tags: readonly string[];
  #lastResponseId: string | undefined;
  #wasSent = false;
  #sentMs: number | undefined;
  #isComplete = false;
  #hasRows = false;
  #isReleasing = false;

  constructor(link: Link, plan: Plan, { operationId, tags }: StatementOptions) {
    this.#link = link;
    this.#plan = plan;
    this.#id = operationId ?? uniqueId();
    this.#tags = tags ?? [];
  }

  async *responses(signal: AbortSignal): AsyncGenerator<ExecutePlanResponse> {
    const tries = patience(this.#link, signal);
    signal.throwIfAborted();
    while (!this.#isComplete) {
      try {
        for await (const response of this.#connect(signal)) {
          tries.renew();
          this.#lastResponseId = response.responseId;
          this.#link.observe(response.serverSideSessionId);
          if (response.responseType.case === "arrowBatch") this.#hasRows = true;
          if (response.responseType.case === "resultComplete") this.#isComplete = true;
          else yield response;
          this.#releaseRead();
        }
      } catch (error) {
        // All that was wanted is here: how the connection ends does not matter.
        if (this.#isComplete) return;
        const isNew = isUnknownOperation(error) && this.#lastResponseId === undefined;
        if (isNew) this.#wasSent = false;
        else if (!isBroken(error)) throw error;
        await tries.wait(error);
      }
    }
  }

  /** Stops what runs and lets the server forget it; nothing if it was never sent. */
  releaseAll(hasFailed: boolean): void {
    if (this.#sentMs === undefined) return;
    const { clock } = this.#link;
    const isYoung = !hasFailed && !this.#isComplete && !this.#hasRows;
    const waitMs = isYoung ? Math.max(0, this.#sentMs + SETTLE_MS - clock.monotonicMs()) : 0;
    const work = async (): Promise<void> => {
      if (waitMs > 0) await clock.sleep(waitMs);
      await this.#release({ case: "releaseAll", value: {} });
    };
    this.#link.beside(work());
  }

  #connect(signal: AbortSignal): AsyncIterable<ExecutePlanResponse> {
    const { client } = this.#link;
    const fields = { ...this.#link.fields(), operationId: this.#id };
    if (this.#wasSent) {
      const last = this.#lastResponseId === undefined ? {} : { lastResponseId: this.#lastResponseId };
      return client.reattachExecute({ ...fields, ...last }, { signal });
    }
    this.#wasSent = true;
    this.#sentMs = this.#link.clock.monotonicMs();
    const reattachOptions = { case: "reattachOptions", value: { reattachable: true } } as const;
    const requestOptions = [{ requestOption: reattachOptions }];
    return client.executePlan(
      { ...fields, plan: this.#plan, tags: [...this.#tags], requestOptions },
      { signal },
    );
  }

  /** One at a time: what comes meanwhile is released with the next. */
  #releaseRead(): void {
    const responseId = this.#lastResponseId;
    if (this.#isReleasing || this.#isComplete || responseId === undefined) return;
    this.#isReleasing = true;
    const released = this.#release({ case: "releaseUntil", value: { responseId } }).finally(() => {
      this.#isReleasing = false;
    });
    this.#link.beside(released);
  }

  /** Once: a server that does not hear it forgets the statement after its own time. */
  async #release(release: Release): Promise<void> {
    const request = { ...this.#link.fields(), operationId: this.#id, release };
    await this.#link.client.releaseExecute(request, { timeoutMs: SIDE_CALL_MS_MAX });
  }
}

/** A signal that follows the caller's and the time limit; disposing it ends the watch. */
function timeLimit(
  clock: Clock,
  { timeoutMs, signal }: StatementOptions,
): Disposable & { readonly signal: AbortSignal } {
  const own = new AbortController();
  const done = new AbortController();
  const watch = async (ms: number): Promise<void> => {
    await clock.sleep(ms, done.signal);
    if (done.signal.aborted) return;
    const message = `Spark was stopped after ${ms / 1000} s: ask for less, or allow more time.`;
    own.abort(new AtriumError("QUERY_TIMEOUT", message));
  };
  if (timeoutMs !== undefined) void watch(timeoutMs);
  return {
    signal: signal === undefined ? own.signal : AbortSignal.any([signal, own.signal]),
    [Symbol.dispose]: () => done.abort(),
  };
}

// Appending: one Kafka transaction holds the messages of an append and the producer's notes.
//
//   session: open -> read the notes -> write our own SESSION note, if another stands there
//      |        '-- another one's stands where ours stood: it has taken over, and this one stops (COMMIT_OVERTAKEN)
//   append: begin -> messages -> notes and the append's token -> commit -> wait until readers see it
//      '-- any step fails: the session is thrown away. The next one's opening settles what it left (the broker aborts it, or
//          completes a commit that it had begun), and the token among the notes tells whether the append is there

import type { OutgoingBatch, Progress, ProgressStep } from "../../log/event-log.ts";
import { placeOf } from "../../log/positions.ts";
import { checkProgress } from "../../log/progress-check.ts";
import type { Clock } from "../../support/clock.ts";
import { AtriumError } from "../../support/errors.ts";
import { faultPoint } from "../../support/fault-point.ts";
import type { Cluster, TopicFacts } from "./cluster.ts";
import { failureOf, isAnswer, isFenced, isPassing } from "./failures.ts";
import { LAST_APPEND, NOTES_TOPIC, noteRecords, readNotes, SESSION } from "./notes.ts";
import type { Codec } from "./record-batch.ts";
import { encodedRuns, type EncodedRun } from "./record-writer.ts";
import { openSession, type Outgoing, type Session } from "./transaction.ts";

/** What an appender works with. */
export interface AppenderParts {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly codec: Codec;
  /** Largest batch of a partition before it is compressed, bytes; one message may go beyond. */
  readonly batchBytesMax: number;
  readonly newToken: () => string;
  /** A topic as it is now, or was a moment ago. @throws NOT_FOUND */
  readonly topic: (name: string) => Promise<TopicFacts>;
}

/** Appends under the name of one producer; one call at a time. */
export interface Appender {
  /** @throws COMMIT_OVERTAKEN, LOG_REFUSED; STORE_FAILED: call again with the same batches */
  append(batches: readonly OutgoingBatch[], step: ProgressStep): Promise<void>;
  /** The notes as they are now. From here on this one appends under the name, and an earlier one can no longer. */
  notes(): Promise<Progress>;
}

interface Opened {
  readonly session: Session;
  readonly notes: Map<string, string>;
}

interface State extends AppenderParts {
  readonly producer: string;
  /** Our own mark among the notes. */
  readonly mark: string;
  readonly tokens: WeakMap<readonly OutgoingBatch[], string>;
  hasMark: boolean;
  opened: Opened | undefined;
}

/** Makes the appender of a producer; the cluster is reached with the first call. */
export function makeAppender(parts: AppenderParts, producer: string): Appender {
  const mark = parts.newToken();
  const state: State = { ...parts, producer, mark, tokens: new WeakMap(), hasMark: false, opened: undefined };
  return {
    append: async (batches, step) =>
      settling(state, "appending messages", async (opened) => append(state, opened, { batches, step })),
    notes: async () => settling(state, "reading notes", async ({ notes }) => new Map(notes)),
  };
}

/** Acts in an open session. A session that was cut off is opened once more: that tells whether another took over. */
async function settling<T>(state: State, what: string, act: (opened: Opened) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      state.opened ??= await open(state);
      return await act(state.opened);
    } catch (error) {
      const { opened } = state;
      state.opened = undefined;
      if (isFenced(error) && tries === 1) continue;
      if (isFenced(error)) throw cutOff(state.producer, error);
      // Where the broker answers, the transaction is taken back at once, so that no reader waits for its time-out.
      if (isAnswer(error)) await opened?.session.end("abort").catch(() => undefined);
      throw failureOf(error, what);
    }
  }
}

async function open(state: State): Promise<Opened> {
  const { cluster, producer, mark } = state;
  const session = await openSession({ ...state, transactionalId: `atrium-${producer}` });
  const topic = (await cluster.topics([NOTES_TOPIC])).get(NOTES_TOPIC) ?? (await state.topic(NOTES_TOPIC));
  const notes = new Map(await readNotes(state, topic, producer));
  if (notes.get(SESSION) !== mark) {
    if (state.hasMark) throw overtaken(producer);
    await session.begin([{ topic, partition: 0 }]);
    await send(state, session, [noteBatch(producer, new Map([[SESSION, mark]]))]);
    await session.end("commit");
    notes.set(SESSION, mark);
  }
  state.hasMark = true;
  return { session, notes };
}

interface Append {
  readonly batches: readonly OutgoingBatch[];
  readonly step: ProgressStep;
}

async function append(state: State, { session, notes }: Opened, { batches, step }: Append): Promise<void> {
  const token = state.tokens.get(batches) ?? state.newToken();
  if (notes.get(LAST_APPEND) === token) return;
  state.tokens.set(batches, token);
  checkProgress(step, notes);
  const added = new Map([...step.notes, [LAST_APPEND, token]]);
  const all = [...batches, noteBatch(step.producer, added)];
  const places = new Map(all.map((batch) => [placeOf(batch), batch]));
  await session.begin(
    await Promise.all(
      [...places.values()].map(async ({ topic, partition }) => ({
        topic: await state.topic(topic),
        partition,
      })),
    ),
  );
  await send(state, session, all);
  faultPoint("log/append/inside");
  await session.end("commit");
  faultPoint("log/append/done");
  for (const [name, note] of added) notes.set(name, note);
  state.tokens.delete(batches);
  await visible(state, session);
}

/** Committed is committed: if it cannot be seen whether readers have it yet, the next transaction will wait for that. */
async function visible(state: State, session: Session): Promise<void> {
  try {
    await session.settled();
  } catch (error) {
    if (isPassing(error)) state.opened = undefined;
  }
}

function noteBatch(producer: string, notes: Progress): OutgoingBatch {
  return { topic: NOTES_TOPIC, partition: 0, records: noteRecords(producer, notes) };
}

/** Sends batches in rounds: of each partition one run a round, in order. */
async function send(state: State, session: Session, batches: readonly OutgoingBatch[]): Promise<void> {
  const lanes = Array.from(Map.groupBy(batches, placeOf).values(), (some) => ({
    topic: some[0]?.topic ?? "",
    partition: some[0]?.partition ?? 0,
    runs: runsOf(some, state.batchBytesMax),
  }));
  for (;;) {
    const round: Outgoing[] = [];
    for (const { topic, partition, runs } of lanes) {
      const { value } = runs.next();
      if (value !== undefined) round.push({ topic: await state.topic(topic), partition, run: value });
    }
    if (round.length === 0) return;
    await session.produce(round);
  }
}

function* runsOf(batches: readonly OutgoingBatch[], bytesMax: number): Generator<EncodedRun, undefined> {
  for (const { records } of batches) yield* encodedRuns(records, bytesMax);
  return undefined;
}

function overtaken(producer: string): AtriumError {
  const message =
    `Another process appends as ${producer}, and has taken over: this one stops. Nothing was sent twice. ` +
    "Let one replay at a time feed a log.";
  return new AtriumError("COMMIT_OVERTAKEN", message, { details: { producer } });
}

function cutOff(producer: string, cause: unknown): AtriumError {
  const message = `Kafka: the transaction of ${producer} was cut off, as another process or a time-out does. Try again.`;
  return new AtriumError("STORE_FAILED", message, { cause, details: { producer } });
}

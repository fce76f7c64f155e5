// The logs that the EventLog contract is run on, and what its cases share.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import type { EventLog, OutgoingBatch, Position } from "../../src/log/event-log.ts";
import { recordsOf } from "../../src/log/records.ts";
import { isAtriumError, type ErrorCode } from "../../src/support/errors.ts";
import { noise } from "../support/log.ts";

/** A log to test, empty when it is handed over. */
export interface LogFixture {
  readonly log: EventLog;
  /** Stands before every topic name, for logs that several tests share. */
  readonly topicPrefix: string;
  /** How long reads may wait for what is already there, ms: 0 unless the log is elsewhere. */
  readonly waitMs: number;
  /** Lets `ms` of the log's clock pass. */
  readonly elapse: (ms: number) => void | Promise<void>;
  dispose(): Promise<void>;
}

/** How the suite gets its logs. */
export interface LogFactory {
  readonly name: string;
  /** True if the adapter itself deletes what is released and refuses what does not fit. */
  readonly hasRetention: boolean;
  /** Offsets that an append uses up in each of its partitions beside its records: Kafka marks the end of transactions. */
  readonly marks: 0 | 1;
  open(retention?: { readonly maxAgeMs?: number; readonly maxBytes: number }): Promise<LogFixture>;
}

/** One log for the tests of a `describe`, and new topics in it. */
export function perSuite(factory: LogFactory): {
  fixture: () => LogFixture;
  newTopic: (partitions: number) => Promise<string>;
} {
  let opened: LogFixture | undefined;
  let topics = 0;
  before(async () => {
    opened = await factory.open();
  });
  after(() => opened?.dispose());
  const fixture = (): LogFixture => {
    assert.ok(opened);
    return opened;
  };
  const newTopic = async (partitions: number): Promise<string> => {
    topics += 1;
    const name = `${fixture().topicPrefix}topic-${topics}`;
    await fixture().log.createTopics([{ name, partitions }]);
    return name;
  };
  return { fixture, newTopic };
}

/** A batch of these values, each with the key `k-VALUE`. */
export function outgoing(topic: string, partition: number, values: readonly string[]): OutgoingBatch {
  return { topic, partition, records: recordsOf(values.map((value) => ({ key: `k-${value}`, value }))) };
}

/** A batch of one record of 64 KiB that does not compress. */
export function noisy(topic: string, partition: number, seed: number): OutgoingBatch {
  return { topic, partition, records: recordsOf([{ key: "k", value: noise(65_536, seed) }]) };
}

/** Offset 0 of every partition of a topic. */
export function startsOf(topic: string, partitions: number): Position[] {
  return Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offset: 0n }));
}

/** Expects an AtriumError with this code and a message like this. */
export async function rejectsWith(code: ErrorCode, promise: Promise<unknown>, message = /./): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(isAtriumError(error, code), `${code} was expected, not ${String(error)}`);
    assert.match(error.message, message);
    return true;
  });
}

// The bounded lead: a producer waits for its reader, and never for ever.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { makeMemoryLog } from "../../src/adapters/memory/event-log.ts";
import { withBoundedLead } from "../../src/log/bounded-lead.ts";
import type { EventLog } from "../../src/log/event-log.ts";
import { recordsOf } from "../../src/log/records.ts";
import { systemClock } from "../../src/support/clock.ts";

const TOPIC = "iot.co2";

async function boundedLog(recordsMax: number, signal = new AbortController().signal): Promise<EventLog> {
  const log = withBoundedLead(makeMemoryLog({ clock: systemClock }), recordsMax, signal);
  await log.createTopics([{ name: TOPIC, partitions: 1 }]);
  return log;
}

async function append(log: EventLog, count: number): Promise<void> {
  const records = recordsOf(Array.from({ length: count }, () => ({ key: "1:co2", value: "{}" })));
  await log.append([{ topic: TOPIC, partition: 0, records }]);
}

const release = async (log: EventLog, offset: bigint): Promise<void> =>
  log.release([{ topic: TOPIC, partition: 0, offset }]);
const end = async (log: EventLog): Promise<bigint | undefined> => (await log.ranges([TOPIC]))[0]?.end;

/** Lets everything run that can run. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) await turn();
}

test("an append beyond the lead waits until the reader has released enough", async () => {
  const log = await boundedLog(10);
  await release(log, 0n);
  await append(log, 11);
  const waiting = append(log, 1);
  await settle();
  assert.equal(await end(log), 11n);
  await release(log, 1n);
  await waiting;
  assert.equal(await end(log), 12n);
});

test("records of earlier runs do not count", async () => {
  const log = await boundedLog(10);
  await append(log, 8);
  await release(log, 8n);
  await append(log, 3);
  const waiting = append(log, 1);
  await settle();
  assert.equal(await end(log), 11n);
  await release(log, 10n);
  await waiting;
});

test("an append that waits goes on when the signal aborts", async () => {
  const stop = new AbortController();
  const log = await boundedLog(1, stop.signal);
  await release(log, 0n);
  await append(log, 2);
  const waiting = append(log, 1);
  await settle();
  stop.abort();
  await waiting;
  assert.equal(await end(log), 3n);
});

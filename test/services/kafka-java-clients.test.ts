// Plain clients of Kafka beside Atrium: Java's own tools, from the broker's jars, read what replay sends, send what ingest takes,
// and show how far it is.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { kafkaTool } from "../../services/kafka.ts";
import { present } from "../../src/support/assert.ts";
import { uniqueId } from "../../src/support/chance.ts";
import { outgoing } from "../contract/event-log-fixture.ts";
import { logOn, numbered, ownBroker, sendByJava, withoutKafka } from "../support/kafka.ts";
import { ask, makeReference, type Reference } from "../support/lake-folder.ts";
import { done } from "../support/program.ts";

/** What comes after all messages of a topic, so that a reader that stops there has seen all. */
const LAST = "the last one";

describe("Java's own tools", { skip: withoutKafka }, () => {
  const broker = ownBroker();
  let reference: Reference;

  before(async () => {
    reference = await makeReference(["--rooms", "1", "--days", "1", "--seed", "2"], []);
  });
  after(async () => reference.folder[Symbol.asyncDispose]());

  /** A lake of its own and a topic of its own for CO2, of one partition. */
  function site(): { readonly lake: string; readonly topic: string; readonly env: Record<string, string> } {
    const id = uniqueId().slice(0, 8);
    const topic = `${id}.co2`;
    const env = {
      LOG: "kafka",
      KAFKA_BOOTSTRAP: broker().bootstrap,
      LOG_LEVEL: "error",
      TOPIC_CO2: topic,
      TOPIC_PARTITIONS: "1",
      SENSORS: "co2",
    };
    return { lake: join(reference.folder.path, id), topic, env };
  }

  const reading = (ts: number, value: number): string =>
    `413:co2|{"room":"413","sensor":"co2","ts":${ts},"value":${value}}`;

  test("the console consumer reads what replay has sent: keys and values as documented, each committed message once", async () => {
    const { topic, env } = site();
    await done(["replay", "--raw", reference.raw, "--replay-mode", "max"], { env });
    await using log = logOn(broker().bootstrap);
    await log.append([outgoing(topic, 0, [LAST])]);
    const sent = await ask(
      reference.reference,
      `select room, ts_unix as ts, value from bronze_readings where sensor_type = 'co2' order by all`,
    );
    assert.ok(sent.length > 1000);
    const from = ["--bootstrap-server", broker().bootstrap, "--topic", topic, "--from-beginning"];
    const committed = ["--isolation-level", "read_committed", "--max-messages", String(sent.length + 1)];
    const keyed = ["--formatter-property", "print.key=true", "--formatter-property", "key.separator=|"];
    const tool = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    const { code, stdout, stderr } = await kafkaTool([tool, ...from, ...committed, ...keyed]);
    assert.equal(code, 0, stderr);
    const lines = stdout.trimEnd().split("\n");
    assert.match(lines.pop() ?? "", new RegExp(`\\|${LAST}$`));
    const read = lines.map((line) => {
      const [, key, room, ts, value] = present(WIRE.exec(line), line);
      assert.equal(key, room);
      return { room, ts: Number(ts), value: Number(value) };
    });
    assert.deepEqual(read.toSorted(byTime), sent.toSorted(byTime));
  });

  test("what the console producer sends is ingested: readings, and whole what is none", async () => {
    const { lake, topic, env } = site();
    await using log = logOn(broker().bootstrap);
    await log.createTopics([{ name: topic, partitions: 1 }]);
    const lines = [reading(1_377_299_108, 495), "413:co2|no reading", reading(1_377_299_113, 496.5)];
    await sendByJava(broker().bootstrap, topic, { lines });
    await done(["ingest", "--once", "--lake", lake], { env });
    assert.deepEqual(
      await ask(lake, `select room, sensor_type, ts_unix, value, "offset" from bronze_readings order by 5`),
      [
        { room: "413", sensor_type: "co2", ts_unix: 1_377_299_108, value: 495, offset: 0 },
        { room: "413", sensor_type: "co2", ts_unix: 1_377_299_113, value: 496.5, offset: 2 },
      ],
    );
    assert.deepEqual(
      await ask(lake, `select key, reason, octet_length(value) as bytes from bronze_rejected`),
      [{ key: "413:co2", reason: "not_json", bytes: 10 }],
    );
  });

  test("the group tool shows how far ingest is behind, of the group that KAFKA_GROUP names", async () => {
    const { lake, topic, env } = site();
    const group = `lag-${topic}`;
    await using log = logOn(broker().bootstrap);
    await log.createTopics([{ name: topic, partitions: 1 }]);
    const send = async (...values: readonly number[]): Promise<void> =>
      sendByJava(broker().bootstrap, topic, {
        lines: values.map((value) => reading(1_377_299_108 + value, value)),
      });
    const ingest = async (): Promise<unknown> =>
      done(["ingest", "--once", "--lake", lake], { env: { ...env, KAFKA_GROUP: group } });
    const shown = async (): Promise<Lag | undefined> =>
      lagOf({ bootstrap: broker().bootstrap, group, topic });
    await send(1, 2, 3);
    await ingest();
    assert.deepEqual(await shown(), { at: 3, end: 3, lag: 0 });
    await send(4, 5);
    assert.deepEqual(await shown(), { at: 3, end: 5, lag: 2 });
    await ingest();
    assert.deepEqual(await shown(), { at: 5, end: 5, lag: 0 });
    // Two messages and the mark of their transaction.
    await log.append([numbered(topic, 0, [6, 7])]);
    assert.deepEqual(await shown(), { at: 5, end: 8, lag: 3 });
    await ingest();
    assert.deepEqual(await shown(), { at: 8, end: 8, lag: 0 });
  });
});

/** A line of the console consumer: `room:co2|{"room":…}`. */
const WIRE = /^(\w+):co2\|\{"room":"(\w+)","sensor":"co2","ts":(\d+),"value":(-?[\d.]+)\}$/;

interface Measured {
  readonly [name: string]: unknown;
}

function byTime(a: Measured, b: Measured): number {
  return Number(a["ts"]) - Number(b["ts"]) || Number(a["value"]) - Number(b["value"]);
}

interface Lag {
  readonly at: number;
  readonly end: number;
  readonly lag: number;
}

/**
 * What `kafka-consumer-groups --describe` shows of a topic of one partition. Its columns are GROUP TOPIC PARTITION CURRENT-OFFSET
 * LOG-END-OFFSET LAG and some that tell of members.
 */
async function lagOf(of: {
  readonly bootstrap: string;
  readonly group: string;
  readonly topic: string;
}): Promise<Lag | undefined> {
  const tool = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
  const { code, stdout, stderr } = await kafkaTool([
    tool,
    "--bootstrap-server",
    of.bootstrap,
    "--describe",
    "--group",
    of.group,
  ]);
  assert.equal(code, 0, stderr);
  const rows = stdout.split("\n").map((line) => line.trim().split(/\s+/));
  const row = rows.find(([group, topic]) => group === of.group && topic === of.topic);
  if (row === undefined) return undefined;
  const [at = 0, end = 0, lag = 0] = row.slice(3, 6).map(Number);
  return { at, end, lag };
}

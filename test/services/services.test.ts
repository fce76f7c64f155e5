// The command for services, and brokers and gateways of a test's own: real requests, kill -9, nothing left behind.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { GetObjectCommand, ListBucketsCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { type BaseOptions, Consumer, Producer, type SASLOptions } from "@platformatic/kafka";
import { type Kafka, kafkaTool, startKafka } from "../../services/kafka.ts";
import { startOf } from "../../services/process.ts";
import { startS3 } from "../../services/s3.ts";
import { readState } from "../../services/state.ts";
import { openSpark } from "../../src/adapters/spark/connect/session.ts";
import { temporaryFolder } from "../support/program.ts";
import { withoutServices } from "../support/services.ts";

const MAIN = resolve(import.meta.dirname, "../../services/main.ts");
const skip = await withoutServices("kafka", "s3");
const TOPIC = "iot.co2";

type Folder = Awaited<ReturnType<typeof temporaryFolder>>;

/** Runs the command in a folder; rejects with its exit code and output if that is not 0. */
async function services(folder: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args, "--folder", folder]);
  return stdout;
}

function clientOptions(bootstrap: string): BaseOptions {
  return { clientId: "test", bootstrapBrokers: [bootstrap], retries: 20, retryDelay: 200 };
}

async function produce(options: BaseOptions, values: readonly string[]): Promise<void> {
  const producer = new Producer({ ...options, acks: -1 });
  try {
    const messages = values.map((value) => ({ topic: TOPIC, partition: 0, value: Buffer.from(value) }));
    await producer.send({ messages });
  } finally {
    await producer.close();
  }
}

/** The values of partition 0, as many as are expected. */
async function consume(options: BaseOptions, count: number): Promise<readonly string[]> {
  const consumer = new Consumer({ ...options, groupId: `group-${count}` });
  try {
    const stream = await consumer.consume({ topics: [TOPIC], mode: "earliest", autocommit: false });
    const values: string[] = [];
    for await (const { value } of stream) {
      values.push(value.toString());
      if (values.length === count) break;
    }
    return values;
  } finally {
    await consumer.close(true);
  }
}

describe("the command", { skip }, () => {
  let folder: Folder;
  let env: Readonly<Record<string, string>> = {};
  let pids: readonly number[] = [];

  before(async () => {
    folder = await temporaryFolder();
    await services(folder.path, "up", "kafka", "s3");
    const lines = (await services(folder.path, "env")).trim().split("\n");
    env = Object.fromEntries(
      lines.map((line): [string, string] => {
        const [name = "", value = ""] = line.split("=", 2);
        return [name, value];
      }),
    );
    pids = ["kafka", "s3"].flatMap((name) => readState(join(folder.path, name))?.process?.pid ?? []);
  });
  after(async () => {
    await services(folder.path, "down");
    for (const pid of pids) assert.equal(startOf(pid), undefined, `process ${pid} is left`);
    await folder[Symbol.asyncDispose]();
  });

  test("env names the settings of what runs, on addresses of this machine only", () => {
    assert.deepEqual(Object.keys(env).toSorted(), [
      "AWS_ACCESS_KEY_ID",
      "AWS_DEFAULT_REGION",
      "AWS_ENDPOINT_URL_S3",
      "AWS_REGION",
      "AWS_SECRET_ACCESS_KEY",
      "KAFKA_BOOTSTRAP",
      "S3_ENDPOINT",
    ]);
    assert.match(env["KAFKA_BOOTSTRAP"]!, /^127\.0\.0\.1:\d+$/);
    assert.match(env["S3_ENDPOINT"]!, /^http:\/\/127\.0\.0\.1:\d+$/);
  });

  test("up for what already runs is no error and starts nothing", async () => {
    await services(folder.path, "up", "kafka", "s3");
    const now = ["kafka", "s3"].map((name) => readState(join(folder.path, name))?.process?.pid);
    assert.deepEqual(now, pids);
  });

  test("status says that both answer", async () => {
    const lines = (await services(folder.path, "status")).trim().split("\n");
    const states = new Map(lines.map((line) => [line.split("\t")[0], line.split("\t")[1]]));
    assert.deepEqual([states.get("kafka"), states.get("s3")], ["answers", "answers"]);
  });

  test("the broker has the topics of the sensor types, with 3 partitions and no end of retention", async () => {
    const tool = "org.apache.kafka.tools.TopicCommand";
    const { code, stdout, stderr } = await kafkaTool([
      tool,
      "--bootstrap-server",
      env["KAFKA_BOOTSTRAP"]!,
      "--describe",
    ]);
    assert.equal(code, 0, stderr);
    const topics = stdout.split("\n").filter((line) => line.includes("PartitionCount: 3"));
    assert.deepEqual(topics.map((line) => /Topic: (\S+)/.exec(line)?.[1] ?? "").toSorted(), [
      "iot.co2",
      "iot.humidity",
      "iot.luminosity",
      "iot.pir",
      "iot.temperature",
    ]);
    for (const line of topics) assert.match(line, /retention\.ms=-1/);
  });

  test("a message of Java's console producer is read by our client", async () => {
    const bootstrap = env["KAFKA_BOOTSTRAP"]!;
    const args = ["--bootstrap-server", bootstrap, "--topic", TOPIC];
    const sent = await kafkaTool(
      ["org.apache.kafka.tools.ConsoleProducer", ...args, "--reader-property", "parse.key=true"],
      { input: "413-co2\tsaid by Java\n" },
    );
    assert.equal(sent.code, 0, sent.stderr);
    assert.deepEqual(await consume(clientOptions(bootstrap), 1), ["said by Java"]);
  });

  test("the buckets are there, and only the right secret reaches them", async () => {
    await using mine = await clientOf(env["AWS_SECRET_ACCESS_KEY"]!);
    const { Buckets = [] } = await mine.client.send(new ListBucketsCommand({}));
    assert.deepEqual(Buckets.map(({ Name }) => Name ?? "").toSorted(), ["lake", "raw"]);
    await using foreign = await clientOf("not-the-secret");
    await assert.rejects(foreign.client.send(new ListBucketsCommand({})), { name: "SignatureDoesNotMatch" });
  });

  test("of 20 writers of one new object exactly one wins, and its bytes are read", async () => {
    await using mine = await clientOf(env["AWS_SECRET_ACCESS_KEY"]!);
    const { client } = mine;
    for (const round of [1, 2, 3, 4, 5]) {
      const Key = `races/${round}`;
      const puts = Array.from({ length: 20 }, async (_, writer) => {
        await client.send(
          new PutObjectCommand({ Bucket: "lake", Key, Body: `writer ${writer}`, IfNoneMatch: "*" }),
        );
        return writer;
      });
      const results = await Promise.allSettled(puts);
      const winners = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
      assert.equal(winners.length, 1);
      const { Body } = await client.send(new GetObjectCommand({ Bucket: "lake", Key }));
      assert.equal(await Body?.transformToString(), `writer ${winners[0]}`);
    }
  });

  test("an unknown name or action is an error that lists those there are", async () => {
    await assert.rejects(
      services(folder.path, "up", "kafak"),
      /no service named kafak; there are: kafka, s3/,
    );
    await assert.rejects(services(folder.path, "jump"), /no action named jump/);
  });

  async function clientOf(secret: string): Promise<{ client: S3Client } & AsyncDisposable> {
    const client = new S3Client({
      endpoint: env["S3_ENDPOINT"]!,
      region: env["AWS_REGION"]!,
      credentials: { accessKeyId: env["AWS_ACCESS_KEY_ID"]!, secretAccessKey: secret },
      forcePathStyle: true,
      maxAttempts: 1,
    });
    return { client, [Symbol.asyncDispose]: async () => client.destroy() };
  }
});

describe("a broker of a test's own", { skip }, () => {
  test("keeps every acknowledged message through kill -9, on the same port", async () => {
    await using folder = await temporaryFolder();
    await using broker = await startKafka({ folder: folder.path });
    const values = Array.from({ length: 500 }, (_, index) => `message ${index}`);
    await produce(clientOptions(broker.bootstrap), values);
    const { pid, bootstrap } = broker;
    await broker.kill("SIGKILL");
    assert.equal(startOf(pid), undefined);
    await broker.restart();
    assert.notEqual(broker.pid, pid);
    assert.equal(broker.bootstrap, bootstrap);
    assert.deepEqual(await consume(clientOptions(bootstrap), values.length), values);
  });

  test("asks for TLS and a password on its second listener, by SCRAM-SHA-512 or PLAIN", async () => {
    await using folder = await temporaryFolder();
    await using broker = await startKafka({ folder: folder.path, sasl: true, tls: true });
    await produce(secureOptions(broker, "SCRAM-SHA-512"), ["by SCRAM"]);
    await produce(secureOptions(broker, "PLAIN"), ["by PLAIN"]);
    assert.deepEqual(await consume(clientOptions(broker.bootstrap), 2), ["by SCRAM", "by PLAIN"]);
    const wrong = secureOptions(broker, "SCRAM-SHA-512", "not-the-password");
    await assert.rejects(produce({ ...wrong, retries: 0 }, ["never"]), (error: unknown) => {
      assert.match(causesOf(error), /authentication/i);
      return true;
    });
    const { tls: _, ...withoutTls } = secureOptions(broker, "PLAIN");
    await assert.rejects(
      produce({ ...withoutTls, retries: 0, connectTimeout: 2000, timeout: 2000 }, ["never"]),
    );
  });

  function secureOptions(
    { secure }: Kafka,
    mechanism: SASLOptions["mechanism"],
    password?: string,
  ): BaseOptions {
    const { bootstrap, username, caFile, password: right } = secure!;
    const tls = { ca: readFileSync(caFile!, "utf8") };
    return { ...clientOptions(bootstrap), tls, sasl: { mechanism, username, password: password ?? right } };
  }
});

describe("a gateway of a test's own", { skip }, () => {
  test("keeps every acknowledged object through kill -9, and stops answering while it is stopped", async () => {
    await using folder = await temporaryFolder();
    await using gateway = await startS3({ folder: folder.path, buckets: ["other"] });
    const { endpoint, region, credentials } = gateway;
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 });
    await client.send(new PutObjectCommand({ Bucket: "other", Key: "a/b", Body: "kept" }));
    await gateway.kill("SIGKILL");
    await assert.rejects(client.send(new GetObjectCommand({ Bucket: "other", Key: "a/b" })));
    await gateway.restart();
    const { Body } = await client.send(new GetObjectCommand({ Bucket: "other", Key: "a/b" }));
    assert.equal(await Body?.transformToString(), "kept");

    await gateway.kill("SIGSTOP");
    const patience = { abortSignal: AbortSignal.timeout(300) };
    await assert.rejects(client.send(new GetObjectCommand({ Bucket: "other", Key: "a/b" }), patience));
    await gateway.kill("SIGCONT");
    await client.send(new GetObjectCommand({ Bucket: "other", Key: "a/b" }));
    client.destroy();
    await gateway.kill("SIGSTOP");
    const { pid } = gateway;
    await gateway.stop();
    assert.equal(startOf(pid), undefined);
    assert.ok(existsSync(join(folder.path, "data/other")));
  });
});

describe("a cluster of Spark", { skip: await withoutServices("s3", "spark-cluster") }, () => {
  test("starts as a whole, runs tasks, reaches S3, and is ended by its ids", async () => {
    await using folder = await temporaryFolder();
    await services(folder.path, "up", "s3", "spark-cluster");
    const names = ["spark-master", "spark-worker-1", "spark-worker-2", "spark-driver"];
    const pids = names.map((name) => readState(join(folder.path, name))!.process!.pid);
    try {
      const status = await services(folder.path, "status");
      for (const name of names) {
        assert.match(status, new RegExp(`^${name}\\tanswers\\t127\\.0\\.0\\.1:`, "m"));
      }
      const [, remote = ""] = /^SPARK_REMOTE=(.*)$/m.exec(await services(folder.path, "env")) ?? [];
      await using session = await openSpark({ remote });
      await session.run(
        "insert overwrite directory 's3a://lake/cluster' using parquet select id from range(0, 1000, 1, 2)",
      );
      const { rows } = await session.query("select count(*) from parquet.`s3a://lake/cluster`");
      assert.deepEqual(rows, [[1000n]]);
    } finally {
      await services(folder.path, "down");
    }
    for (const pid of pids) assert.equal(startOf(pid), undefined, `process ${pid} is left`);
  });
});

function causesOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error instanceof AggregateError ? error.errors.map(causesOf).join("; ") : "";
  return `${error.message} ${inner} ${error.cause === undefined ? "" : causesOf(error.cause)}`;
}

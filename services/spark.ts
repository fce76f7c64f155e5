// Apache Spark for tests: one Spark Connect server with Delta, Kafka and S3A on 127.0.0.1, two threads, everything in its folder.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openSpark } from "../src/adapters/spark/connect/session.ts";
import { JAVA } from "./java.ts";
import { type Running, startService, type StartOptions } from "./running.ts";
import { type S3Access, s3AccessIn } from "./s3.ts";
import { addressOf, type Command, type Place, portOf, type Service } from "./service.ts";
import { type Conf, jvmOf, s3Conf, s3Env, sessionConf, warehouseOf } from "./spark-conf.ts";
import { DELTA_VERSION, SPARK_PACKAGES, SPARK_VERSION } from "./spark-packages.ts";

/** How to start a server for a test. */
export interface SparkOptions extends Omit<StartOptions, "ports"> {
  /** Default: a free one. */
  readonly port?: number;
  /** Settings of Spark beside those of the service, such as `spark.sql.shuffle.partitions`. */
  readonly conf?: Conf;
  /** The gateway of s3a://; default: the one whose folder `s3` is beside this one's, if there is one. */
  readonly s3?: S3Access;
}

/** A server of a test. */
export interface Spark extends Running {
  /** `sc://127.0.0.1:PORT`. */
  readonly remote: string;
  /** Where tables without a path are kept. */
  readonly warehouse: string;
}

const PROBE_MS_MAX = 30_000;

/** The server. */
export const spark: Service = sparkService({});

/** Starts a server of the caller's own, or finds the one that runs in the folder. */
export async function startSpark(options: SparkOptions): Promise<Spark> {
  return startConnect(sparkService(options), options);
}

/** Starts a service that is a Connect server. */
export async function startConnect(service: Service, options: SparkOptions): Promise<Spark> {
  const { port } = options;
  const running = await startService(service, {
    ...options,
    ...(port === undefined ? {} : { ports: { connect: port } }),
  });
  const { place } = running;
  return Object.assign(running, { remote: remoteOf(place), warehouse: warehouseOf(place) });
}

/** What a Connect server differs in. */
export interface ConnectKind extends Pick<SparkOptions, "conf" | "s3"> {
  readonly name: string;
  readonly title: string;
  /** Where its tasks run. */
  readonly master: (place: Place) => Conf;
  readonly follows: readonly string[];
}

/** A service that is a Connect server. */
export function connectService({ name, title, master, follows, conf = {}, s3 }: ConnectKind): Service {
  return {
    name,
    title,
    packages: SPARK_PACKAGES,
    needs: [JAVA],
    follows,
    portNames: ["connect"],
    prepare: async (place) =>
      commandOf(place, { ...master(place), ...conf }, s3 ?? s3AccessIn(join(place.folder, "../s3"))),
    probe,
    furnish: async () => undefined,
    settings: (place) => ({ SPARK_REMOTE: remoteOf(place) }),
  };
}

function sparkService({ conf, s3 }: Pick<SparkOptions, "conf" | "s3">): Service {
  return connectService({
    name: "spark",
    title: `Apache Spark ${SPARK_VERSION} (Connect, Delta ${DELTA_VERSION}, S3A)`,
    master: () => ({ "spark.master": "local[2]" }),
    follows: ["s3"],
    ...(conf === undefined ? {} : { conf }),
    ...(s3 === undefined ? {} : { s3 }),
  });
}

function commandOf(place: Place, conf: Conf, access: S3Access | undefined): Command {
  mkdirSync(warehouseOf(place), { recursive: true, mode: 0o700 });
  return jvmOf(place, {
    main: "org.apache.spark.sql.connect.service.SparkConnectServer",
    heap: "1g",
    conf: {
      "spark.app.name": "atrium-services",
      "spark.connect.grpc.binding.address": "127.0.0.1",
      "spark.connect.grpc.binding.port": String(portOf(place, "connect")),
      ...sessionConf(place),
      ...(access === undefined ? {} : s3Conf(access, place)),
      ...conf,
    },
    ...(access === undefined ? {} : { env: s3Env(access) }),
  });
}

/** Answers when there is somebody to run a task, too. */
async function probe(place: Place): Promise<void> {
  await using session = await openSpark({ remote: remoteOf(place), reconnectMsMax: 0 });
  await session.query("select count(*) from range(0, 2, 1, 2)", { timeoutMs: PROBE_MS_MAX });
}

function remoteOf(place: Place): string {
  return `sc://${addressOf(place, "connect")}`;
}

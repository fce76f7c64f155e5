// Apache Spark for tests: one Spark Connect server with Delta and Kafka on 127.0.0.1, two threads, everything in its folder.

import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openSpark } from "../src/adapters/spark/connect/session.ts";
import { folderOf, install, type Package } from "./install.ts";
import { javaOf, jarsOf, JAVA } from "./java.ts";
import { mustRun, type Program } from "./program.ts";
import { type Running, startService, type StartOptions } from "./running.ts";
import { addressOf, type Command, type Place, portOf, type Service } from "./service.ts";

/** How to start a server for a test. */
export interface SparkOptions extends Omit<StartOptions, "ports"> {
  /** Default: a free one. */
  readonly port?: number;
  /** Settings of Spark beside those of the service, such as `spark.sql.shuffle.partitions`. */
  readonly conf?: Readonly<Record<string, string>>;
  /** True: with the jars for s3a:// (558 MB more); default: as SPARK_S3A=1 says. */
  readonly s3a?: boolean;
}

/** A server of a test. */
export interface Spark extends Running {
  /** `sc://127.0.0.1:PORT`. */
  readonly remote: string;
  /** Where tables without a path are kept. */
  readonly warehouse: string;
}

/** The only version tried in which Connect, SQL parameters and Delta work in one server. */
const VERSION = "4.0.1";
const DELTA_VERSION = "4.4.0";
const DOWNLOAD_SECONDS_MAX = 900;
const PROBE_MS_MAX = 30_000;

const PIP: Program = {
  title: "Python's pip",
  command: "python3",
  versionArgs: ["-m", "pip", "--version"],
  versionMin: [22, 0],
  advice: "Install it (Debian: apt-get install python3-pip; macOS: brew install python).",
};

const TAR: Program = {
  title: "tar",
  command: "tar",
  versionArgs: ["--version"],
  versionMin: [1, 0],
  advice: "Install it.",
};

/** What Spark itself lacks: each alone, for the rest is among Spark's own jars. */
const ADDED = jarsOf(
  "spark-added",
  [
    { group: "org.apache.spark", artifact: "spark-sql-kafka-0-10_2.13", version: VERSION },
    { group: "org.apache.spark", artifact: "spark-token-provider-kafka-0-10_2.13", version: "4.0.0" },
    { group: "org.apache.kafka", artifact: "kafka-clients", version: "3.9.0" },
    { group: "org.apache.commons", artifact: "commons-pool2", version: "2.12.0" },
    { group: "io.delta", artifact: "delta-spark_4.0_2.13", version: DELTA_VERSION },
    { group: "io.delta", artifact: "delta-storage", version: DELTA_VERSION },
  ].map((artifact) => ({ ...artifact, isAlone: true })),
);

const PACKAGE: Package = {
  name: `spark-${VERSION}`,
  needs: [PIP, TAR, ...ADDED.needs],
  fill: async (folder) => {
    await fetchSpark(folder);
    const added = join(folder, "added");
    mkdirSync(added);
    await ADDED.fill(added);
  },
};

const S3A_JARS = jarsOf(`spark-${VERSION}-s3a`, [
  { group: "org.apache.hadoop", artifact: "hadoop-aws", version: "3.4.1", isAlone: true },
  { group: "software.amazon.awssdk", artifact: "bundle", version: "2.24.6", isAlone: true },
]);

const S3A_PACKAGE: Package = {
  name: S3A_JARS.name,
  needs: PACKAGE.needs,
  fill: async (folder) => {
    await install(PACKAGE, () => undefined);
    await S3A_JARS.fill(folder);
  },
};

/** The server; with the jars for s3a:// if SPARK_S3A=1. */
export const spark: Service = sparkService({});

/** Starts a server of the caller's own, or finds the one that runs in the folder. */
export async function startSpark(options: SparkOptions): Promise<Spark> {
  const { port } = options;
  const running = await startService(sparkService(options), {
    ...options,
    ...(port === undefined ? {} : { ports: { connect: port } }),
  });
  const { place } = running;
  return Object.assign(running, { remote: remoteOf(place), warehouse: warehouseOf(place) });
}

/** The server's own jar, which holds the definitions of its messages. It must have been installed. */
export function connectJar(): string {
  return join(folderOf(PACKAGE), "jars", `spark-connect_2.13-${VERSION}.jar`);
}

function sparkService({
  conf = {},
  s3a = process.env["SPARK_S3A"] === "1",
}: Pick<SparkOptions, "conf" | "s3a">): Service {
  const folders = [join(folderOf(PACKAGE), "jars"), join(folderOf(PACKAGE), "added")];
  if (s3a) folders.push(folderOf(S3A_PACKAGE));
  return {
    name: "spark",
    title: `Apache Spark ${VERSION} (Connect, Delta ${DELTA_VERSION}${s3a ? ", S3A" : ""})`,
    package: s3a ? S3A_PACKAGE : PACKAGE,
    needs: [JAVA],
    portNames: ["connect"],
    prepare: async (place) => commandOf(place, folders, { ...settingsOf(place), ...conf }),
    probe,
    furnish: async () => undefined,
    settings: (place) => ({ SPARK_REMOTE: remoteOf(place) }),
  };
}

/** The whole distribution is inside the source package on PyPI; only its jars are kept. */
async function fetchSpark(folder: string): Promise<void> {
  const options = { secondsMax: DOWNLOAD_SECONDS_MAX, cwd: folder };
  const only = ["--no-deps", "--no-binary", "pyspark", "--no-cache-dir"];
  await mustRun("python3", ["-m", "pip", "download", `pyspark==${VERSION}`, ...only, "-d", folder], options);
  const archive = join(folder, `pyspark-${VERSION}.tar.gz`);
  await mustRun("tar", ["xzf", archive, "--strip-components=2", `pyspark-${VERSION}/deps/jars`], options);
  rmSync(archive);
  if (!existsSync(join(folder, "jars", `spark-connect_2.13-${VERSION}.jar`))) {
    throw new Error(`the package pyspark ${VERSION} left no Spark Connect in ${folder}`);
  }
}

function commandOf(
  place: Place,
  folders: readonly string[],
  conf: Readonly<Record<string, string>>,
): Command {
  for (const folder of [warehouseOf(place), scratchOf(place)]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
  const memory = ["-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
  const settings = Object.entries(conf).map(([name, value]) => `-D${name}=${value}`);
  const classPath = folders.map((folder) => join(folder, "*")).join(":");
  const main = "org.apache.spark.sql.connect.service.SparkConnectServer";
  const opens = OPENED.flatMap((name) => ["--add-opens", `java.base/${name}=ALL-UNNAMED`]);
  const own = [`-Djava.io.tmpdir=${scratchOf(place)}`, `-Dderby.system.home=${place.folder}`];
  return {
    program: javaOf("java"),
    args: [...memory, ...opens, ...own, ...settings, "-cp", classPath, main],
    env: { SPARK_LOCAL_IP: "127.0.0.1", SPARK_LOCAL_DIRS: scratchOf(place) },
  };
}

/** Java's own packages that Spark reaches into: those of its JavaModuleOptions. */
const OPENED = [
  "java.lang",
  "java.lang.invoke",
  "java.lang.reflect",
  "java.io",
  "java.net",
  "java.nio",
  "java.util",
  "java.util.concurrent",
  "java.util.concurrent.atomic",
  "sun.nio.ch",
  "sun.nio.cs",
  "sun.security.action",
  "sun.util.calendar",
];

function settingsOf(place: Place): Readonly<Record<string, string>> {
  return {
    "spark.master": "local[2]",
    "spark.app.name": "atrium-services",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.connect.grpc.binding.port": String(portOf(place, "connect")),
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.warehouse.dir": warehouseOf(place),
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    // Delta spreads the files of a small table over 50 tasks: VACUUM DRY RUN took 98 s.
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.local.dir": scratchOf(place),
  };
}

async function probe(place: Place): Promise<void> {
  await using session = await openSpark({ remote: remoteOf(place), reconnectMsMax: 0 });
  await session.query("select 1", { timeoutMs: PROBE_MS_MAX });
}

function remoteOf(place: Place): string {
  return `sc://${addressOf(place, "connect")}`;
}

function warehouseOf({ folder }: Place): string {
  return join(folder, "warehouse");
}

function scratchOf({ folder }: Place): string {
  return join(folder, "scratch");
}

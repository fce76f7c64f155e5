// What Spark is made of: its own distribution, the jars that it lacks, S3A without the 558 MB bundle, and our LogStore.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { folderOf, type Package } from "./install.ts";
import { javaOf, JAVAC, jarsOf } from "./java.ts";
import { mustRun, type Program } from "./program.ts";

/** The only version tried in which Connect, SQL parameters and Delta work in one server. */
export const SPARK_VERSION = "4.0.1";
/** Of delta-spark and delta-storage. */
export const DELTA_VERSION = "4.4.0";
/** The class that commits to S3 by a conditional put. */
export const LOG_STORE = "atrium.spark.ConditionalPutLogStore";

const HADOOP_VERSION = "3.4.1";
/** Hadoop was built with 2.24.6, of which Maven Central lacks the transfer manager alone. */
const AWS_VERSION = "2.25.0";
const DOWNLOAD_SECONDS_MAX = 900;
const COMPILE_SECONDS_MAX = 120;
const LOG_STORE_SOURCE = join(import.meta.dirname, "logstore/ConditionalPutLogStore.java");
/** Its name tells the source: a changed one is compiled anew. */
const LOG_STORE_HASH = createHash("sha256").update(readFileSync(LOG_STORE_SOURCE)).digest("hex").slice(0, 12);

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
    { group: "org.apache.spark", artifact: "spark-sql-kafka-0-10_2.13", version: SPARK_VERSION },
    { group: "org.apache.spark", artifact: "spark-token-provider-kafka-0-10_2.13", version: "4.0.0" },
    { group: "org.apache.kafka", artifact: "kafka-clients", version: "3.9.0" },
    { group: "org.apache.commons", artifact: "commons-pool2", version: "2.12.0" },
    { group: "io.delta", artifact: "delta-spark_4.0_2.13", version: DELTA_VERSION },
    { group: "io.delta", artifact: "delta-storage", version: DELTA_VERSION },
  ].map((artifact) => ({ ...artifact, without: ["*"] })),
);

const DISTRIBUTION: Package = {
  name: `spark-${SPARK_VERSION}`,
  needs: [PIP, TAR, ...ADDED.needs],
  fill: async (folder) => {
    await fetchSpark(folder);
    const added = join(folder, "added");
    mkdirSync(added);
    await ADDED.fill(added);
  },
};

/** What of the AWS SDK is among Spark's own jars already. */
const AMONG_SPARKS = [
  "io.netty",
  "org.apache.httpcomponents",
  "org.slf4j",
  "commons-codec",
  "commons-logging",
];
const S3A_JARS = jarsOf(`spark-${SPARK_VERSION}-s3a-${AWS_VERSION}`, [
  { group: "org.apache.hadoop", artifact: "hadoop-aws", version: HADOOP_VERSION, without: ["*"] },
  // The committers of S3A for Parquet.
  {
    group: "org.apache.spark",
    artifact: "spark-hadoop-cloud_2.13",
    version: SPARK_VERSION,
    without: ["*"],
  },
  ...["s3", "s3-transfer-manager", "sts", "apache-client", "netty-nio-client"].map((artifact) => ({
    group: "software.amazon.awssdk",
    artifact,
    version: AWS_VERSION,
    without: AMONG_SPARKS,
  })),
]);

const LOG_STORE_JAR: Package = {
  name: `spark-${SPARK_VERSION}-logstore-${LOG_STORE_HASH}`,
  needs: [JAVAC],
  fill: async (folder) => {
    const classes = join(folder, "classes");
    const classPath = jarFolders([DISTRIBUTION, S3A_JARS]);
    const options = { secondsMax: COMPILE_SECONDS_MAX };
    const flags = ["-proc:none", "--release", "17", "-d", classes, "-cp", classPath];
    await mustRun(javaOf("javac"), [...flags, LOG_STORE_SOURCE], options);
    await mustRun(javaOf("jar"), ["cf", join(folder, "logstore.jar"), "-C", classes, "."], options);
    rmSync(classes, { recursive: true });
  },
};

/** All that a server needs, in the order in which it is installed. */
export const SPARK_PACKAGES: readonly Package[] = [DISTRIBUTION, S3A_JARS, LOG_STORE_JAR];

/** Spark's home: the folder with its own jars in `jars`. */
export function sparkHome(): string {
  return folderOf(DISTRIBUTION);
}

/** The class path of what Spark's own jars lack. */
export function addedClassPath(): string {
  return [join(sparkHome(), "added"), folderOf(S3A_JARS), folderOf(LOG_STORE_JAR)]
    .map((folder) => join(folder, "*"))
    .join(":");
}

/** The server's own jar, which holds the definitions of its messages. It must have been installed. */
export function connectJar(): string {
  return join(sparkHome(), "jars", `spark-connect_2.13-${SPARK_VERSION}.jar`);
}

function jarFolders(packages: readonly Package[]): string {
  return packages
    .flatMap((each) => [
      join(folderOf(each), "*"),
      join(folderOf(each), "jars/*"),
      join(folderOf(each), "added/*"),
    ])
    .join(":");
}

/** The whole distribution is inside the source package on PyPI; only its jars are kept. */
async function fetchSpark(folder: string): Promise<void> {
  const options = { secondsMax: DOWNLOAD_SECONDS_MAX, cwd: folder };
  const only = ["--no-deps", "--no-binary", "pyspark", "--no-cache-dir"];
  const named = `pyspark-${SPARK_VERSION}`;
  await mustRun(
    "python3",
    ["-m", "pip", "download", `pyspark==${SPARK_VERSION}`, ...only, "-d", folder],
    options,
  );
  const archive = join(folder, `${named}.tar.gz`);
  await mustRun("tar", ["xzf", archive, "--strip-components=2", `${named}/deps/jars`], options);
  rmSync(archive);
  if (!existsSync(join(folder, "jars", `spark-connect_2.13-${SPARK_VERSION}.jar`))) {
    throw new Error(`the package pyspark ${SPARK_VERSION} left no Spark Connect in ${folder}`);
  }
}

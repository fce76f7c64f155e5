// Spark's settings and command lines: what the single server, the cluster and spark-sql have in common.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { javaOf } from "./java.ts";
import type { S3Access } from "./s3.ts";
import type { Command, Place } from "./service.ts";
import { addedClassPath, LOG_STORE, sparkHome } from "./spark-packages.ts";

/** Settings by their names. */
export type Conf = Readonly<Record<string, string>>;

/** What a JVM of Spark is started with. */
export interface Jvm {
  readonly main: string;
  readonly args?: readonly string[];
  readonly conf?: Conf;
  /** As of -Xmx. */
  readonly heap: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** How a class of Spark is run in a place. */
export function jvmOf(
  place: Pick<Place, "folder">,
  { main, args = [], conf = {}, heap, env = {} }: Jvm,
): Command {
  const scratch = join(place.folder, "scratch");
  mkdirSync(scratch, { recursive: true, mode: 0o700 });
  const memory = [`-Xmx${heap}`, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
  const opens = OPENED.flatMap((name) => ["--add-opens", `java.base/${name}=ALL-UNNAMED`]);
  const own = [`-Djava.io.tmpdir=${scratch}`, `-Dderby.system.home=${place.folder}`];
  const settings = Object.entries(conf).map(([name, value]) => `-D${name}=${value}`);
  const classPath = `${join(sparkHome(), "jars/*")}:${addedClassPath()}`;
  return {
    program: javaOf("java"),
    args: [...memory, ...opens, ...own, ...settings, "-cp", classPath, main, ...args],
    env: { SPARK_LOCAL_IP: "127.0.0.1", SPARK_LOCAL_DIRS: scratch, SPARK_HOME: sparkHome(), ...env },
  };
}

/** Settings of every session: Delta, UTC, one dialect with DuckDB. Tables without a path are kept in `warehouse`. */
export function sessionConf({ folder }: Pick<Place, "folder">): Conf {
  return {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.local.dir": join(folder, "scratch"),
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.warehouse.dir": warehouseOf({ folder }),
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    // Delta spreads the files of a small table over 50 tasks: VACUUM DRY RUN took 98 s.
    "spark.databricks.delta.snapshotPartitions": "2",
  };
}

/** Settings that lead s3a:// (and s3://) to a gateway, and make Spark's own commits there safe. Credentials go by `s3Env`. */
export function s3Conf({ endpoint, region }: S3Access, { folder }: Pick<Place, "folder">): Conf {
  return {
    "spark.hadoop.fs.s3a.endpoint": endpoint,
    "spark.hadoop.fs.s3a.endpoint.region": region,
    "spark.hadoop.fs.s3a.path.style.access": "true",
    "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
    // Of the environment, and no session token that the caller may have for another store.
    "spark.hadoop.fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
    "spark.hadoop.fs.s3a.buffer.dir": join(folder, "scratch"),
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
    ...MAGIC_COMMITTER,
    ...LOG_STORES,
  };
}

/** The credentials as the environment of a driver: it hands them to its executors. Not on a command line, which all may read. */
export function s3Env({ credentials, region }: S3Access): Readonly<Record<string, string>> {
  return {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_REGION: region,
  };
}

/** Where tables without a path are kept. */
export function warehouseOf({ folder }: Pick<Place, "folder">): string {
  return join(folder, "warehouse");
}

/** Parquet that is not Delta's is uploaded to its place and completed by the driver, not copied there from a temporary name. */
const MAGIC_COMMITTER: Conf = {
  "spark.hadoop.fs.s3a.committer.name": "magic",
  "spark.sql.sources.commitProtocolClass": "org.apache.spark.internal.io.cloud.PathOutputCommitProtocol",
  "spark.sql.parquet.output.committer.class":
    "org.apache.spark.internal.io.cloud.BindingParquetOutputCommitter",
};

const LOG_STORES: Conf = {
  "spark.delta.logStore.s3a.impl": LOG_STORE,
  "spark.delta.logStore.s3.impl": LOG_STORE,
};

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

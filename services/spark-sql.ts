// spark-sql of the same distribution, as `bin/spark-sql` runs it: one process, statements in, lines of tab-separated values out.

import { mustRun } from "./program.ts";
import type { S3Access } from "./s3.ts";
import { s3Conf, s3Env, jvmOf, sessionConf } from "./spark-conf.ts";

/** Where it works. */
export interface SparkSqlOptions {
  /** For its scratch files. */
  readonly folder: string;
  /** The gateway of s3a://. */
  readonly s3?: S3Access;
}

const SECONDS_MAX = 600;

/** Runs statements one after the other; the lines of all their results. Spark must have been installed. @throws Error if one fails */
export async function sparkSql(
  statements: readonly string[],
  { folder, s3 }: SparkSqlOptions,
): Promise<readonly string[]> {
  const place = { folder };
  const { program, args, env } = jvmOf(place, {
    main: "org.apache.spark.sql.hive.thriftserver.SparkSQLCLIDriver",
    heap: "1g",
    conf: {
      "spark.master": "local[2]",
      // No database of Hive's beside the tables.
      "spark.sql.catalogImplementation": "in-memory",
      ...sessionConf(place),
      ...(s3 === undefined ? {} : s3Conf(s3, place)),
    },
    args: ["-S", "-e", statements.map((statement) => `${statement};`).join("\n")],
    ...(s3 === undefined ? {} : { env: s3Env(s3) }),
  });
  const { stdout } = await mustRun(program, args, {
    secondsMax: SECONDS_MAX,
    cwd: folder,
    ...(env === undefined ? {} : { env }),
  });
  return stdout.split("\n").filter((line) => line !== "");
}

// Doctor's look at the Spark server of SPARK_REMOTE: what it is, what it has, and whether it reaches the lake.

import type { Assembly } from "../../assemble.ts";
import { uniqueId } from "../../support/chance.ts";
import { isAtriumError } from "../../support/errors.ts";
import { isS3Url } from "../../support/s3-url.ts";
import type { CommandContext } from "../command.ts";
import { examine, failed, type Finding, plural } from "./finding.ts";

type SparkSession = Awaited<ReturnType<Assembly["spark"]>>;
type Found = Pick<Finding, "state" | "found">;

const LIMITS = { timeoutMs: 60_000 };
/** A clock that is further off than this makes times in logs hard to compare, ms. */
const CLOCK_MS_MAX = 2000;
const GUIDE = "See docs/operate/spark.md.";
const LOG_STORE = "ConditionalPutLogStore";

/** What Spark has and lacks, one finding each; none if SPARK_REMOTE is not set, one if the server does not answer. */
export async function examineSpark(context: CommandContext, assembly: Assembly): Promise<readonly Finding[]> {
  const { config } = context;
  if (config.engine.sparkRemote === undefined) return [];
  let session: SparkSession;
  let server: Found;
  try {
    session = await assembly.spark({ reconnectMsMax: 0 });
    server = await describeServer(context, session);
  } catch (error) {
    return [failed("spark", error)];
  }
  const conf = async (name: string): Promise<string> => (await session.settings([name])).get(name) ?? "";
  return [
    { what: "spark", ...server },
    await examine("spark, Delta", async () => describeDelta(await conf("spark.sql.extensions"))),
    await examine("spark, Kafka source", async () =>
      describeKafkaSource(session, config.log.kind === "kafka"),
    ),
    ...(isS3Url(config.lake.url)
      ? [
          await examine("spark, commits on S3", async () =>
            describeLogStore(await conf("spark.delta.logStore.s3a.impl")),
          ),
        ]
      : []),
    ...(await examineReach(session, assembly)),
  ];
}

async function describeServer({ config, clock }: CommandContext, session: SparkSession): Promise<Found> {
  const [version, timeZone] = (await rowOf(session, "select version(), current_timezone()")).map(textOf);
  // The first trip also made the connection and the session.
  const startMs = clock.monotonicMs();
  const [nowUs] = await rowOf(session, "select unix_micros(current_timestamp())");
  const tripMs = Math.ceil(clock.monotonicMs() - startMs);
  const offMs = Math.abs(Number(nowUs) / 1000 - clock.nowMs());
  const number = version?.replace(/ .*/, "") ?? "";
  const faults = versionFault(number);
  const warnings = [
    ...(timeZone === "UTC" ? [] : ["set spark.sql.session.timeZone=UTC"]),
    ...(offMs > CLOCK_MS_MAX + tripMs
      ? [`its clock is ${(offMs / 1000).toFixed(0)} s from ours: set both by NTP`]
      : []),
  ];
  const facts = [
    `${config.engine.sparkRemote}: Spark ${number}`,
    `time zone ${timeZone}`,
    `round trip ${tripMs} ms`,
    ...(faults === undefined ? [] : [faults.text]),
    ...warnings,
  ];
  return { state: faults?.state ?? (warnings.length > 0 ? "warn" : "ok"), found: facts.join(", ") };
}

/** What is known to be wrong with a version of Spark; undefined for those that were tried. */
export function versionFault(
  version: string,
): { readonly state: "warn" | "fail"; readonly text: string } | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major === 4 && minor === 0) return undefined;
  if (!(major >= 4)) {
    return { state: "fail", text: "too old: Atrium's SQL needs Spark 4, whose default is ANSI SQL" };
  }
  return {
    state: "fail",
    text: "known not to work: from 4.1 on Delta breaks SQL parameters (delta-io/delta#7640); use Spark 4.0",
  };
}

function describeDelta(extensions: string): Found {
  return extensions.includes("DeltaSparkSessionExtension")
    ? { state: "ok", found: "there" }
    : { state: "warn", found: `not there: set spark.sql.extensions. ${GUIDE}` };
}

/** A stream over it is only looked at: no broker is asked. */
async function describeKafkaSource(session: SparkSession, isNeeded: boolean): Promise<Found> {
  const options = { "kafka.bootstrap.servers": "127.0.0.1:1", subscribe: "none" };
  try {
    await session.createView(
      `atrium_probe_${uniqueId().replaceAll("-", "")}`,
      session.streamOf({ format: "kafka", options }),
    );
    return { state: "ok", found: "there" };
  } catch (error) {
    if (isAtriumError(error, "ENGINE_UNREACHABLE")) throw error;
    const found = `not there: add the jar spark-sql-kafka-0-10 and what it needs. ${GUIDE}`;
    return { state: isNeeded ? "fail" : "ok", found };
  }
}

function describeLogStore(name: string): Found {
  if (name.endsWith(LOG_STORE)) return { state: "ok", found: `by a conditional put (${name})` };
  const danger = "Spark's own writes to this lake can overwrite a commit of another writer; Atrium's cannot";
  const advice = `Before you write with Spark's SQL set spark.delta.logStore.s3a.impl to ${LOG_STORE}`;
  return { state: "warn", found: `${danger}. ${advice}. ${GUIDE}` };
}

/** Spark reads what we wrote, and we read what it wrote. */
async function examineReach(session: SparkSession, assembly: Assembly): Promise<readonly Finding[]> {
  try {
    const lake = await assembly.lake({ create: false });
    const root = sparkUrl(lake.store.url);
    const read = await examine("spark, reads the lake", async () => {
      const snapshot = await lake.table("bronze/readings").snapshot();
      const [file] = snapshot?.files.values() ?? [];
      if (file === undefined) return "nothing in bronze to read yet";
      const path = `${root}/bronze/readings/${decodeURIComponent(file.path)}`;
      const [count] = await rowOf(session, `select count(*) from parquet.${quoted(path)}`);
      return `a file of bronze, ${plural(Number(count), "row")}`;
    });
    const written = await examine("spark, writes the lake", async () => {
      const folder = `_atrium/probe/${uniqueId()}`;
      try {
        const into = `'${`${root}/${folder}`.replaceAll("'", "''")}'`;
        await session.run(`insert overwrite directory ${into} using parquet select 1 as probe`, LIMITS);
        const objects = await lake.store.list(`${folder}/`);
        const files = objects.filter(({ path }) => path.endsWith(".parquet"));
        if (files.length > 0) return "a file of its own, which was there for us too";
        const found = `it wrote to ${root}/${folder}, and nothing is there: it sees another place by that name`;
        return { state: "fail", found };
      } finally {
        await lake.store.delete((await lake.store.list(`${folder}/`)).map(({ path }) => path));
      }
    });
    return [read, written];
  } catch (error) {
    // That there is no lake, or none that can be opened, is a finding of its own.
    if (isAtriumError(error)) return [];
    throw error;
  }
}

/** As Spark names the place: S3A, or a folder that it must see too. */
function sparkUrl(url: string): string {
  return url.replace(/^s3:/, "s3a:").replace(/\/$/, "");
}

async function rowOf(session: SparkSession, sql: string): Promise<readonly unknown[]> {
  return (await session.query(sql, LIMITS)).rows[0] ?? [];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "unknown";
}

function quoted(path: string): string {
  return `\`${path.replaceAll("`", "``")}\``;
}

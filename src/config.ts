// The configuration: one frozen object, made once at the start from flags, environment, .env and defaults.

import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import type { BronzePartitionColumn, Shard } from "./config/kinds.ts";
import type { SettingValues } from "./config/settings.ts";
import { resolveSettings, type SettingProblem, type Sources } from "./config/values.ts";
import type { KafkaAccess } from "./log/kafka-access.ts";
import type { SensorType } from "./reading/terms.ts";
import { AtriumError, systemCode } from "./support/errors.ts";
import type { LogFormat, LogLevel } from "./support/logger.ts";
import { isS3Url } from "./support/s3-url.ts";
import type { Secret } from "./support/secret.ts";

/** All settings, checked, with their units in their names. The table in config/settings.ts explains each. */
export interface Config {
  readonly source: {
    /** Folder of raw files, absolute, or its address on S3; the commands that read it name SOURCE_URL in `needs`. */
    readonly url: string | undefined;
    /** Only these rooms; empty means all. */
    readonly rooms: readonly string[];
    readonly sensorTypes: readonly SensorType[];
  };
  readonly replay: {
    readonly mode: "rate" | "timewarp" | "max";
    readonly messagesPerSecond: number;
    readonly timewarpFactor: number;
    readonly progressEverySeconds: number;
  };
  readonly log: {
    readonly kind: "embedded" | "kafka";
    /** File of the embedded log, absolute; undefined if the lake is on S3 and none is named. */
    readonly path: string | undefined;
    readonly sizeMbMax: number;
    readonly ageHoursMax: number;
    readonly topics: Readonly<Record<SensorType, string>>;
    /** Partitions of a topic that is made. */
    readonly partitions: number;
  };
  /** `bootstrap` is empty if none is given. */
  readonly kafka: KafkaAccess & {
    readonly acks: "all" | "1" | "0";
    readonly lingerMs: number;
    readonly batchBytesMax: number;
    readonly compression: "none" | "gzip" | "snappy" | "lz4" | "zstd";
    /** Copies of a topic that is made; undefined means the cluster's default. */
    readonly replication: number | undefined;
    readonly group: string | undefined;
  };
  /** The share of the partitions that this process ingests. */
  readonly ingestShard: Shard;
  readonly lake: {
    /** Folder of the lake, absolute, or its address on S3. */
    readonly url: string;
    readonly batchSecondsMax: number;
    readonly batchRowsMax: number;
    readonly bronzePartitionBy: readonly BronzePartitionColumn[];
    /** 0 means by the schedule. */
    readonly goldEverySeconds: number;
    /** Cron expression, UTC. */
    readonly goldSchedule: string;
    readonly goldDelaySeconds: number;
  };
  readonly upkeep: {
    /** 0 means never. */
    readonly everySeconds: number;
    readonly compactTargetMb: number;
    readonly vacuumGraceHours: number;
    /** Days kept before the newest; undefined keeps all. */
    readonly bronzeDays: number | undefined;
    readonly rejectedDays: number | undefined;
    readonly silverDays: number | undefined;
    readonly goldDays: number | undefined;
  };
  readonly s3: {
    readonly accessKeyId: string | undefined;
    readonly secretAccessKey: Secret | undefined;
    readonly region: string | undefined;
    readonly endpoint: string | undefined;
    readonly sessionToken: Secret | undefined;
    readonly pathStyle: boolean;
    readonly caFile: string | undefined;
    readonly sse: "none" | "AES256" | "aws:kms";
    readonly sseKmsKeyId: string | undefined;
    readonly checksums: "always" | "required";
  };
  readonly cache: {
    /** Absolute. */
    readonly folder: string;
    readonly mbMax: number;
  };
  readonly engine: {
    readonly kind: "duckdb" | "spark";
    /** There if `kind` is spark. */
    readonly sparkRemote: string | undefined;
    readonly memoryMb: number;
    /** 0 means one for each core. */
    readonly threads: number;
  };
  readonly building: {
    /** IANA name. */
    readonly timeZone: string;
  };
  readonly api: {
    readonly host: string;
    /** 0 means any free port. */
    readonly port: number;
    /** Of the commands without an API; undefined means none. */
    readonly metricsPort: number | undefined;
    /** Empty means that no key is needed. */
    readonly keys: readonly Secret[];
    readonly queryTimeoutSeconds: number;
  };
  readonly logging: {
    readonly level: LogLevel;
    readonly format: LogFormat;
  };
}

/**
 * Makes the configuration. Pure: the same sources give the same configuration. Every problem is a line of the error's
 * message and an item of its `details.problems`.
 * @throws CONFIG_INVALID for a wrong or unknown variable
 * @throws USAGE_INVALID if flags alone are wrong
 */
export function loadConfig(sources: Sources): Config {
  const { values, problems } = resolveSettings(sources);
  failIfAny(problems);
  const config = configFrom(values, sources);
  failIfAny(contradictions(config));
  return deepFreeze(config);
}

/** What loadConfig needs from the process: its environment, folder and `.env` file. @throws CONFIG_INVALID if .env cannot be read */
export function processSources(): Sources {
  const cwd = process.cwd();
  return { cwd, home: homedir(), env: process.env, envFileText: readEnvFileText(join(cwd, ".env")) };
}

/** The configuration as lines such as `lake.url = …`; secrets are `***`. */
export function describeConfig(config: Config): readonly { readonly name: string; readonly value: string }[] {
  return Object.entries<object>({ ...config }).flatMap(([section, fields]) =>
    Object.entries<unknown>({ ...fields }).map(([field, value]) => ({
      name: `${section}.${field}`,
      value: shown(value),
    })),
  );
}

function configFrom(values: SettingValues, sources: Sources): Config {
  return {
    source: { url: values.SOURCE_URL, rooms: values.ROOMS ?? [], sensorTypes: values.SENSORS },
    replay: {
      mode: values.REPLAY_MODE,
      messagesPerSecond: values.RATE_MSG_PER_SEC,
      timewarpFactor: values.TIMEWARP_FACTOR,
      progressEverySeconds: values.PROGRESS_EVERY,
    },
    log: {
      kind: values.LOG,
      path:
        values.LOG_PATH ?? (isS3Url(values.LAKE_URL) ? undefined : join(values.LAKE_URL, "_log", "log.db")),
      sizeMbMax: values.LOG_MAX_MB,
      ageHoursMax: values.LOG_MAX_AGE_HOURS,
      topics: {
        co2: values.TOPIC_CO2,
        humidity: values.TOPIC_HUMIDITY,
        luminosity: values.TOPIC_LUMINOSITY,
        pir: values.TOPIC_PIR,
        temperature: values.TOPIC_TEMPERATURE,
      },
      partitions: values.TOPIC_PARTITIONS,
    },
    kafka: kafkaFrom(values),
    ingestShard: values.INGEST_SHARD,
    lake: {
      url: values.LAKE_URL,
      batchSecondsMax: values.BATCH_SECONDS,
      batchRowsMax: values.BATCH_ROWS,
      bronzePartitionBy: values.BRONZE_PARTITION_BY,
      goldEverySeconds: values.GOLD_EVERY_SECONDS,
      goldSchedule: values.GOLD_SCHEDULE,
      goldDelaySeconds: values.GOLD_DELAY_SECONDS,
    },
    upkeep: {
      everySeconds: values.UPKEEP_EVERY_SECONDS,
      compactTargetMb: values.COMPACT_TARGET_MB,
      vacuumGraceHours: values.VACUUM_GRACE_HOURS,
      bronzeDays: values.RETENTION_BRONZE_DAYS,
      rejectedDays: values.RETENTION_REJECTED_DAYS,
      silverDays: values.RETENTION_SILVER_DAYS,
      goldDays: values.RETENTION_GOLD_DAYS,
    },
    s3: s3From(values),
    cache: { folder: values.CACHE_DIR ?? userCacheFolder(sources), mbMax: values.CACHE_MB },
    engine: {
      kind: values.ENGINE,
      sparkRemote: values.SPARK_REMOTE,
      memoryMb: values.ENGINE_MEMORY_MB,
      threads: values.ENGINE_THREADS,
    },
    building: { timeZone: values.BUILDING_TIMEZONE },
    api: {
      host: values.API_HOST,
      port: values.API_PORT,
      metricsPort: values.METRICS_PORT,
      keys: values.API_KEYS ?? [],
      queryTimeoutSeconds: values.QUERY_TIMEOUT_SECONDS,
    },
    logging: { level: values.LOG_LEVEL, format: values.LOG_FORMAT },
  };
}

function kafkaFrom(values: SettingValues): Config["kafka"] {
  return {
    bootstrap: values.KAFKA_BOOTSTRAP ?? [],
    acks: values.ACKS === "-1" ? "all" : values.ACKS,
    lingerMs: values.LINGER_MS,
    batchBytesMax: values.BATCH_SIZE,
    security: values.KAFKA_SECURITY,
    saslMechanism: values.KAFKA_SASL_MECHANISM,
    username: values.KAFKA_USERNAME,
    password: values.KAFKA_PASSWORD,
    caFile: values.KAFKA_CA_FILE,
    certFile: values.KAFKA_CERT_FILE,
    keyFile: values.KAFKA_KEY_FILE,
    compression: values.KAFKA_COMPRESSION,
    replication: values.KAFKA_REPLICATION,
    group: values.KAFKA_GROUP,
  };
}

function s3From(values: SettingValues): Config["s3"] {
  const { S3_ENDPOINT: endpoint, S3_PATH_STYLE: pathStyle } = values;
  return {
    accessKeyId: values.AWS_ACCESS_KEY_ID,
    secretAccessKey: values.AWS_SECRET_ACCESS_KEY,
    sessionToken: values.AWS_SESSION_TOKEN,
    region: values.AWS_DEFAULT_REGION,
    endpoint,
    pathStyle: pathStyle === "auto" ? endpoint !== undefined : pathStyle === "on",
    caFile: values.S3_CA_FILE,
    sse: values.S3_SSE,
    sseKmsKeyId: values.S3_SSE_KMS_KEY_ID,
    checksums: values.S3_CHECKSUMS,
  };
}

/** What is wrong between settings that are right one by one. */
function contradictions(config: Config): readonly SettingProblem[] {
  const lines: string[] = [];
  if (config.source.url === config.lake.url) {
    lines.push(`SOURCE_URL and LAKE_URL are both ${config.lake.url}: the lake needs a folder of its own.`);
  }
  const topics = Object.values(config.log.topics);
  const twice = topics.find((topic, index) => topics.indexOf(topic) !== index);
  if (twice !== undefined) {
    lines.push(`Two sensor types have the topic ${twice}: each needs its own (TOPIC_…).`);
  }
  if (config.engine.kind === "spark" && config.engine.sparkRemote === undefined) {
    lines.push("ENGINE=spark needs SPARK_REMOTE: name the Spark Connect server, sc://host:15002.");
  }
  if (config.log.kind === "kafka") lines.push(...kafkaContradictions(config.kafka));
  const { accessKeyId, secretAccessKey, sse, sseKmsKeyId } = config.s3;
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    lines.push("Of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY one is set: give both or neither.");
  }
  if (sseKmsKeyId !== undefined && sse !== "aws:kms") {
    lines.push(`S3_SSE_KMS_KEY_ID is set, but S3_SSE is ${sse}: set it to aws:kms.`);
  }
  return lines.map((line) => ({ line, isFlag: false }));
}

function kafkaContradictions(kafka: Config["kafka"]): readonly string[] {
  const { bootstrap, acks, security, username, password, certFile, keyFile } = kafka;
  const lines: string[] = [];
  if (bootstrap.length === 0) {
    lines.push("LOG=kafka needs KAFKA_BOOTSTRAP: give the brokers to ask first, host:port.");
  }
  const portless = bootstrap.find((broker) => !/:\d{1,5}$/.test(broker));
  if (portless !== undefined) lines.push(`KAFKA_BOOTSTRAP: ${portless} has no port: write host:port.`);
  if (acks !== "all") {
    lines.push(`ACKS=${acks} would lose messages when a broker fails: LOG=kafka needs ACKS=all.`);
  }
  if (security.startsWith("sasl") && (username === undefined || password === undefined)) {
    lines.push(`KAFKA_SECURITY=${security} needs a login: set KAFKA_USERNAME and KAFKA_PASSWORD.`);
  }
  if ((certFile === undefined) !== (keyFile === undefined)) {
    lines.push("KAFKA_CERT_FILE and KAFKA_KEY_FILE belong together: set both or neither.");
  }
  return lines;
}

function userCacheFolder({ env = {}, cwd, home = cwd }: Sources): string {
  const given = env["XDG_CACHE_HOME"];
  const usual = process.platform === "darwin" ? join(home, "Library", "Caches") : join(home, ".cache");
  return join(given !== undefined && isAbsolute(given) ? given : usual, "atrium");
}

function failIfAny(problems: readonly SettingProblem[]): void {
  if (problems.length === 0) return;
  const lines = problems.map((problem) => problem.line);
  const code = problems.every((problem) => problem.isFlag) ? "USAGE_INVALID" : "CONFIG_INVALID";
  throw new AtriumError(code, lines.join("\n"), { details: { problems: lines } });
}

function readEnvFileText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return "";
    throw new AtriumError(
      "CONFIG_INVALID",
      `.env cannot be read (${systemCode(error)}): check its permissions.`,
      {
        cause: error,
      },
    );
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}

function shown(value: unknown): string {
  if (value === undefined) return "(not set)";
  return typeof value === "string" ? value : JSON.stringify(value);
}

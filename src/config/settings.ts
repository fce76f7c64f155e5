// Every setting of Atrium as data: the loader, the flags, --help, .env.example and doctor all read this table.

import { SENSOR_TRAITS, SENSOR_TYPES } from "../reading/terms.ts";
import * as kinds from "./kinds.ts";

/** The parts of .env.example, in order. */
export const SECTIONS = {
  source: "Where the readings come from",
  replay: "How they are replayed",
  log: "The log between replay and bronze",
  kafka: "Apache Kafka (used when LOG=kafka)",
  lake: "The lake and how it is filled",
  upkeep: "How the lake is kept small and quick (atrium upkeep, and up in the background)",
  s3: "S3 (used when the lake or the raw files are on S3)",
  cache: "Local space of a lake that is on S3",
  engine: "The engine that transforms and answers",
  building: "The building",
  api: "The HTTP API",
  logging: "What Atrium says about itself",
} as const;

/** A value that can be given: how it is read, what it is without being given, what it is for. */
export interface Setting<T> {
  readonly kind: kinds.Kind<T>;
  /** As text; without one the value is undefined. */
  readonly default?: string;
  /** One sentence. */
  readonly doc: string;
}

/** A setting with its place in the table. */
export interface TableSetting<T> extends Setting<T> {
  readonly section: keyof typeof SECTIONS;
  /** Name of the flag without `--`, where it is not the name in kebab case. */
  readonly flag?: string;
  /** Another name of the variable. */
  readonly alias?: string;
  /** What holds without a value, where the default depends on other settings. */
  readonly defaultNote?: string;
  /** True: never shown, and never a flag (other users of a machine see flags). */
  readonly isSecret?: true;
}

/** The settings of one section: `given` for those with a default, `optional` for those without. */
function settingsOf(section: TableSetting<unknown>["section"]) {
  return {
    given: <T>(kind: kinds.Kind<T>, fallback: string, doc: string): TableSetting<T> => ({
      kind,
      section,
      default: fallback,
      doc,
    }),
    optional: <T>(kind: kinds.Kind<T>, doc: string): TableSetting<T | undefined> => ({ kind, section, doc }),
  };
}

const source = settingsOf("source");
const replay = settingsOf("replay");
const log = settingsOf("log");
const kafka = settingsOf("kafka");
const lake = settingsOf("lake");
const upkeep = settingsOf("upkeep");
const s3 = settingsOf("s3");
const cache = settingsOf("cache");
const engine = settingsOf("engine");
const building = settingsOf("building");
const api = settingsOf("api");
const logging = settingsOf("logging");

const keepDays = (doc: string): TableSetting<number | undefined> => ({
  ...upkeep.optional(kinds.integer(1, 36_525), doc),
  defaultNote: "for ever",
});

/** All settings by the name of their environment variable. */
export const SETTINGS = {
  SOURCE_URL: {
    ...source.optional(
      kinds.folderOrS3,
      "Folder of raw files, <room>/<type>.csv or .csv.gz; also s3://bucket/prefix.",
    ),
    flag: "raw",
  },
  ROOMS: {
    ...source.optional(kinds.list(kinds.room, kinds.room.allowed), "Only these rooms."),
    defaultNote: "all rooms",
  },
  SENSORS: source.given(kinds.sensorTypes, SENSOR_TYPES.join(","), "Only these sensor types."),

  REPLAY_MODE: replay.given(
    kinds.choice(["rate", "timewarp", "max"]),
    "rate",
    "Pace: rate sends RATE_MSG_PER_SEC evenly, timewarp keeps the distances between readings divided by TIMEWARP_FACTOR, max goes as fast as it can.",
  ),
  RATE_MSG_PER_SEC: replay.given(
    kinds.decimal(0.01, 1_000_000),
    "1000",
    "Messages a second when REPLAY_MODE=rate.",
  ),
  TIMEWARP_FACTOR: replay.given(
    kinds.decimal(0.01, 1_000_000),
    "60",
    "How many times faster than it was measured when REPLAY_MODE=timewarp: 60 makes an hour a minute.",
  ),
  PROGRESS_EVERY: replay.given(
    kinds.integer(1, 86_400),
    "10",
    "Seconds between two progress lines where there is no terminal.",
  ),

  LOG: log.given(
    kinds.choice(["embedded", "kafka"]),
    "embedded",
    "The log: embedded is one SQLite file, kafka a cluster (KAFKA_BOOTSTRAP).",
  ),
  LOG_PATH: {
    ...log.optional(kinds.file, "File of the embedded log."),
    defaultNote: "_log/log.db in the lake; needed when the lake is on S3",
  },
  LOG_MAX_MB: log.given(
    kinds.integer(16, 16_777_216),
    "4096",
    "Largest size of the embedded log in MB; what bronze has not committed is never deleted, so a full log makes replay wait.",
  ),
  LOG_MAX_AGE_HOURS: log.given(
    kinds.integer(1, 87_600),
    "168",
    "Messages that bronze has committed are deleted after this many hours.",
  ),
  TOPIC_CO2: log.given(kinds.topic, SENSOR_TRAITS.co2.topic, "Topic of the CO2 readings."),
  TOPIC_HUMIDITY: log.given(kinds.topic, SENSOR_TRAITS.humidity.topic, "Topic of the humidity readings."),
  TOPIC_LUMINOSITY: {
    ...log.given(kinds.topic, SENSOR_TRAITS.luminosity.topic, "Topic of the luminosity readings."),
    alias: "TOPIC_LIGHT",
  },
  TOPIC_PIR: log.given(kinds.topic, SENSOR_TRAITS.pir.topic, "Topic of the motion readings."),
  TOPIC_TEMPERATURE: log.given(
    kinds.topic,
    SENSOR_TRAITS.temperature.topic,
    "Topic of the temperature readings.",
  ),
  TOPIC_PARTITIONS: log.given(kinds.integer(1, 1_024), "3", "Partitions of a topic that does not exist yet."),

  KAFKA_BOOTSTRAP: kafka.optional(kinds.list(kinds.host, "host:port"), "Brokers to ask first, host:port."),
  ACKS: kafka.given(
    kinds.choice(["all", "1", "0", "-1"]),
    "all",
    "Brokers that must have a message before it counts as sent; -1 means all.",
  ),
  LINGER_MS: kafka.given(kinds.integer(0, 60_000), "5", "How long a batch may wait for more messages, ms."),
  BATCH_SIZE: kafka.given(
    kinds.integer(1, 67_108_864),
    "131072",
    "Largest batch that is sent to a partition, bytes before compression.",
  ),
  KAFKA_SECURITY: kafka.given(
    kinds.choice(["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]),
    "plaintext",
    "How the brokers are reached: with TLS (ssl), with a login (sasl), with both or neither.",
  ),
  KAFKA_SASL_MECHANISM: kafka.given(
    kinds.choice(["scram-sha-512", "scram-sha-256", "plain"]),
    "scram-sha-512",
    "How the login is shown when KAFKA_SECURITY has sasl.",
  ),
  KAFKA_USERNAME: kafka.optional(kinds.text("NAME"), "User of the login."),
  KAFKA_PASSWORD: { ...kafka.optional(kinds.secretText(), "Password of the login."), isSecret: true },
  KAFKA_CA_FILE: {
    ...kafka.optional(kinds.file, "Certificates to trust when KAFKA_SECURITY has ssl, PEM."),
    defaultNote: "those that Node trusts",
  },
  KAFKA_CERT_FILE: kafka.optional(kinds.file, "Own certificate, where the brokers ask for one, PEM."),
  KAFKA_KEY_FILE: kafka.optional(kinds.file, "Key of the own certificate, PEM."),
  KAFKA_COMPRESSION: kafka.given(
    kinds.choice(["lz4", "zstd", "gzip", "snappy", "none"]),
    "lz4",
    "How batches that are sent are compressed; all of these are read.",
  ),
  KAFKA_REPLICATION: {
    ...kafka.optional(kinds.integer(1, 100), "Copies of a topic that is made."),
    defaultNote: "what the cluster says (default.replication.factor)",
  },
  KAFKA_GROUP: kafka.optional(
    kinds.text("GROUP"),
    "Group to which the positions of bronze are published too, for tools that show lag.",
  ),
  INGEST_SHARD: kafka.given(
    kinds.shard,
    "0/1",
    "Which share of the partitions this process ingests, i/n: those whose number modulo n is i; each of n processes takes another i.",
  ),

  LAKE_URL: {
    ...lake.given(
      kinds.folderOrS3,
      "./lake",
      "Folder of the lake, made when it is missing; also s3://bucket/prefix, whose bucket must be there.",
    ),
    flag: "lake",
  },
  BATCH_SECONDS: lake.given(
    kinds.decimal(0.1, 3_600),
    "10",
    "A batch is committed to bronze when it is this many seconds old …",
  ),
  BATCH_ROWS: lake.given(kinds.integer(1, 10_000_000), "1000000", "… or has this many rows."),
  BRONZE_PARTITION_BY: lake.given(
    kinds.partitionColumns,
    kinds.BRONZE_PARTITION_COLUMNS.join(","),
    "Columns that bronze is partitioned by when it is made; event_date alone makes fewer, larger files.",
  ),
  GOLD_EVERY_SECONDS: lake.given(
    kinds.decimal(0, 86_400),
    "0",
    "How often `up` makes gold for all days that changed, the one that is still going on too, seconds; 0: GOLD_SCHEDULE holds.",
  ),
  GOLD_SCHEDULE: lake.given(
    kinds.cron,
    "* * * * *",
    "When `up` makes gold for the days that are over, each once and again only for late readings; it looks at its start too, for what it has missed.",
  ),
  GOLD_DELAY_SECONDS: lake.given(
    kinds.decimal(0, 86_400),
    "600",
    "A day is over when readings from so long after its end are in silver, or when none has come for so long after its end, seconds.",
  ),

  UPKEEP_EVERY_SECONDS: upkeep.given(
    kinds.decimal(0, 86_400),
    "300",
    "How often `up` looks after the tables, seconds; 0 leaves it to `atrium upkeep`.",
  ),
  COMPACT_TARGET_MB: upkeep.given(
    kinds.integer(1, 4_096),
    "256",
    "Small data files are merged into files of about this size, MB.",
  ),
  VACUUM_GRACE_HOURS: {
    ...upkeep.given(
      kinds.decimal(0.1, 168),
      "168",
      "Data files that no longer belong to a table are kept this many hours for readers of older versions.",
    ),
    flag: "grace-hours",
  },
  RETENTION_BRONZE_DAYS: keepDays("bronze/readings keeps its newest day and this many days before it."),
  RETENTION_REJECTED_DAYS: keepDays("bronze/rejected keeps what came in today and this many days before."),
  RETENTION_SILVER_DAYS: keepDays("silver/readings keeps its newest day and this many days before it."),
  RETENTION_GOLD_DAYS: keepDays("The gold tables keep their newest day and this many days before it."),

  AWS_ACCESS_KEY_ID: {
    ...s3.optional(kinds.text("ID"), "Access key of the S3 store."),
    defaultNote: "as the AWS tools find it: profile, role, container, machine",
  },
  AWS_SECRET_ACCESS_KEY: {
    ...s3.optional(kinds.secretText(), "Secret key of the S3 store."),
    isSecret: true,
  },
  AWS_SESSION_TOKEN: {
    ...s3.optional(kinds.secretText(), "Token that goes with temporary keys."),
    isSecret: true,
  },
  AWS_DEFAULT_REGION: {
    ...s3.optional(
      kinds.text("REGION", { pattern: /^[a-z0-9-]{1,64}$/, allowed: "a region such as eu-west-1" }),
      "Region of the S3 store.",
    ),
    alias: "AWS_REGION",
    defaultNote: "that of the profile; us-east-1 with S3_ENDPOINT",
  },
  S3_ENDPOINT: {
    ...s3.optional(kinds.httpUrl, "Address of a store that speaks S3 but is not AWS."),
    alias: "AWS_ENDPOINT_URL_S3",
  },
  S3_PATH_STYLE: s3.given(
    kinds.choice(["auto", "on", "off"]),
    "auto",
    "Buckets in the path of the address, not in its host name; auto: on with S3_ENDPOINT.",
  ),
  S3_CA_FILE: s3.optional(kinds.file, "PEM file of the authority that signed the store's certificate."),
  S3_SSE: s3.given(
    kinds.choice(["none", "AES256", "aws:kms"]),
    "none",
    "Encryption that the store is asked for; none leaves it to the bucket.",
  ),
  S3_SSE_KMS_KEY_ID: s3.optional(
    kinds.text("KEY"),
    "Key of S3_SSE=aws:kms, where it is not the default one.",
  ),
  S3_CHECKSUMS: s3.given(
    kinds.choice(["always", "required"]),
    "always",
    "Checksums of all bodies, or only where S3 requires them, for stores that know no others.",
  ),

  CACHE_DIR: {
    ...cache.optional(
      kinds.folder,
      "Folder for copies of the data files of a lake on S3 and for scratch files; processes may share it.",
    ),
    defaultNote: "atrium in the user's cache folder",
  },
  CACHE_MB: cache.given(
    kinds.integer(64, 16_777_216),
    "10240",
    "Copies beyond this are removed, those unused for longest first, MB.",
  ),

  ENGINE: engine.given(kinds.choice(["duckdb", "spark"]), "duckdb", "What makes tables from tables."),
  SPARK_REMOTE: engine.optional(
    kinds.text("URL", { pattern: /^sc:\/\/[^\s/@;]+\/?$/, allowed: "sc://host:port" }),
    "Spark Connect server, for ENGINE=spark and doctor.",
  ),
  ENGINE_MEMORY_MB: engine.given(
    kinds.integer(64, 1_048_576),
    "512",
    "Memory for transforms, and as much again for queries, MB; beyond it the engine uses the disk.",
  ),
  ENGINE_THREADS: engine.given(
    kinds.integer(0, 1_024),
    "2",
    "Threads of the engine; 0 means one for each core.",
  ),

  BUILDING_TIMEZONE: building.given(
    kinds.timeZone,
    "UTC",
    "Time zone of the building, for the KPIs by local day (not in this version: all days are UTC).",
  ),

  API_HOST: api.given(
    kinds.host,
    "127.0.0.1",
    "Address that the API listens on; 0.0.0.0 opens it to the network.",
  ),
  API_PORT: api.given(kinds.integer(0, 65_535), "8000", "Port of the API; 0 takes any free one."),
  METRICS_PORT: api.optional(kinds.integer(0, 65_535), "Port of /metrics of ingest, refine and replay."),
  API_KEYS: {
    ...api.optional(
      kinds.list(kinds.secretText(8), "keys of at least 8 characters without spaces"),
      "Keys that clients of the API must show, separated by commas.",
    ),
    defaultNote: "no key is needed",
    isSecret: true,
  },
  QUERY_TIMEOUT_SECONDS: api.given(
    kinds.decimal(0.1, 3_600),
    "30",
    "Longest time that one query may take, seconds.",
  ),

  LOG_LEVEL: logging.given(
    kinds.choice(["debug", "info", "warn", "error", "silent"]),
    "info",
    "Least important log lines that are written.",
  ),
  LOG_FORMAT: logging.given(
    kinds.choice(["auto", "text", "json"]),
    "auto",
    "Form of the log lines: auto is text on a terminal and JSON elsewhere.",
  ),
} as const;

/** Name of a setting: its environment variable. */
export type SettingName = keyof typeof SETTINGS;

/** The parsed value of each setting. */
export type SettingValues = {
  readonly [Name in SettingName]: (typeof SETTINGS)[Name] extends Setting<infer T> ? T : never;
};

/** All names, in the order of the table. */
export const SETTING_NAMES: readonly SettingName[] = Object.keys(SETTINGS).filter(isSettingName);

/** True for the name of a setting (an alias is none). */
export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name);
}

/** The row of a setting. */
export function settingNamed(name: SettingName): TableSetting<unknown> {
  return SETTINGS[name];
}

/** Flag of a setting without `--`, or undefined for a secret. */
export function flagOf(name: SettingName): string | undefined {
  const { flag, isSecret } = settingNamed(name);
  if (isSecret) return undefined;
  return flag ?? name.toLowerCase().replaceAll("_", "-");
}

// The composition root: the only file that knows which adapter stands behind a port. Adapters are loaded when they are
// first needed, so that a command starts without the parts that it does not use.

import { access, constants, mkdir, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { SparkSession } from "./adapters/spark/connect/session.ts";
import type { SparkEngine } from "./adapters/spark/engine.ts";
import type { SparkSessions } from "./adapters/spark/sessions.ts";
import type { Config } from "./config.ts";
import type { RangeReader } from "./lakehouse/bronze/range-intake.ts";
import type { CheckpointCodec } from "./lakehouse/delta/checkpoint.ts";
import type { ObjectStore } from "./lakehouse/delta/object-store.ts";
import type { Engine } from "./lakehouse/engine.ts";
import { openLake, type Lake } from "./lakehouse/lake.ts";
import type { DescribedLog } from "./log/described-log.ts";
import { TABLE_NAMES } from "./reading/tables.ts";
import type { RawSource } from "./replay/raw-source.ts";
import { uniqueId } from "./support/chance.ts";
import type { Clock } from "./support/clock.ts";
import { AtriumError, systemCode } from "./support/errors.ts";
import type { Logger } from "./support/logger.ts";
import { isS3Url, parseS3Url, s3UrlOf } from "./support/s3-url.ts";

/** The parts of a running Atrium, each opened when it is asked for and closed with the whole. */
export interface Assembly extends AsyncDisposable {
  /** Where LAKE_URL leads, whatever is there. */
  store(): Promise<ObjectStore>;
  /** A folder of this assembly's own, made by whom it needs, and removed with the whole. */
  scratchFolder(): Promise<string>;
  /** The lake of LAKE_URL; made if `create` is set and there is none. @throws as openLake */
  lake(options: { readonly create: boolean }): Promise<Lake>;
  /** The log of LOG. @throws LOG_CORRUPT, LAKE_NEWER, CONFIG_INVALID */
  log(options?: { readonly readOnly?: boolean }): Promise<DescribedLog>;
  /** What reads the log in place of this process: with ENGINE=spark and LOG=kafka. @throws CONFIG_INVALID */
  rangeReader(): Promise<RangeReader | undefined>;
  /** A session with the Spark server of SPARK_REMOTE. @throws CONFIG_INVALID */
  spark(options: { readonly reconnectMsMax: number }): Promise<SparkSession>;
  /** The raw files of SOURCE_URL. @throws CONFIG_INVALID */
  rawSource(): Promise<RawSource>;
}

/** What the parts share. */
export interface AssemblyOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Lakes beside that of LAKE_URL whose files queries may read. */
  readonly alsoReads?: readonly string[];
  /** Called when a request to a store or a cluster is sent again. */
  readonly onRetry?: ((system: "s3" | "kafka") => void) | undefined;
}

/** Scratch files of a process that died are removed once they are this old, ms. */
const SCRATCH_AGE_MS_MAX = 24 * 3600 * 1000;

/** Prepares the parts that the configuration names. */
export function assemble(config: Config, options: AssemblyOptions): Assembly {
  const { clock, logger, alsoReads = [], onRetry } = options;
  const opened: AsyncDisposable[] = [];
  const scratchName = uniqueId();
  const scratchFolders = new Set<string>();
  const keep = <Part extends AsyncDisposable>(part: Part): Part => {
    opened.push(part);
    return part;
  };
  const shared: StoreParts = { config, clock, keep, onRetry: onRetry && (() => onRetry("s3")) };
  let sparkParts: Promise<SparkParts> | undefined;
  const onSpark = async (): Promise<SparkParts> => (sparkParts ??= openOnSpark(shared));
  const scratchFolder = async (): Promise<string> => {
    const folder = join(await scratchRootOf(config), scratchName);
    scratchFolders.add(folder);
    return folder;
  };
  return {
    scratchFolder,
    store: async () => (await openStore(shared)).store,
    lake: async ({ create }) => {
      // What is made is filled from the log: a lake without one would be left empty.
      if (create && config.log.kind === "embedded") logFile(config);
      const folder = await scratchFolder();
      const { engine, codec } = await openEngine(shared, folder, alsoReads);
      const { store, through } = await openStore(shared);
      const { bronzePartitionBy } = config.lake;
      const here = through(engine);
      const divided = config.engine.kind === "spark" ? await withSpark(await onSpark(), here) : here;
      const parts = { store, engine: divided, codec, clock, logger, bronzePartitionBy };
      const lake = await openLake(parts, { create });
      await sweepScratch(dirname(folder), clock);
      return lake;
    },
    log: async ({ readOnly = false } = {}) =>
      keep(
        await (config.log.kind === "kafka"
          ? kafkaLog(config, { clock, logger, onRetry })
          : embeddedLog(config, { clock, logger }, readOnly)),
      ),
    rangeReader: async () => {
      if (config.engine.kind !== "spark" || config.log.kind !== "kafka") return undefined;
      const { sparkRangeReader } = await import("./adapters/spark/range-reader.ts");
      const { kafkaOptions } = await import("./adapters/spark/kafka-options.ts");
      return sparkRangeReader({ ...(await onSpark()), kafka: kafkaOptions(config.kafka) });
    },
    spark: async ({ reconnectMsMax }) => keep(await openSession(config, { clock, reconnectMsMax })),
    rawSource: async () => openSource(shared),
    [Symbol.asyncDispose]: async () => {
      for (const part of opened.toReversed()) await part[Symbol.asyncDispose]();
      await removeScratch(scratchFolders);
    },
  };
}

/** What cannot be removed now is swept by a later start; it must not hide the error that ended the command. */
async function removeScratch(folders: Iterable<string>): Promise<void> {
  for (const folder of folders) await rm(folder, { recursive: true, force: true }).catch(() => undefined);
}

type Shared = Pick<AssemblyOptions, "clock" | "logger" | "onRetry">;

async function embeddedLog(
  config: Config,
  { clock, logger }: Shared,
  readOnly: boolean,
): Promise<DescribedLog> {
  const { openEmbeddedLog } = await import("./adapters/embedded/event-log.ts");
  const retention = {
    maxAgeMs: config.log.ageHoursMax * 3_600_000,
    maxBytes: config.log.sizeMbMax * 1_048_576,
  };
  return openEmbeddedLog({ file: logFile(config), clock, logger, retention, readOnly });
}

async function kafkaLog({ kafka }: Config, { clock, logger, onRetry }: Shared): Promise<DescribedLog> {
  const { openKafkaLog } = await import("./adapters/kafka/event-log.ts");
  const { compression, batchBytesMax, replication = -1, group } = kafka;
  return openKafkaLog({
    clock,
    logger,
    onRetry: onRetry && (() => onRetry("kafka")),
    connection: kafka,
    compression,
    batchBytesMax,
    replication,
    group,
  });
}

interface StoreParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly keep: <Part extends AsyncDisposable>(part: Part) => Part;
  readonly onRetry: (() => void) | undefined;
}

async function openEngine(
  { config, clock, keep }: StoreParts,
  scratchFolder: string,
  alsoReads: readonly string[],
): Promise<{ readonly engine: Engine; readonly codec: CheckpointCodec }> {
  const { duckdbEngine } = await import("./adapters/duckdb/engine.ts");
  const { duckdbCheckpointCodec } = await import("./adapters/duckdb/checkpoint-codec.ts");
  const { memoryMb, threads } = config.engine;
  const lakes = await Promise.all(
    [config.lake.url, ...alsoReads].map(async (url) => readableFolders(config, url)),
  );
  const readable = [scratchFolder, ...lakes.flat()];
  const engine = keep(duckdbEngine({ memoryMb, threads, scratchFolder, readableFolders: readable, clock }));
  return { engine, codec: duckdbCheckpointCodec(async () => engine.connect(), scratchFolder) };
}

async function openSource({ config, clock, keep, onRetry }: StoreParts): Promise<RawSource> {
  const { url } = config.source;
  if (url === undefined) {
    throw new AtriumError(
      "CONFIG_INVALID",
      "SOURCE_URL is not set: name the folder of raw files with --raw DIR or SOURCE_URL.",
    );
  }
  const place = parseS3Url(url);
  if (place === undefined) return (await import("./adapters/local/raw-source.ts")).localRawSource(url);
  const { s3RawSource } = await import("./adapters/s3/raw-source.ts");
  return keep(s3RawSource({ place, settings: config.s3, clock, onRetry }));
}

/** The engine on Spark and what belongs to it. */
interface SparkParts {
  readonly sessions: SparkSessions;
  readonly engine: SparkEngine;
}

async function openOnSpark(shared: StoreParts): Promise<SparkParts> {
  const { config, clock, keep } = shared;
  const { sparkEngine } = await import("./adapters/spark/engine.ts");
  const { sparkSessions } = await import("./adapters/spark/sessions.ts");
  const { store } = await openStore(shared);
  const root = sparkRoot(config.lake.url);
  const sessions = keep(sparkSessions(async () => openSession(config, { clock })));
  return { sessions, engine: sparkEngine({ sessions, store, root }) };
}

async function withSpark({ engine }: SparkParts, here: Engine): Promise<Engine> {
  const { dividedEngine } = await import("./lakehouse/divided-engine.ts");
  return dividedEngine(engine, here);
}

/** @throws CONFIG_INVALID */
async function openSession(
  config: Config,
  options: { readonly clock: Clock; readonly reconnectMsMax?: number },
): Promise<SparkSession> {
  const { sparkRemote: remote } = config.engine;
  if (remote === undefined) {
    throw new AtriumError("CONFIG_INVALID", "SPARK_REMOTE is not set: name the Spark Connect server.");
  }
  const { openSpark } = await import("./adapters/spark/connect/session.ts");
  return openSpark({ remote, ...options });
}

/** Where Spark finds a lake: a folder must be one that all of its machines share. */
function sparkRoot(lakeUrl: string): string {
  const place = parseS3Url(lakeUrl);
  if (place === undefined) return `file:${lakeUrl}`;
  return s3UrlOf(place).replace(/^s3:/, "s3a:");
}

interface OpenedStore {
  readonly store: ObjectStore;
  /** The engine as it reads what is in this store. */
  readonly through: (engine: Engine) => Engine;
}

async function openStore({ config, clock, keep, onRetry }: StoreParts): Promise<OpenedStore> {
  const place = parseS3Url(config.lake.url);
  if (place === undefined) {
    const { localObjectStore } = await import("./adapters/local/object-store.ts");
    const { localEngine } = await import("./lakehouse/local-inputs.ts");
    const store = localObjectStore(config.lake.url);
    return { store, through: (engine) => localEngine(engine, store) };
  }
  const { s3ObjectStore } = await import("./adapters/s3/object-store.ts");
  const { cachedEngine } = await import("./adapters/s3/cached-engine.ts");
  const store = keep(s3ObjectStore({ place, settings: config.s3, clock, onRetry, cache: cacheOf(config) }));
  return { store, through: (engine) => cachedEngine(engine, store) };
}

/** The folders that hold the data files of a lake, or their copies: not its log, nor its marker. */
async function readableFolders(config: Config, lakeUrl: string): Promise<readonly string[]> {
  const place = parseS3Url(lakeUrl);
  if (place === undefined) return TABLE_NAMES.map((name) => join(lakeUrl, name));
  const { s3CacheRoot } = await import("./adapters/s3/object-store.ts");
  return [s3CacheRoot({ place, settings: config.s3, cache: cacheOf(config) })];
}

function cacheOf({ cache }: Config): { readonly path: string; readonly bytesMax: number } {
  return { path: join(cache.folder, "s3"), bytesMax: cache.mbMax * 1_048_576 };
}

/**
 * Scratch space is in the lake, from where files move at no cost; a lake that can only be read, or is on S3, needs it
 * elsewhere.
 */
async function scratchRootOf({ lake, cache }: Config): Promise<string> {
  if (isS3Url(lake.url)) return join(cache.folder, "scratch");
  try {
    await access(lake.url, constants.W_OK);
  } catch (error) {
    const isDenied = ["EACCES", "EPERM", "EROFS"].includes(systemCode(error) ?? "");
    if (isDenied) return join(tmpdir(), "atrium-scratch");
  }
  return join(lake.url, "_scratch");
}

/** @throws CONFIG_INVALID */
function logFile({ log, lake }: Config): string {
  if (log.path !== undefined) return log.path;
  const message =
    `LOG_PATH is not set: the lake is on S3 (${lake.url}), where the embedded log cannot be. ` +
    "Name a file on this machine with --log-path or LOG_PATH.";
  throw new AtriumError("CONFIG_INVALID", message);
}

/** Removes what processes that died left behind: a live one writes its folder anew within the time. */
async function sweepScratch(scratchRoot: string, clock: Clock): Promise<void> {
  await mkdir(scratchRoot, { recursive: true });
  for (const name of await readdir(scratchRoot)) {
    const folder = join(scratchRoot, name);
    const facts = await stat(folder).catch(() => undefined);
    if (facts !== undefined && clock.nowMs() - facts.mtimeMs > SCRATCH_AGE_MS_MAX) {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

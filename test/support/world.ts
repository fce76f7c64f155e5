// The world that the promises are tested in: the embedded log and a folder, or with ATRIUM_TEST_WORLD=services a real Apache
// Kafka and a real S3 gateway, one of each for a test file. The same tests run in both.
//
// A lake is called by an address, which only this file can tell from a folder. The gateway keeps every object as a file of the
// object's name, and the broker every topic as a folder: that is how a test sees what a running program has written, without asking.

import { readdirSync, rmSync, statSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Kafka } from "../../services/kafka.ts";
import type { S3 } from "../../services/s3.ts";
import { localObjectStore } from "../../src/adapters/local/object-store.ts";
import type { s3ObjectStore } from "../../src/adapters/s3/object-store.ts";
import type { ObjectStore } from "../../src/lakehouse/delta/object-store.ts";
import { SENSOR_TYPES } from "../../src/reading/terms.ts";
import { systemClock } from "../../src/support/clock.ts";
import { FAULT_POINT_NAMES, type FaultPoint } from "../../src/support/fault-point.ts";
import { parseS3Url } from "../../src/support/s3-url.ts";
import { secret } from "../../src/support/secret.ts";

interface Services {
  readonly folder: string;
  readonly kafka: Kafka;
  readonly s3: S3;
  readonly openStore: typeof s3ObjectStore;
}

const BUCKET = "lake";
const services = process.env["ATRIUM_TEST_WORLD"] === "services" ? await startServices() : undefined;

/** Points that only the embedded log or a folder passes. */
const EMBEDDED_POINTS: readonly FaultPoint[] = [
  "log/release/inside",
  "log/release/done",
  "store/file/synced",
  "store/put/written",
  "store/put/renamed",
];

/** The fault points that a program in this world can pass, in the order of the flow. */
export const WORLD_POINTS: readonly FaultPoint[] =
  services === undefined
    ? FAULT_POINT_NAMES
    : FAULT_POINT_NAMES.filter((point) => !EMBEDDED_POINTS.includes(point));

/**
 * Columns in which two lakes of the same readings may differ in this world. On Kafka each lake has topics of its own on the one
 * broker, and the marks of transactions take offsets.
 */
export const WORLD_COLUMNS: readonly string[] = services === undefined ? [] : ["topic", "offset"];

/** The address of a lake that belongs to a temporary folder: a folder in it, or a prefix of the bucket. */
export function lakeIn(folder: string, name: string): string {
  return services === undefined ? join(folder, name) : `s3://${BUCKET}/${basename(folder)}/${name}`;
}

/** The environment that leads `atrium ARGS` to the log and the store of its `--lake`. Empty in the embedded world. */
export function worldEnvironment(args: readonly string[]): Readonly<Record<string, string>> {
  const lake = args[args.indexOf("--lake") + 1] ?? "";
  if (services === undefined || parseS3Url(lake) === undefined) return {};
  const topics = SENSOR_TYPES.map((type) => [`TOPIC_${type.toUpperCase()}`, `${slugOf(lake)}.${type}`]);
  return {
    ...services.s3.settings,
    ...services.kafka.settings,
    LOG: "kafka",
    CACHE_DIR: cacheOf(services, lake),
    ...(Object.fromEntries(topics) as Record<string, string>),
  };
}

/** The store of a lake, to write to it past the program. */
export function storeOf(lake: string): ObjectStore {
  const place = parseS3Url(lake);
  if (services === undefined || place === undefined) return localObjectStore(lake);
  const { endpoint, region, credentials } = services.s3;
  const { accessKeyId, secretAccessKey } = credentials;
  const access = { accessKeyId, secretAccessKey: secret(secretAccessKey) };
  return services.openStore({
    place,
    settings: { endpoint, region, pathStyle: true, ...access, sse: "none", checksums: "always" },
    clock: systemClock,
    cache: { path: join(cacheOf(services, lake), "s3"), bytesMax: 2 ** 30 },
  });
}

/** The folder on this machine that holds the files of a lake. Only to look: a store is written to through `storeOf`. */
export function filesOf(lake: string): string {
  const place = parseS3Url(lake);
  if (services === undefined || place === undefined) return lake;
  return join(services.folder, "s3", "data", place.bucket, place.prefix);
}

/** The folder in which programs on a lake keep what is half done. */
export function scratchOf(lake: string): string {
  const isElsewhere = services !== undefined && parseS3Url(lake) !== undefined;
  return isElsewhere ? join(cacheOf(services, lake), "scratch") : join(lake, "_scratch");
}

/** Bytes of the messages in the log of a lake, as files. */
export function logBytes(lake: string): number {
  if (services === undefined) {
    return bytesOf(["log.db", "log.db-wal"].map((file) => join(lake, "_log", file)));
  }
  const data = join(services.folder, "kafka", "data");
  const own = namesIn(data).filter((name) => name.startsWith(`${slugOf(lake)}.`));
  return bytesOf(own.flatMap((topic) => segmentsIn(join(data, topic))));
}

async function startServices(): Promise<Services> {
  const folder = await mkdtemp(join(tmpdir(), "atrium-world-"));
  // They end with this process, which Kafka takes a moment to do.
  process.once("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 20 }));
  // Loaded here: the embedded world does without.
  const { startKafka } = await import("../../services/kafka.ts");
  const { startS3 } = await import("../../services/s3.ts");
  const { s3ObjectStore: openStore } = await import("../../src/adapters/s3/object-store.ts");
  const kafka = await startKafka({ folder: join(folder, "kafka"), topics: [] });
  const s3 = await startS3({ folder: join(folder, "s3"), buckets: [BUCKET] });
  return { folder, kafka, s3, openStore };
}

/** What tells the lake from others on the broker and in the cache. */
function slugOf(lake: string): string {
  return (parseS3Url(lake)?.prefix ?? lake).replaceAll("/", ".").replace(/\.$/, "");
}

function cacheOf({ folder }: Services, lake: string): string {
  return join(folder, "cache", slugOf(lake));
}

function segmentsIn(folder: string): readonly string[] {
  return namesIn(folder).flatMap((name) => (name.endsWith(".log") ? [join(folder, name)] : []));
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    // It is not there yet.
    return [];
  }
}

function bytesOf(files: readonly string[]): number {
  return files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
}

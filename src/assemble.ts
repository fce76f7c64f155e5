// The composition root: the only file that knows which adapter stands behind a port. Adapters are loaded when they are
// first needed, so that a command starts without the parts that it does not use.

import { access, constants, mkdir, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EmbeddedLog } from "./adapters/embedded/event-log.ts";
import type { SparkSession } from "./adapters/spark/connect/session.ts";
import type { Config } from "./config.ts";
import { openLake, type Lake } from "./lakehouse/lake.ts";
import { TABLE_NAMES } from "./reading/tables.ts";
import type { RawSource } from "./replay/raw-source.ts";
import { uniqueId } from "./support/chance.ts";
import type { Clock } from "./support/clock.ts";
import { AtriumError, systemCode } from "./support/errors.ts";
import type { Logger } from "./support/logger.ts";

/** The parts of a running Atrium, each opened when it is asked for and closed with the whole. */
export interface Assembly extends AsyncDisposable {
  /** The lake of LAKE_URL; made if `create` is set and there is none. @throws as openLake */
  lake(options: { readonly create: boolean }): Promise<Lake>;
  /** The log of LOG and LOG_PATH. @throws LOG_CORRUPT, LAKE_NEWER */
  log(options?: { readonly readOnly?: boolean }): Promise<EmbeddedLog>;
  /** A session with the Spark server of SPARK_REMOTE. @throws CONFIG_INVALID */
  spark(options: { readonly reconnectMsMax: number }): Promise<SparkSession>;
  /** The raw files of SOURCE_URL. */
  rawSource(): Promise<RawSource>;
}

/** What the parts share. */
export interface AssemblyOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Folders beside the lake that queries may read: another lake. */
  readonly alsoReads?: readonly string[];
}

/** Scratch files of a process that died are removed once they are this old, ms. */
const SCRATCH_AGE_MS_MAX = 24 * 3600 * 1000;

/** Prepares the parts that the configuration names. */
export function assemble(config: Config, { clock, logger, alsoReads = [] }: AssemblyOptions): Assembly {
  const opened: AsyncDisposable[] = [];
  const scratchName = uniqueId();
  const scratchFolders: string[] = [];
  const keep = <Part extends AsyncDisposable>(part: Part): Part => {
    opened.push(part);
    return part;
  };
  return {
    lake: async ({ create }) => {
      const { localObjectStore } = await import("./adapters/local/object-store.ts");
      const { duckdbEngine } = await import("./adapters/duckdb/engine.ts");
      const { duckdbCheckpointCodec } = await import("./adapters/duckdb/checkpoint-codec.ts");
      const { memoryMb, threads } = config.engine;
      const scratchRoot = await scratchRootOf(config.lake.url);
      const scratchFolder = join(scratchRoot, scratchName);
      scratchFolders.push(scratchFolder);
      const engine = keep(
        duckdbEngine({
          memoryMb,
          threads,
          scratchFolder,
          readableFolders: [scratchFolder, ...[config.lake.url, ...alsoReads].flatMap(tableFolders)],
          clock,
        }),
      );
      const codec = duckdbCheckpointCodec(async () => engine.connect(), scratchFolder);
      const store = localObjectStore(config.lake.url);
      const lake = await openLake(
        { store, engine, codec, clock, logger, bronzePartitionBy: config.lake.bronzePartitionBy },
        { create },
      );
      await sweepScratch(scratchRoot, clock);
      return lake;
    },
    log: async ({ readOnly = false } = {}) => {
      const { openEmbeddedLog } = await import("./adapters/embedded/event-log.ts");
      const retention = {
        maxAgeMs: config.log.ageHoursMax * 3_600_000,
        maxBytes: config.log.sizeMbMax * 1_048_576,
      };
      return keep(await openEmbeddedLog({ file: config.log.path, clock, logger, retention, readOnly }));
    },
    spark: async ({ reconnectMsMax }) => {
      const { sparkRemote: remote } = config.engine;
      if (remote === undefined) {
        throw new AtriumError("CONFIG_INVALID", "SPARK_REMOTE is not set: name the Spark Connect server.");
      }
      const { openSpark } = await import("./adapters/spark/connect/session.ts");
      return keep(await openSpark({ remote, reconnectMsMax, clock }));
    },
    rawSource: async () => {
      const { localRawSource } = await import("./adapters/local/raw-source.ts");
      if (config.source.url === undefined) {
        throw new AtriumError(
          "CONFIG_INVALID",
          "SOURCE_URL is not set: name the folder of raw files with --raw DIR or SOURCE_URL.",
        );
      }
      return localRawSource(config.source.url);
    },
    [Symbol.asyncDispose]: async () => {
      for (const part of opened.toReversed()) await part[Symbol.asyncDispose]();
      // What cannot be removed now is swept by a later start; it must not hide the error that ended the command.
      for (const folder of scratchFolders) {
        await rm(folder, { recursive: true, force: true }).catch(() => undefined);
      }
    },
  };
}

/** The folders of a lake that hold tables: not its log, nor its marker. */
function tableFolders(lakeUrl: string): readonly string[] {
  return TABLE_NAMES.map((name) => join(lakeUrl, name));
}

/** Scratch space is in the lake, from where files move at no cost; a lake that can only be read needs it elsewhere. */
async function scratchRootOf(lakeUrl: string): Promise<string> {
  try {
    await access(lakeUrl, constants.W_OK);
  } catch (error) {
    const isDenied = ["EACCES", "EPERM", "EROFS"].includes(systemCode(error) ?? "");
    if (isDenied) return join(tmpdir(), "atrium-scratch");
  }
  return join(lakeUrl, "_scratch");
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

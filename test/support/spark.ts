// For tests of the engine on Spark: one server a file, and lakes whose transforms run on it.

import { join } from "node:path";
import { after, before } from "node:test";
import { type Spark, type SparkOptions, startSpark } from "../../services/spark.ts";
import { duckdbCheckpointCodec } from "../../src/adapters/duckdb/checkpoint-codec.ts";
import { duckdbEngine } from "../../src/adapters/duckdb/engine.ts";
import { localObjectStore } from "../../src/adapters/local/object-store.ts";
import { openSpark } from "../../src/adapters/spark/connect/session.ts";
import { sparkEngine } from "../../src/adapters/spark/engine.ts";
import { kafkaOptions } from "../../src/adapters/spark/kafka-options.ts";
import { sparkRangeReader } from "../../src/adapters/spark/range-reader.ts";
import { sparkSessions } from "../../src/adapters/spark/sessions.ts";
import type { RangeReader } from "../../src/lakehouse/bronze/range-intake.ts";
import { dividedEngine } from "../../src/lakehouse/divided-engine.ts";
import { openLake, type Lake } from "../../src/lakehouse/lake.ts";
import { localEngine } from "../../src/lakehouse/local-inputs.ts";
import { tableDefinition } from "../../src/reading/tables.ts";
import { systemClock } from "../../src/support/clock.ts";
import { plainAccess } from "./kafka-access.ts";
import { temporaryFolder } from "./program.ts";

/** A server for the tests of a `describe`. */
export function ownSpark(options: Omit<SparkOptions, "folder"> = {}): () => Spark {
  let spark: Spark | undefined;
  let folder: Awaited<ReturnType<typeof temporaryFolder>> | undefined;
  before(async () => {
    folder = await temporaryFolder();
    spark = await startSpark({ ...options, folder: join(folder.path, "spark") });
  });
  after(async () => {
    await spark?.stop();
    await folder?.[Symbol.asyncDispose]();
  });
  return () => {
    if (spark === undefined) throw new Error("Spark has not started");
    return spark;
  };
}

/** A lake in a folder, made if it is new, and what reads the log for it. */
export interface SparkLake extends AsyncDisposable {
  readonly lake: Lake;
  readonly reader: RangeReader;
}

/** Opens a lake with the engine on Spark. */
export async function openSparkLake(
  folder: string,
  { remote, bootstrap }: { readonly remote: string; readonly bootstrap: string },
): Promise<SparkLake> {
  const scratchFolder = join(folder, "_scratch");
  const here = duckdbEngine({
    memoryMb: 512,
    threads: 2,
    scratchFolder,
    readableFolders: [folder],
    clock: systemClock,
  });
  const store = localObjectStore(folder);
  const sessions = sparkSessions(async () => openSpark({ remote }));
  const root = `file:${folder}`;
  const engine = sparkEngine({ sessions, store, root });
  const lake = await openLake(
    {
      store,
      engine: dividedEngine(engine, localEngine(here, store)),
      codec: duckdbCheckpointCodec(async () => here.connect(), scratchFolder),
      clock: systemClock,
      bronzePartitionBy: tableDefinition("bronze/readings").partitionColumns,
    },
    { create: true },
  );
  const kafka = kafkaOptions(plainAccess(bootstrap));
  return {
    lake,
    reader: sparkRangeReader({ sessions, engine, kafka }),
    [Symbol.asyncDispose]: async () => {
      await sessions[Symbol.asyncDispose]();
      await here[Symbol.asyncDispose]();
    },
  };
}

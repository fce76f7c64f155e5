// The engine on Spark keeps the contract of the port: it writes, the engine of this process answers people.

import { join } from "node:path";
import { describe } from "node:test";
import { duckdbEngine } from "../../src/adapters/duckdb/engine.ts";
import { localObjectStore } from "../../src/adapters/local/object-store.ts";
import { openSpark } from "../../src/adapters/spark/connect/session.ts";
import { sparkEngine } from "../../src/adapters/spark/engine.ts";
import { sparkSessions } from "../../src/adapters/spark/sessions.ts";
import { dividedEngine } from "../../src/lakehouse/divided-engine.ts";
import type { Engine } from "../../src/lakehouse/engine.ts";
import { localEngine } from "../../src/lakehouse/local-inputs.ts";
import { systemClock } from "../../src/support/clock.ts";
import { engineContract } from "../contract/engine.ts";
import { withoutServices } from "../support/services.ts";
import { ownSpark } from "../support/spark.ts";

const skip = await withoutServices("spark");

describe("the engine on Spark", { skip }, () => {
  const spark = ownSpark();
  engineContract("spark", (folder) => sparkHere(folder, spark().remote), { writesInPlace: true });
});

/** All transforms on Spark, those of rows in memory too. */
function sparkHere(folder: string, remote: string): Engine {
  const store = localObjectStore(folder);
  const sessions = sparkSessions(async () => openSpark({ remote }));
  const here = duckdbEngine({
    memoryMb: 256,
    threads: 2,
    scratchFolder: join(folder, "_scratch"),
    readableFolders: [folder],
    clock: systemClock,
  });
  const engine = sparkEngine({ sessions, store, root: `file:${folder}` });
  return {
    ...dividedEngine(engine, localEngine(here, store)),
    write: async (transform, signal) => engine.write(transform, signal),
    [Symbol.asyncDispose]: async () => {
      await sessions[Symbol.asyncDispose]();
      await here[Symbol.asyncDispose]();
    },
  };
}

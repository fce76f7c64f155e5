// Every engine keeps the contract.

import { join } from "node:path";
import { duckdbEngine } from "../../src/adapters/duckdb/engine.ts";
import { systemClock } from "../../src/support/clock.ts";
import { engineContract } from "./engine.ts";

engineContract("duckdb", (folder) =>
  duckdbEngine({
    memoryMb: 256,
    threads: 2,
    scratchFolder: join(folder, "_scratch"),
    readableFolders: [folder],
    clock: systemClock,
  }),
);

// A lake in memory without an engine: for tests that move files and commits, and read no rows.

import { memoryObjectStore, type MemoryObjectStore } from "../../src/adapters/memory/object-store.ts";
import type { AddFile } from "../../src/lakehouse/delta/actions.ts";
import { storePath } from "../../src/lakehouse/delta/paths.ts";
import type { Snapshot } from "../../src/lakehouse/delta/snapshot.ts";
import type { Engine } from "../../src/lakehouse/engine.ts";
import { ensureTable, openLake, type Lake } from "../../src/lakehouse/lake.ts";
import type { TableName } from "../../src/reading/tables.ts";
import { handClock, type HandClock, textCodec } from "./delta.ts";

/** A lake, its store and its clock, which every commit moves by a second. */
export interface BareLake extends AsyncDisposable {
  readonly lake: Lake;
  readonly store: MemoryObjectStore;
  readonly clock: HandClock;
  /** Another opening, as another process would have it. */
  reopen(): Promise<Lake>;
  /** Commits files of a day, whose objects are there, and positions; returns the new version. */
  commit(name: TableName, change: BareChange): Promise<Snapshot>;
}

/** One commit: files by the names that `fileNamed` knows them by. */
export interface BareChange {
  readonly adds?: readonly AddFile[];
  readonly removes?: readonly AddFile[];
  readonly txns?: Readonly<Record<string, bigint>>;
  readonly operation?: string;
  readonly dataChange?: boolean;
}

/** A data file of a day, with ten rows; of bronze/readings if it has a room. */
export function fileNamed(name: string, day: string, dayColumn = "event_date"): AddFile {
  return {
    path: `${dayColumn}=${day}/${name}.parquet`,
    partitionValues: { [dayColumn]: day, room: "413", sensor_type: "co2" },
    size: 1000,
    modificationTime: 0,
    dataChange: true,
    stats: JSON.stringify({ numRecords: 10 }),
  };
}

const NO_ENGINE: Engine = {
  write: async () => Promise.reject(new Error("there is no engine")),
  query: async () => Promise.reject(new Error("there is no engine")),
  [Symbol.asyncDispose]: async () => undefined,
};

/** Opens an empty lake; `engine` answers where a test has one. */
export async function makeBareLake(engine: Engine = NO_ENGINE): Promise<BareLake> {
  const clock = handClock();
  const store = memoryObjectStore(clock);
  let ids = 0;
  const parts = { store, engine, codec: textCodec, clock, bronzePartitionBy: ["event_date"] };
  const reopen = async (): Promise<Lake> =>
    openLake({ ...parts, newId: () => `id-${(ids += 1)}` }, { create: true });
  const lake = await reopen();
  return {
    lake,
    store,
    clock,
    reopen,
    commit: async (name, change) => {
      const { adds = [], removes = [], txns = {}, operation = "WRITE", dataChange = true } = change;
      const base = await ensureTable(lake, name);
      for (const { path } of adds) await store.put(storePath(name, path), new Uint8Array(1));
      clock.advance(1000);
      return lake.table(name).commit({
        base,
        adds,
        removes: removes.map(({ path }) => path),
        txns: new Map(Object.entries(txns)),
        operation,
        isolation: { kind: "append" },
        dataChange,
      });
    },
    [Symbol.asyncDispose]: async () => store[Symbol.asyncDispose](),
  };
}

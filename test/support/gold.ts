// What tests of gold share: changes of tables as upkeep and other processes make them, and a lake that is watched.

import type { CommitRequest } from "../../src/lakehouse/delta/commit.ts";
import type { ObjectStore } from "../../src/lakehouse/delta/object-store.ts";
import type { Snapshot } from "../../src/lakehouse/delta/snapshot.ts";
import type { Engine, Input } from "../../src/lakehouse/engine.ts";
import { makeGold, type GoldSummary } from "../../src/lakehouse/gold/gold.ts";
import { openLake, tableInput, writeFiles, type Lake } from "../../src/lakehouse/lake.ts";
import { localEngine } from "../../src/lakehouse/local-inputs.ts";
import type { KeyedValue } from "../../src/log/records.ts";
import { sqlNameOf, tableDefinition, type TableName } from "../../src/reading/tables.ts";
import type { TestLake } from "./lake.ts";

/** 2013-08-24T00:00:00Z, s. */
export const DAY_ONE = 1_377_302_400;
/** A day, s. */
export const DAY = 86_400;

/** The columns of gold/room_daily whose values are restated. */
export const VALUES = tableDefinition("gold/room_daily")
  .columns.map((column) => column.name)
  .filter((name) => !["room", "event_date", "revision", "created_at"].includes(name));

/** The UTC day that is so many days after 2013-08-24. */
export const dayOf = (index: number): string =>
  new Date((DAY_ONE + index * DAY) * 1000).toISOString().slice(0, 10);

/** Takes messages to silver. */
export async function toSilver(lake: TestLake, messages: readonly KeyedValue[]): Promise<void> {
  await lake.send(messages);
  await lake.ingest();
  await lake.refine();
}

/** Makes gold: of the days that changed, or of those given. */
export async function gold(lake: Lake, days?: readonly string[]): Promise<GoldSummary> {
  return makeGold({ lake, queryTimeoutMs: 60_000, ...(days && { days }) });
}

/** The newest version of a table that is there. */
export async function newestOf(lake: Lake, name: TableName): Promise<Snapshot> {
  const snapshot = await lake.table(name).snapshot();
  if (snapshot === undefined) throw new Error(`${name} is missing`);
  return snapshot;
}

/** Replaces all files of a table by those of a query over it, in a commit of that operation. */
export async function rewrite(
  lake: Lake,
  name: TableName,
  change: { readonly sql: string } & Pick<CommitRequest, "operation" | "dataChange">,
): Promise<void> {
  const base = await newestOf(lake, name);
  const { sql, operation, dataChange } = change;
  const inputs = [tableInput(lake, name, { snapshot: base })];
  await lake.table(name).commit({
    base,
    adds: await writeFiles(lake, name, { sql, inputs }),
    removes: [...base.files.keys()],
    txns: new Map(),
    operation,
    isolation: { kind: "replace", partitions: [{}] },
    dataChange,
  });
}

/** Removes a room from silver and gold, in this order, as an erasure does. */
export async function eraseRoom(lake: Lake, room: string): Promise<void> {
  const names: readonly TableName[] = [
    "silver/readings",
    "gold/sensor_hourly",
    "gold/sensor_daily",
    "gold/room_daily",
  ];
  for (const name of names) {
    if ((await lake.table(name).snapshot()) === undefined) continue;
    const sql = `select * from ${sqlNameOf(name)} where room <> '${room}'`;
    await rewrite(lake, name, { sql, operation: "ERASE", dataChange: true });
  }
}

/** What a test wants to hear of, before it is done. */
export interface Watch {
  /** A call of the engine, with the names and numbers of the files that it is given. */
  readonly onEngine?: (inputs: readonly Input[]) => Promise<void>;
  /** A call of the store. */
  readonly onStore?: (method: keyof ObjectStore, path: string) => Promise<void>;
  /** A put if absent that was done. */
  readonly afterPut?: (path: string) => Promise<void>;
}

/** Another opening of a lake, whose calls are watched. */
export async function watched(lake: Lake, watch: Watch): Promise<Lake> {
  const { store, engine } = lake;
  const engineSeen: Engine = {
    write: async (transform) => {
      await watch.onEngine?.(transform.inputs);
      return engine.write(transform);
    },
    query: async (query, signal) => {
      await watch.onEngine?.(query.inputs);
      return engine.query(query, signal);
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  const seen =
    <Rest extends readonly unknown[], Result>(
      method: keyof ObjectStore,
      call: (path: string, ...rest: Rest) => Promise<Result>,
    ) =>
    async (path: string, ...rest: Rest): Promise<Result> => {
      await watch.onStore?.(method, path);
      return call(path, ...rest);
    };
  const storeSeen: ObjectStore = {
    ...store,
    get: seen("get", async (path: string) => store.get(path)),
    put: seen("put", async (path: string, bytes: Uint8Array) => store.put(path, bytes)),
    putFile: seen("putFile", async (path: string, local: string) => store.putFile(path, local)),
    list: seen("list", async (prefix: string, after?: string) => store.list(prefix, after)),
    localFile: seen("localFile", async (path: string) => store.localFile(path)),
    putIfAbsent: seen("putIfAbsent", async (path: string, bytes: Uint8Array) => {
      const isPut = await store.putIfAbsent(path, bytes);
      if (isPut) await watch.afterPut?.(path);
      return isPut;
    }),
  };
  return openLake(
    { ...lake, store: storeSeen, engine: localEngine(engineSeen, storeSeen) },
    { create: false },
  );
}

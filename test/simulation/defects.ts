// Deliberate defects, each at a port: what the simulation must find if it is worth anything.

import { dirname } from "node:path";
import type { CommitRequest } from "../../src/lakehouse/delta/commit.ts";
import type { ObjectStore } from "../../src/lakehouse/delta/object-store.ts";
import type { DeltaTable } from "../../src/lakehouse/delta/table.ts";
import type { Lake } from "../../src/lakehouse/lake.ts";
import { OPERATIONS } from "../../src/lakehouse/operations.ts";
import { silverSql } from "../../src/lakehouse/silver/transform.ts";
import { positionAfter } from "../../src/log/records.ts";
import type { TableName } from "../../src/reading/tables.ts";
import { systemCode } from "../../src/support/errors.ts";
import type { Tampering } from "./world.ts";

/** A defect and the checks of which one must find it. */
export interface Defect {
  readonly name: string;
  readonly tampering: Tampering;
  readonly foundBy: readonly string[];
  /** Where to begin with a defect that shows rarely; default 1. */
  readonly firstSeed?: number;
}

/** What a missing or damaged file or commit breaks, whichever comes first. */
const DAMAGE = [
  "no NOT_FOUND without a cause",
  "no ENGINE_FAILED without a cause",
  "no TABLE_CORRUPT without a cause",
  "no LAKE_INVALID without a cause",
  "tables can be read",
  "live files are whole",
];
/** What the loss of a commit breaks that others were built on. */
const LOST_COMMIT = [
  ...DAMAGE,
  "a version has one writer",
  "a version is the same for all readers",
  "acknowledged commits stay",
  "nothing acknowledged is lost",
  "no reading is lost to silver",
  "gold is idempotent",
];

/** All of them. */
export const DEFECTS: readonly Defect[] = [
  {
    name: "data files are not synced before they are committed",
    tampering: { files: (files) => withoutSync(files, (path) => path.startsWith("/scratch/")) },
    foundBy: DAMAGE,
  },
  {
    name: "names in folders are not synced",
    tampering: { files: (files) => withoutSync(files, (path) => !/\.\w+$/.test(path)) },
    foundBy: LOST_COMMIT,
  },
  {
    name: "names are not synced by those who read them",
    tampering: { files: unsyncedAfterReading },
    foundBy: LOST_COMMIT,
    firstSeed: 190,
  },
  {
    name: "names of folders that are found are not synced",
    tampering: { files: unsyncedWhereFound },
    foundBy: LOST_COMMIT,
  },
  {
    name: "commit files are not synced before they get their name",
    tampering: { files: (files) => withoutSync(files, (path) => path.endsWith(".tmp")) },
    foundBy: LOST_COMMIT,
  },
  {
    name: "ingestion leaves its positions out of the commit",
    tampering: withCommits((request, name) =>
      name === "bronze/readings" && request.operation === "INGEST"
        ? { ...request, txns: new Map() }
        : request,
    ),
    foundBy: ["nothing is doubled", "positions say what was taken", "no LOG_OFFSET_LOST without a cause"],
  },
  {
    name: "refinement leaves its position out of the commit",
    tampering: withCommits((request, name) =>
      name === "silver/readings" && request.operation === "REFINE"
        ? { ...request, txns: new Map() }
        : request,
    ),
    foundBy: ["all work comes to its end"],
  },
  {
    name: "a commit comes before its data files",
    tampering: { store: commitFirst },
    foundBy: DAMAGE,
  },
  {
    name: "a commit takes the place of another",
    tampering: { store: overwriting },
    foundBy: ["a version has one writer", "a version is the same for all readers"],
  },
  {
    name: "gold forgets one of the days that changed",
    tampering: { lake: forgetfulOfDays },
    foundBy: ["gold is a function of silver", "gold is idempotent"],
  },
  {
    name: "vacuum removes files of any age",
    tampering: { store: ageless },
    foundBy: DAMAGE,
  },
  {
    name: "the log may forget messages before bronze has them",
    tampering: {
      log: (log) => ({
        ...log,
        read: async (from, limits, signal) => {
          const found = await log.read(from, limits, signal);
          await log.release(found.map(positionAfter));
          return found;
        },
      }),
    },
    foundBy: ["no LOG_OFFSET_LOST without a cause", "nothing acknowledged is lost"],
  },
  {
    name: "replay stores its progress after its messages",
    tampering: {
      log: (log) => ({
        ...log,
        append: async (batches, progress) => {
          await log.append(batches, progress && { ...progress, notes: new Map() });
          if (progress !== undefined) await log.append([], progress);
        },
      }),
    },
    foundBy: ["replay sends each line once"],
  },
  {
    name: "rejected messages are dropped",
    tampering: withCommits((request, name) =>
      name === "bronze/rejected" ? { ...request, adds: [] } : request,
    ),
    foundBy: ["nothing acknowledged is lost"],
  },
  {
    name: "duplicates are kept",
    tampering: {
      engine: (engine) => ({
        ...engine,
        write: async (transform, signal) => {
          const isSilver = transform.sql.includes("quality_flag = 'OK' as is_valid");
          const sql = isSilver ? silverSql({ withinBatch: false, withSilver: false }) : transform.sql;
          return engine.write({ ...transform, sql }, signal);
        },
      }),
    },
    foundBy: ["a reading is one row of silver"],
  },
  {
    name: "compaction loses the rows of a file",
    tampering: withCommits((request) =>
      request.operation === OPERATIONS.compact ? { ...request, adds: request.adds.slice(1) } : request,
    ),
    foundBy: ["nothing acknowledged is lost", "no reading is lost to silver", "gold is idempotent"],
  },
  {
    name: "compaction keeps a file beside the merged one",
    tampering: withCommits((request) =>
      request.operation === OPERATIONS.compact ? { ...request, removes: request.removes.slice(1) } : request,
    ),
    foundBy: ["nothing is doubled", "a reading is one row of silver", "gold is idempotent"],
  },
  {
    name: "restatements are dropped",
    tampering: withCommits((request, name) =>
      name === "gold/restatements" ? { ...request, adds: [] } : request,
    ),
    foundBy: ["every late change is restated"],
  },
  {
    name: "restatements leave their position out of the commit",
    tampering: withCommits((request, name) =>
      name === "gold/restatements" ? { ...request, txns: new Map() } : request,
    ),
    foundBy: ["restatements say what late readings changed"],
  },
  {
    name: "checkpoints forget positions",
    tampering: {
      codec: (codec) => ({
        ...codec,
        encode: async (lines) => codec.encode(lines.filter((line) => !line.startsWith('{"txn"'))),
      }),
    },
    foundBy: ["a version is the same for all readers", "a checkpoint says what the log says"],
  },
];

type Files = Parameters<NonNullable<Tampering["files"]>>[0];

function withoutSync(files: Files, isSpared: (path: string) => boolean): Files {
  return {
    ...files,
    open: async (path, flags) => {
      const file = await files.open(path, flags);
      return isSpared(path) ? { ...file, sync: async () => undefined } : file;
    },
  };
}

/** A sync of a folder right after one of its files was read, or it was listed, does nothing. */
function unsyncedAfterReading(files: Files): Files {
  let readIn = "";
  return {
    ...withoutSync(files, (path) => path === readIn),
    readFile: async (path) => {
      const bytes = await files.readFile(path);
      readIn = dirname(path);
      return bytes;
    },
    readdir: async (path, options) => {
      const entries = await files.readdir(path, options);
      readIn = path.replace(/\/$/, "");
      return entries;
    },
    link: async (existing, path) => {
      await files.link(existing, path);
      readIn = "";
    },
    rename: async (from, to) => {
      await files.rename(from, to);
      readIn = "";
    },
  };
}

/** A sync of the folder above one that was there already does nothing. */
function unsyncedWhereFound(files: Files): Files {
  const found = new Set<string>();
  return {
    ...withoutSync(files, (path) => found.has(path)),
    mkdir: async (path, options) => {
      try {
        const made = await files.mkdir(path, options);
        found.delete(dirname(path));
        return made;
      } catch (error) {
        if (systemCode(error) === "EEXIST") found.add(dirname(path));
        throw error;
      }
    },
    link: async (existing, path) => {
      await files.link(existing, path);
      found.delete(dirname(path));
    },
    rename: async (from, to) => {
      await files.rename(from, to);
      found.delete(dirname(to));
    },
  };
}

function withCommits(change: (request: CommitRequest, name: TableName) => CommitRequest): Tampering {
  return {
    lake: (lake) =>
      withTables(lake, (table, name) => ({
        ...table,
        commit: async (request) => table.commit(change(request, name)),
      })),
  };
}

function withTables(lake: Lake, change: (table: DeltaTable, name: TableName) => DeltaTable): Lake {
  return { ...lake, table: (name) => change(lake.table(name), name) };
}

function commitFirst(store: ObjectStore): ObjectStore {
  const waiting: (() => Promise<void>)[] = [];
  return {
    ...store,
    putFile: async (path, localPath) => void waiting.push(async () => store.putFile(path, localPath)),
    putIfAbsent: async (path, bytes) => {
      const isPut = await store.putIfAbsent(path, bytes);
      for (const move of waiting.splice(0)) await move();
      return isPut;
    },
  };
}

function overwriting(store: ObjectStore): ObjectStore {
  return {
    ...store,
    putIfAbsent: async (path, bytes) => {
      await store.put(path, bytes);
      return true;
    },
  };
}

function forgetfulOfDays(lake: Lake): Lake {
  return withTables(lake, (table, name) => ({
    ...table,
    changes: async (from, to) => {
      const changes = await table.changes(from, to);
      if (name !== "silver/readings") return changes;
      return changes.map((change) => ({ ...change, adds: change.adds.slice(0, -1) }));
    },
  }));
}

/** To vacuum every file looks as if it had been there for ever. */
function ageless(store: ObjectStore): ObjectStore {
  return {
    ...store,
    list: async (prefix, startAfter) => {
      const objects = await store.list(prefix, startAfter);
      return objects.map((object) =>
        object.path.endsWith(".zstd.parquet") ? { ...object, modifiedMs: 0 } : object,
      );
    },
  };
}

// A lake: its marker, its tables, and the two steps that every stage shares, reading a version and publishing files.

import { isAbsolute } from "node:path";
import {
  sqlNameOf,
  tableDefinition,
  tableNamed,
  type TableDefinition,
  type TableName,
} from "../reading/tables.ts";
import { invariant } from "../support/assert.ts";
import { uniqueId } from "../support/chance.ts";
import type { Clock } from "../support/clock.ts";
import { AtriumError } from "../support/errors.ts";
import { type Logger, silentLogger } from "../support/logger.ts";
import { inParallel } from "../support/parallel.ts";
import type { AddFile, TableSchema } from "./delta/actions.ts";
import type { CheckpointCodec } from "./delta/checkpoint.ts";
import type { ObjectStore } from "./delta/object-store.ts";
import { encodePath, partitionFolder, storePath } from "./delta/paths.ts";
import type { Snapshot } from "./delta/snapshot.ts";
import { fileStats } from "./delta/stats.ts";
import { deltaTable, type DeltaTable } from "./delta/table.ts";
import type { Engine, FilesInput, Transform, WrittenFile } from "./engine.ts";
import { type Holds, holdingEngine, makeHolds } from "./holds.ts";

/** Version of the stored formats: what a lake of this program holds and this program can read. */
export const LAKE_FORMAT_VERSION = 1;

/** What makes a place a lake, and says in which format. */
export const MARKER = "_atrium/lake.json";
/** Files that are moved at a time: so many that a slow store does not make a commit wait for each. */
const FILES_AT_ONCE = 64;

/** What a lake is made of. */
export interface LakeParts {
  readonly store: ObjectStore;
  readonly engine: Engine;
  readonly codec: CheckpointCodec;
  readonly clock: Clock;
  /** Partition columns of bronze/readings, from event_date on. */
  readonly bronzePartitionBy: readonly string[];
  /** Hears of what failed without harm, as a checkpoint. Default: silent. */
  readonly logger?: Logger;
  /** Makes the names of data files and the tokens of commits; no other process has them. Default: random UUIDs. */
  readonly newId?: () => string;
}

/** An open lake. */
export interface Lake extends LakeParts {
  /** Of its stored formats, as its marker says. */
  readonly formatVersion: number;
  definition(name: TableName): TableDefinition;
  table(name: TableName): DeltaTable;
  /** Keeps versions alive while they are read; calls of `engine` do so by themselves. */
  readonly holds: Holds;
}

/**
 * Opens the lake in a store, and makes it if `create` is set and the place is empty.
 * @throws LAKE_INVALID if other things are there, LAKE_NEWER if a newer program wrote it, NOT_FOUND if there is none
 */
export async function openLake(parts: LakeParts, options: { readonly create: boolean }): Promise<Lake> {
  const formatVersion = await checkMarker(parts.store, options.create);
  const newToken = parts.newId ?? uniqueId;
  const writerId = newToken();
  const tables = new Map<TableName, DeltaTable>();
  const definition = (name: TableName): TableDefinition => definitionIn(parts, name);
  const table = (name: TableName): DeltaTable => {
    const opened = tables.get(name) ?? deltaTable({ ...parts, path: name, writerId, newToken });
    tables.set(name, opened);
    return opened;
  };
  const holds = makeHolds({
    store: parts.store,
    clock: parts.clock,
    logger: parts.logger ?? silentLogger,
    id: newToken(),
    wasNewest: ({ table: path, version }, withinMs) => {
      const name = tableNamed(path);
      return name !== undefined && table(name).wasNewest(version, withinMs);
    },
  });
  return { ...parts, formatVersion, engine: holdingEngine(parts.engine, holds), holds, definition, table };
}

/** The newest version of a table, made empty if it is missing. */
export async function ensureTable(lake: Lake, name: TableName): Promise<Snapshot> {
  return (await lake.table(name).snapshot()) ?? (await lake.table(name).create(lake.definition(name)));
}

/** A version's files (all of them, or those given) as an input named as the table is in SQL. */
export function tableInput(
  lake: Pick<Lake, "definition">,
  name: TableName,
  source: {
    readonly snapshot: Snapshot | undefined;
    readonly files?: readonly Pick<AddFile, "path" | "partitionValues">[];
  },
): FilesInput {
  const files = source.files ?? [...(source.snapshot?.files.values() ?? [])];
  const { columns, partitionColumns } = source.snapshot?.schema ?? lake.definition(name);
  const version = source.snapshot?.version;
  return {
    kind: "files",
    name: sqlNameOf(name),
    columns,
    partitionColumns,
    files: files.map(({ path, partitionValues }) => ({ path: storePath(name, path), partitionValues })),
    ...(version === undefined ? {} : { source: { table: name, version } }),
  };
}

/** Runs a transform and moves its files into the table's folder, unseen until a commit names them. */
export async function writeFiles(
  lake: Lake,
  name: TableName,
  transform: Pick<Transform, "sql" | "inputs">,
): Promise<readonly AddFile[]> {
  // A table keeps the partition columns with which it was made, whatever the setting says now.
  const { schema } = await ensureTable(lake, name);
  const { columns, partitionColumns } = schema;
  await using written = await lake.engine.write({ ...transform, columns, partitionColumns, into: name });
  return await publish(lake, name, { schema, files: written.files });
}

/** Moves written files that are not in the lake yet into the folder of their partition; they stay unseen until a commit names them. */
export async function publish(
  lake: Lake,
  name: TableName,
  { schema, files }: { readonly schema: TableSchema; readonly files: readonly WrittenFile[] },
): Promise<readonly AddFile[]> {
  return inParallel(files, FILES_AT_ONCE, async (file) => {
    return {
      path: await pathInTable(lake, name, { schema, file }),
      partitionValues: file.partitionValues,
      size: file.sizeBytes,
      modificationTime: lake.clock.nowMs(),
      dataChange: true,
      stats: fileStats(file.rowCount, file.columns, schema),
    };
  });
}

/** Where a written file is in the table, as the log says it; it is moved there if it must be. */
async function pathInTable(
  lake: Lake,
  name: TableName,
  { schema, file }: { readonly schema: TableSchema; readonly file: WrittenFile },
): Promise<string> {
  if (!isAbsolute(file.path)) {
    invariant(file.path.startsWith(`${name}/`), `${file.path} was written for ${name}`);
    return encodePath(file.path.slice(name.length + 1));
  }
  const newId = lake.newId ?? uniqueId;
  const folder = partitionFolder(schema.partitionColumns, file.partitionValues);
  const path = encodePath(`${folder}/part-${newId()}.zstd.parquet`);
  await lake.store.putFile(storePath(name, path), file.path);
  return path;
}

function definitionIn(parts: LakeParts, name: TableName): TableDefinition {
  return name === "bronze/readings" ? tableDefinition(name, parts.bronzePartitionBy) : tableDefinition(name);
}

/** The format that the marker names; makes the marker where it may. */
async function checkMarker(store: ObjectStore, create: boolean): Promise<number> {
  const marker = await readMarker(store);
  if (marker !== undefined) {
    if (marker <= LAKE_FORMAT_VERSION) return marker;
    throw new AtriumError(
      "LAKE_NEWER",
      `The lake ${store.url} has format ${marker}, and this version of Atrium reads up to ${LAKE_FORMAT_VERSION}: use a newer Atrium.`,
    );
  }
  const others = (await store.list("")).filter((object) => !object.path.startsWith("_"));
  if (others.length > 0) {
    // Another process may have made the lake between the two looks.
    if ((await readMarker(store)) !== undefined) return checkMarker(store, create);
    throw new AtriumError(
      "LAKE_INVALID",
      `${store.url} is no lake: it holds ${others[0]?.path ?? "files"}, but no ${MARKER}. Name an empty or new folder with LAKE_URL or --lake.`,
    );
  }
  if (!create) {
    throw new AtriumError(
      "NOT_FOUND",
      `There is no lake in ${store.url}. Fill one first, for example with atrium run --raw DIR --lake DIR.`,
    );
  }
  const text = JSON.stringify({ formatVersion: LAKE_FORMAT_VERSION });
  await store.putIfAbsent(MARKER, new TextEncoder().encode(`${text}\n`));
  return LAKE_FORMAT_VERSION;
}

async function readMarker(store: ObjectStore): Promise<number | undefined> {
  let text: string;
  try {
    text = new TextDecoder().decode(await store.get(MARKER));
  } catch (error) {
    if (error instanceof AtriumError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
  const version = /"formatVersion"\s*:\s*(\d+)/.exec(text)?.[1];
  if (version !== undefined) return Number(version);
  throw new AtriumError(
    "LAKE_INVALID",
    `${store.url}/${MARKER} is damaged: it should read {"formatVersion":${LAKE_FORMAT_VERSION}}. Restore it.`,
  );
}

// The actions of a Delta log as they are stored: one JSON object a line. Source: the Delta protocol, "Actions".

import type { ColumnType } from "../../reading/tables.ts";
import { invariant } from "../../support/assert.ts";
import { AtriumError, messageOf } from "../../support/errors.ts";

/** One column of a Delta table. */
export interface ColumnSchema {
  readonly name: string;
  readonly type: ColumnType;
  /** False where null is refused. Default: true. */
  readonly nullable?: boolean;
}

/** Columns, partition columns (a part of the columns, in order) and Delta settings of a table. */
export interface TableSchema {
  readonly columns: readonly ColumnSchema[];
  readonly partitionColumns: readonly string[];
  /** Settings such as `delta.checkpointInterval`; all values are text. */
  readonly configuration?: Readonly<Record<string, string>>;
}

/** Partition column -> its value as text, null for none. */
export type PartitionValues = Readonly<Record<string, string | null>>;

/** A data file that belongs to the table from this commit on. */
export interface AddFile {
  /** Relative to the table, percent-encoded: see paths.ts. */
  readonly path: string;
  readonly partitionValues: PartitionValues;
  /** Bytes. */
  readonly size: number;
  /** ms since the epoch. */
  readonly modificationTime: number;
  /** False where rows were only moved (compaction). */
  readonly dataChange: boolean;
  /** FileStats as JSON. */
  readonly stats?: string;
  readonly tags?: Readonly<Record<string, string | null>>;
}

/** AddFile as the log names it. */
export type AddAction = AddFile;

/** A data file that no longer belongs to the table; it stays on disk as a tombstone for older versions. */
export interface RemoveAction {
  readonly path: string;
  readonly dataChange: boolean;
  /** ms since the epoch. */
  readonly deletionTimestamp?: number;
  /** True if partitionValues and size are given, and tags if the file has any. */
  readonly extendedFileMetadata?: boolean;
  readonly partitionValues?: PartitionValues;
  readonly size?: number;
  /** Those of the file. A checkpoint does not keep them. */
  readonly tags?: Readonly<Record<string, string | null>>;
}

/** Identity, schema and settings of the table. */
export interface MetadataAction {
  readonly id: string;
  readonly name?: string;
  readonly description?: string;
  readonly format: { readonly provider: string; readonly options: Readonly<Record<string, string>> };
  /** See schema.ts. */
  readonly schemaString: string;
  readonly partitionColumns: readonly string[];
  readonly configuration: Readonly<Record<string, string>>;
  readonly createdTime?: number;
}

/** What a reader and a writer must be able to do. */
export interface ProtocolAction {
  readonly minReaderVersion: number;
  readonly minWriterVersion: number;
  readonly readerFeatures?: readonly string[];
  readonly writerFeatures?: readonly string[];
}

/** How far an application has come: the last position it committed. */
export interface TxnAction {
  readonly appId: string;
  /** At most 2^53 - 1. */
  readonly version: bigint;
  /** ms since the epoch. */
  readonly lastUpdated?: number;
}

/** Notes of the writer on its commit; every member is free. */
export type CommitInfo = Readonly<Record<string, unknown>>;

/** One line of the log: exactly one member is there. Kinds that are not listed here are skipped on reading. */
export interface Action {
  readonly commitInfo?: CommitInfo;
  readonly protocol?: ProtocolAction;
  readonly metaData?: MetadataAction;
  readonly txn?: TxnAction;
  readonly add?: AddAction;
  readonly remove?: RemoveAction;
}

/**
 * The actions in the bytes of a commit file, in their order; kinds and members that are not known are left out.
 * @throws TABLE_CORRUPT with file and line.
 */
export function parseActions(bytes: Uint8Array, file: string): readonly Action[] {
  return parseActionLines(new TextDecoder().decode(bytes).split("\n"), file);
}

/** Like parseActions, of lines. @throws TABLE_CORRUPT with file and line. */
export function parseActionLines(lines: readonly string[], file: string): readonly Action[] {
  const actions: Action[] = [];
  for (const [index, line] of lines.entries()) {
    if (line.trim() === "") continue;
    const action = parseAction(line, `${file}, line ${index + 1}`);
    if (action !== undefined) actions.push(action);
  }
  return actions;
}

/** The action as one line, without its line break. */
export function encodeAction(action: Action): string {
  if (action.txn === undefined) return JSON.stringify(action);
  const { version } = action.txn;
  invariant(
    version <= BigInt(Number.MAX_SAFE_INTEGER),
    `position ${version} of ${action.txn.appId} is at most 2^53 - 1`,
  );
  return JSON.stringify({ txn: { ...action.txn, version: Number(version) } });
}

/** The bytes of a commit file. */
export function encodeActions(actions: readonly Action[]): Uint8Array {
  return new TextEncoder().encode(actions.map((action) => `${encodeAction(action)}\n`).join(""));
}

/** A JSON object of the log, and where it stands for messages. */
interface Stored {
  readonly members: Readonly<Record<string, unknown>>;
  readonly where: string;
}

function parseAction(line: string, where: string): Action | undefined {
  const { members } = storedIn(parseJson(line, where), where);
  const of = (kind: keyof Action): Stored | undefined => {
    const value = members[kind];
    return value === undefined || value === null ? undefined : storedIn(value, `${where}, ${kind}`);
  };
  const [add, remove, txn] = [of("add"), of("remove"), of("txn")];
  if (add !== undefined) return { add: addOf(add) };
  if (remove !== undefined) return { remove: removeOf(remove) };
  if (txn !== undefined) return { txn: txnOf(txn) };
  const [commitInfo, metaData, protocol] = [of("commitInfo"), of("metaData"), of("protocol")];
  if (commitInfo !== undefined) return { commitInfo: commitInfo.members };
  if (metaData !== undefined) return { metaData: metadataOf(metaData) };
  if (protocol !== undefined) return { protocol: protocolOf(protocol) };
  return undefined;
}

function addOf(from: Stored): AddAction {
  return {
    path: need(from, "path", isText),
    partitionValues: need(from, "partitionValues", isNullableTexts),
    size: need(from, "size", isWhole),
    modificationTime: need(from, "modificationTime", isWhole),
    dataChange: need(from, "dataChange", isTruth),
    ...maybe(from, "stats", isText),
    ...maybe(from, "tags", isNullableTexts),
  };
}

function removeOf(from: Stored): RemoveAction {
  return {
    path: need(from, "path", isText),
    dataChange: need(from, "dataChange", isTruth),
    ...maybe(from, "deletionTimestamp", isWhole),
    ...maybe(from, "extendedFileMetadata", isTruth),
    ...maybe(from, "partitionValues", isNullableTexts),
    ...maybe(from, "size", isWhole),
    ...maybe(from, "tags", isNullableTexts),
  };
}

function txnOf(from: Stored): TxnAction {
  const version = BigInt(need(from, "version", isWhole));
  return { appId: need(from, "appId", isText), version, ...maybe(from, "lastUpdated", isWhole) };
}

function metadataOf(from: Stored): MetadataAction {
  const format = storedIn(from.members["format"], `${from.where}.format`);
  return {
    id: need(from, "id", isText),
    ...maybe(from, "name", isText),
    ...maybe(from, "description", isText),
    format: {
      provider: need(format, "provider", isText),
      options: maybe(format, "options", isTexts).options ?? {},
    },
    schemaString: need(from, "schemaString", isText),
    partitionColumns: need(from, "partitionColumns", isTextList),
    configuration: maybe(from, "configuration", isTexts).configuration ?? {},
    ...maybe(from, "createdTime", isWhole),
  };
}

function protocolOf(from: Stored): ProtocolAction {
  return {
    minReaderVersion: need(from, "minReaderVersion", isWhole),
    minWriterVersion: need(from, "minWriterVersion", isWhole),
    ...maybe(from, "readerFeatures", isTextList),
    ...maybe(from, "writerFeatures", isTextList),
  };
}

type Check<T> = (value: unknown) => value is T;

function need<T>(from: Stored, name: string, check: Check<T>): T {
  const value = from.members[name];
  if (!check(value)) {
    throw corrupt(from.where, `\`${name}\` is ${value === undefined ? "missing" : "not of its type"}`);
  }
  return value;
}

/** The member under its name, or nothing where it is absent or null. */
function maybe<K extends string, T>(from: Stored, name: K, check: Check<T>): { readonly [P in K]?: T } {
  const value = from.members[name];
  if (value === undefined || value === null) return {};
  // A computed key widens to `string` in TypeScript; `need` has checked the value.
  return { [name]: need(from, name, check) } as { readonly [P in K]?: T };
}

function parseJson(line: string, where: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw corrupt(where, messageOf(cause), cause);
  }
}

function storedIn(value: unknown, where: string): Stored {
  if (!isMembers(value)) throw corrupt(where, "this is not a JSON object");
  return { members: value, where };
}

function corrupt(where: string, reason: string, cause?: unknown): AtriumError {
  const advice =
    "Restore the file from a backup; only if it is the newest commit and was cut short, delete it.";
  return new AtriumError("TABLE_CORRUPT", `Cannot read ${where}: ${reason}. ${advice}`, { cause });
}

const isText = (value: unknown): value is string => typeof value === "string";
const isTruth = (value: unknown): value is boolean => typeof value === "boolean";
const isWhole = (value: unknown): value is number => Number.isSafeInteger(value);
const isMembers = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isTexts = (value: unknown): value is Readonly<Record<string, string>> =>
  isMembers(value) && Object.values(value).every(isText);
const isNullableTexts = (value: unknown): value is PartitionValues =>
  isMembers(value) && Object.values(value).every((text) => text === null || isText(text));
const isTextList = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every(isText);

// What a commit says, and whether it still holds after another writer was faster. Pure: table.ts does the writing.

import { invariant, present } from "../../support/assert.ts";
import { AtriumError } from "../../support/errors.ts";
import type { Action, AddFile, PartitionValues, RemoveAction, TableSchema } from "./actions.ts";
import { isAppendOnly } from "./settings.ts";
import type { Commit, Snapshot } from "./snapshot.ts";
import { statsOf } from "./stats.ts";

/** Who wrote a commit: in its `engineInfo`. */
export const ENGINE_INFO = "Atrium/1";

/** In the notes of a commit: how many actions follow them. A file that was cut at the end of a line is found by it. */
export const ACTION_COUNT = "actionCount";

/** The txn appId of a fence: files made before its position, ms since the epoch, may no longer be added. See vacuum.ts. */
export const FENCE_APP_ID = "vacuum";

/**
 * What a commit depends on beside its positions, the table's metadata and the files that it removes. `append`: nothing
 * more; compaction commits so too, for appends beside it do it no harm. `derive`: that nobody else removed rows, for what
 * was read elsewhere may have been removed there too (an erased room must not come back). `replace`: that nobody else
 * added or removed files in these partitions. A partition names some or all partition columns; `{}` is the whole table.
 */
export type Isolation =
  | { readonly kind: "append" }
  | { readonly kind: "derive" }
  | { readonly kind: "replace"; readonly partitions: readonly PartitionValues[] };

/** One change of a table. Handing in the same object again after a failure commits it at most once. */
export interface CommitRequest {
  /** What the writer read. */
  readonly base: Snapshot;
  /** New files; their paths are not in the base. */
  readonly adds: readonly AddFile[];
  /** Paths of files of the base. */
  readonly removes: readonly string[];
  /** appId -> its last position, above that of the base. */
  readonly txns: ReadonlyMap<string, bigint>;
  /** Tells the commits of one batch, in any table, from others. Default: the commit's own id. */
  readonly batchId?: string;
  /** For people: WRITE, OPTIMIZE … */
  readonly operation: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly isolation: Isolation;
  /** False where rows are only moved. It goes for all files of the commit. */
  readonly dataChange: boolean;
  /** The commit's time is at least this, ms since the epoch: its rows carry it. Default: the clock's. */
  readonly notBeforeMs?: number;
  /** Further notes for the log. */
  readonly commitInfo?: Readonly<Record<string, unknown>>;
}

/** What the writer itself adds to a commit. */
export interface CommitFacts {
  readonly timestampMs: number;
  readonly writerId: string;
  /** Unique to the request: it tells the writer's own commit from others'. */
  readonly token: string;
}

/** A race that a request lost. */
export interface Race {
  readonly table: string;
  /** The table before the winner. */
  readonly head: Snapshot;
  /** The commit that follows `head`. */
  readonly winner: Commit;
}

/**
 * Checks a request against its own base, before anything is written.
 * @throws COMMIT_OVERTAKEN if the base already holds one of its positions; TABLE_UNSUPPORTED for removing rows of an
 * append-only table; INTERNAL for files that break the table's rules.
 */
export function checkRequest(table: string, request: CommitRequest): void {
  const { base, adds, removes, txns } = request;
  for (const [appId, position] of txns) {
    const last = base.txns.get(appId);
    if (last !== undefined && position <= last) throw overtaken(table, appId, last);
  }
  for (const path of removes) {
    invariant(base.files.has(path), `${path}, to be removed, is in version ${base.version}`);
  }
  invariant(new Set(removes).size === removes.length, "a commit removes a file once");
  for (const add of adds) checkAdd(base, add);
  invariant(new Set(adds.map((add) => add.path)).size === adds.length, "a commit adds a file once");
  if (removes.length > 0 && request.dataChange && isAppendOnly(base.schema)) {
    const message =
      `Table ${table} is append-only (delta.appendOnly): ${request.operation} may not remove its rows. ` +
      "Unset it first.";
    throw new AtriumError("TABLE_UNSUPPORTED", message, { details: { table } });
  }
}

/**
 * Checks whether a request still holds after another commit was faster.
 * @throws COMMIT_OVERTAKEN if it moved one of the request's positions; COMMIT_CONFLICT if it changed what was read.
 */
export function checkWinner(request: CommitRequest, race: Race): void {
  const { table, head, winner } = race;
  for (const { txn, metaData, protocol, add, remove } of winner.actions) {
    if (
      txn !== undefined &&
      request.txns.has(txn.appId) &&
      txn.version !== request.base.txns.get(txn.appId)
    ) {
      throw overtaken(table, txn.appId, txn.version);
    }
    const conflict = (what: string): AtriumError => conflictWith(request, race, what);
    if (metaData !== undefined || protocol !== undefined) throw conflict("changed the table's metadata");
    if (txn?.appId === FENCE_APP_ID && request.adds.some((own) => own.modificationTime < txn.version)) {
      throw conflict("says that vacuum may have removed this commit's files, which waited for it too long");
    }
    if (remove !== undefined && request.removes.includes(remove.path)) {
      throw conflict(`removed ${remove.path} too`);
    }
    if (add !== undefined && request.adds.some((own) => own.path === add.path)) {
      throw conflict(`added ${add.path} too`);
    }
    if (remove?.dataChange === true && request.isolation.kind === "derive") {
      throw conflict(`removed rows: ${remove.path}`);
    }
    const path = add?.path ?? remove?.path;
    const values = add?.partitionValues ?? (remove && valuesOfRemoved(remove, head));
    if (path !== undefined && readsPartition(request, values)) {
      throw conflict(`changed a partition that was read: ${path}`);
    }
  }
}

/** The actions of a request as the commit after `head`. */
export function commitActions(request: CommitRequest, head: Snapshot, facts: CommitFacts): readonly Action[] {
  const { timestampMs, writerId, token } = facts;
  const { operation, dataChange, removes, adds, txns, batchId } = request;
  return [
    {
      commitInfo: {
        ...request.commitInfo,
        timestamp: timestampMs,
        operation,
        operationParameters: request.parameters ?? {},
        readVersion: request.base.version,
        isBlindAppend: removes.length === 0 && request.isolation.kind !== "replace",
        engineInfo: ENGINE_INFO,
        writerId,
        txnId: token,
        ...(batchId === undefined ? {} : { batchId }),
        [ACTION_COUNT]: txns.size + removes.length + adds.length,
      },
    },
    ...[...txns].map(([appId, version]) => ({ txn: { appId, version, lastUpdated: timestampMs } })),
    ...removes.map((path) => ({
      remove: removeOf(present(head.files.get(path), path), { timestampMs, dataChange }),
    })),
    ...adds.map((add) => ({ add: { ...add, dataChange } })),
  ];
}

/** True if the commit is the one that carries this token. */
export function isOwnCommit(commit: Commit, token: string): boolean {
  return commit.actions.some(({ commitInfo }) => commitInfo?.["txnId"] === token);
}

function checkAdd(base: Snapshot, add: AddFile): void {
  invariant(!base.files.has(add.path), `${add.path}, to be added, is not in version ${base.version} already`);
  for (const column of base.schema.partitionColumns) {
    invariant(column in add.partitionValues, `${add.path} has a value for the partition column ${column}`);
  }
  const required = requiredColumns(base.schema);
  const nullCount = required.length > 0 ? statsOf(add)?.nullCount : undefined;
  for (const column of required) {
    invariant((nullCount?.[column] ?? 0) === 0, `${column} of ${add.path} has no null`);
  }
}

function requiredColumns(schema: TableSchema): readonly string[] {
  return schema.columns.filter((column) => column.nullable === false).map((column) => column.name);
}

function removeOf(
  { path, partitionValues, size, tags }: AddFile,
  { timestampMs, dataChange }: { readonly timestampMs: number; readonly dataChange: boolean },
): RemoveAction {
  return {
    path,
    deletionTimestamp: timestampMs,
    dataChange,
    extendedFileMetadata: true,
    partitionValues,
    size,
    ...(tags === undefined ? {} : { tags }),
  };
}

/** Other writers may leave the partition out of a remove action; the file's own add action has it. */
function valuesOfRemoved(remove: RemoveAction, head: Snapshot): PartitionValues | undefined {
  return head.files.get(remove.path)?.partitionValues ?? remove.partitionValues;
}

/** True if the file's partition is one that the request read, or is not known. */
function readsPartition({ isolation }: CommitRequest, values: PartitionValues | undefined): boolean {
  if (isolation.kind !== "replace") return false;
  return isolation.partitions.some((wanted) =>
    Object.entries(wanted).every(
      ([column, value]) => values === undefined || (values[column] ?? null) === value,
    ),
  );
}

/** COMMIT_OVERTAKEN: the table has `position` of `appId` from another writer. */
export function overtaken(table: string, appId: string, position: bigint): AtriumError {
  const message =
    `Another writer has already committed ${appId} up to position ${position} to table ${table}. ` +
    "Let only one process write these positions; restart this one to go on from the table.";
  return new AtriumError("COMMIT_OVERTAKEN", message, {
    details: { table, appId, position: String(position) },
  });
}

function conflictWith(request: CommitRequest, { table, winner }: Race, what: string): AtriumError {
  const { version } = winner;
  const message =
    `${request.operation} of table ${table} is based on version ${request.base.version}, ` +
    `but version ${version} ${what}. ` +
    "Read the table again and repeat it.";
  return new AtriumError("COMMIT_CONFLICT", message, { details: { table, version } });
}

// Restore: a new version with the files of an older one. Nothing is rewritten, and no version is lost.
//
// Positions (txns) stay as they are, for they never go back: rows that a restore of bronze takes away are not ingested
// again. The stages behind follow the table's changes as always: files that come back are new to them.

import type { TableName } from "../../reading/tables.ts";
import { AtriumError, isAtriumError } from "../../support/errors.ts";
import { unmarkDistinct } from "../bronze/distinct-keys.ts";
import type { MetadataAction } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import type { Lake } from "../lake.ts";
import { OPERATIONS } from "../operations.ts";
import { rowsIn } from "../summary.ts";
import { type AsOf, snapshotAsOf, versionOf } from "../time-travel.ts";

/** A restore is given up after losing so often to other writers. */
const ATTEMPTS_MAX = 5;

/** What a restore did. */
export interface Restored {
  /** The version whose files the table has again. */
  readonly from: number;
  /** The new version; the newest as it was, if that had these files already. */
  readonly version: number;
  readonly filesAdded: number;
  readonly filesRemoved: number;
  readonly rowsAdded: number;
  readonly rowsRemoved: number;
}

/**
 * Makes the newest version of a table have the files of an older one.
 * @throws NOT_FOUND if that one is not there or not whole; TABLE_UNSUPPORTED if its schema or settings were others;
 * COMMIT_CONFLICT if other writers were faster a few times in a row
 */
export async function restoreTable(lake: Lake, name: TableName, asOf: AsOf): Promise<Restored> {
  const version = await versionOf(lake, name, asOf);
  for (let attempt = 1; ; attempt += 1) {
    try {
      // Held, so that vacuum leaves its files while they have no version yet that is new.
      const work = async (): Promise<Restored> => restoreOnce(lake, name, version);
      return await lake.holds.during([{ table: name, version }], work);
    } catch (error) {
      if (!isAtriumError(error, "COMMIT_CONFLICT") || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

async function restoreOnce(lake: Lake, name: TableName, from: number): Promise<Restored> {
  const table = lake.table(name);
  const wanted = await snapshotAsOf(lake, name, { version: from });
  const head = await table.snapshot();
  if (wanted === undefined || head === undefined) {
    throw new AtriumError(
      "NOT_FOUND",
      `There is no table ${name} in ${lake.store.url} yet: nothing to restore.`,
    );
  }
  requireSameSchema(name, wanted, head);
  const missing = [...wanted.files.values()].filter((file) => !head.files.has(file.path));
  const added = [...head.files.values()].filter((file) => !wanted.files.has(file.path));
  const done = {
    from: wanted.version,
    filesAdded: missing.length,
    filesRemoved: added.length,
    rowsAdded: rowsIn(missing),
    rowsRemoved: rowsIn(added),
  };
  if (missing.length + added.length === 0) return { ...done, version: head.version };
  const { version } = await table.commit({
    base: head,
    // Files of several versions come in one: what is known of the keys of each says nothing of them all.
    adds: missing.map(unmarkDistinct),
    removes: added.map((file) => file.path),
    txns: new Map(),
    operation: OPERATIONS.restore,
    parameters: { version: String(wanted.version) },
    isolation: { kind: "replace", partitions: [{}] },
    dataChange: true,
    commitInfo: { operationMetrics: { numDeletedRows: String(done.rowsRemoved) } },
  });
  return { ...done, version };
}

function requireSameSchema(name: TableName, wanted: Snapshot, head: Snapshot): void {
  if (formOf(wanted.metadata) === formOf(head.metadata)) return;
  throw new AtriumError(
    "TABLE_UNSUPPORTED",
    `Version ${wanted.version} of table ${name} has another schema, partitioning or settings than the newest, ` +
      `${head.version}: restore only goes back to where they were the same.`,
    { details: { table: name } },
  );
}

function formOf({ id, schemaString, partitionColumns, configuration }: MetadataAction): string {
  const settings = Object.entries(configuration).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([id, schemaString, partitionColumns, settings]);
}

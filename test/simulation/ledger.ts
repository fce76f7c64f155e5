// What the simulation knows to be true: every message that is in the log, every commit that was acknowledged, every version
// that was seen. A contradiction is a failure with the name of the check that found it.

import type { CommitRequest } from "../../src/lakehouse/delta/commit.ts";
import type { Snapshot } from "../../src/lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../src/lakehouse/delta/table.ts";
import type { OutgoingBatch } from "../../src/log/event-log.ts";
import { placeOf } from "../../src/log/positions.ts";
import { keyAt, valuesOf } from "../../src/log/records.ts";

/** A promise that did not hold. */
export interface Failure {
  /** Names the check. */
  readonly check: string;
  readonly message: string;
}

/** A message that is in the log. */
export interface LoggedMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly value: Uint8Array;
  readonly logTimeMs: number;
  readonly producer: string;
}

/** A commit whose writer was told that it is done. */
export interface AcknowledgedCommit {
  readonly writer: string;
  readonly adds: readonly string[];
}

/** The truth of one history. */
export class Ledger {
  readonly messages: LoggedMessage[] = [];
  /** Table -> version -> commit. */
  readonly commits = new Map<string, Map<number, AcknowledgedCommit>>();
  readonly #ends = new Map<string, number>();
  readonly #seen = new Map<string, Map<number, string>>();
  failure: Failure | undefined;

  /** Notes a failure, of which the first counts. */
  fail(check: string, message: string): void {
    this.failure ??= { check, message };
  }

  appended(batches: readonly OutgoingBatch[], logTimeMs: number, producer: string): void {
    for (const { topic, partition, records } of batches) {
      let index = 0;
      for (const value of valuesOf(records)) {
        const place = placeOf({ topic, partition });
        const offset = this.#ends.get(place) ?? 0;
        this.#ends.set(place, offset + 1);
        const key = keyAt(records, index) ?? "";
        this.messages.push({ topic, partition, offset, key, value: value.slice(), logTimeMs, producer });
        index += 1;
      }
    }
  }

  acknowledged(table: string, version: number, { adds, ...commit }: AcknowledgedCommit): void {
    const commits = versionsOf(this.commits, table);
    const other = commits.get(version);
    if (other !== undefined) {
      const message = `${table} version ${version} was acknowledged to ${other.writer} and to ${commit.writer}`;
      this.fail("a version has one writer", message);
    }
    commits.set(version, { ...commit, adds });
  }

  /** Every reader of a version sees the same. */
  saw(table: string, snapshot: Snapshot): void {
    const told = JSON.stringify([
      [...snapshot.files.keys()].toSorted(),
      [...snapshot.txns].map(String).toSorted(),
    ]);
    const seen = versionsOf(this.#seen, table);
    const before = seen.get(snapshot.version);
    if (before !== undefined && before !== told) {
      const message = `${table} version ${snapshot.version} was ${before} and is ${told}`;
      this.fail("a version is the same for all readers", message);
    }
    seen.set(snapshot.version, told);
  }

  /** What nobody was told to be committed may be gone, or made anew. */
  powerCut(): void {
    for (const [table, seen] of this.#seen) {
      const last = Math.max(-1, ...versionsOf(this.commits, table).keys());
      for (const version of seen.keys()) if (version > last) seen.delete(version);
    }
  }
}

/** The table, with its commits and snapshots noted. */
export function watchedTable(table: DeltaTable, ledger: Ledger, writer: string): DeltaTable {
  return {
    ...table,
    snapshot: async (version) => {
      const snapshot = await table.snapshot(version);
      if (snapshot !== undefined) ledger.saw(table.path, snapshot);
      return snapshot;
    },
    commit: async (request: CommitRequest) => {
      const snapshot = await table.commit(request);
      const adds = request.adds.map((add) => add.path);
      ledger.acknowledged(table.path, snapshot.version, { writer, adds });
      return snapshot;
    },
  };
}

function versionsOf<T>(tables: Map<string, Map<number, T>>, table: string): Map<number, T> {
  const found = tables.get(table) ?? new Map<number, T>();
  tables.set(table, found);
  return found;
}

// A table's log: commits without a gap, each readable and in keeping with those before it, checkpoints that say the same.

import type { TableName } from "../../reading/tables.ts";
import { isAtriumError } from "../../support/errors.ts";
import type { AddFile } from "../delta/actions.ts";
import {
  type Checkpoint,
  hintedVersion,
  hintPath,
  logFilePath,
  type LogPlace,
  readCheckpoint,
} from "../delta/checkpoint.ts";
import { type Listing, listLog, readCommit } from "../delta/log-reader.ts";
import type { Commit, Snapshot } from "../delta/snapshot.ts";
import { finding, type FindingKind } from "./finding.ts";
import type { Job } from "./job.ts";

/** What the log of a table tells the other checks. */
export interface LogFacts {
  readonly snapshot: Snapshot;
  /** Operations of the commits that are still there. */
  readonly operations: ReadonlySet<string>;
  /** True if the log is there from version 0 on. */
  readonly isWhole: boolean;
}

/** Commits that are in memory at once. */
const COMMITS_AT_ONCE = 64;

/** Checks the log of a table; undefined if the table does not exist or cannot be loaded. */
export async function checkLog(job: Job, name: TableName): Promise<LogFacts | undefined> {
  const { store, codec } = job.lake;
  const place: LogPlace = { store, path: name, codec };
  const check = new LogCheck(job, place, name);
  const listing = await check.guarded("table_unreadable", async () => listLog(place, 0));
  if (listing === undefined) return undefined;
  if (listing.commits.length === 0 && listing.checkpoints.length === 0) {
    if ((await store.list(`${name}/`)).length > 0) {
      check.fault("table_unreadable", "There are files, but the log holds no commit.");
    }
    return undefined;
  }
  check.gaps(listing);
  await check.walk(listing);
  await check.hint(listing);
  const snapshot = await check.guarded("table_unreadable", async () => job.lake.table(name).snapshot());
  return snapshot && { snapshot, operations: check.operations, isWhole: listing.commits[0] === 0 };
}

class LogCheck {
  readonly operations = new Set<string>();
  readonly #job: Job;
  readonly #place: LogPlace;
  readonly #name: TableName;
  /** Replayed from the start, while every commit could be read. */
  #state: LogState | undefined;

  constructor(job: Job, place: LogPlace, name: TableName) {
    this.#job = job;
    this.#place = place;
    this.#name = name;
  }

  fault(kind: FindingKind, what: string, file?: string): void {
    this.#job.report(finding(this.#name, kind, { what, ...(file === undefined ? {} : { file }) }));
  }

  /** Runs a step whose failure is a finding. Faults of the store are thrown on: they say nothing of the table. */
  async guarded<Result>(
    kind: FindingKind,
    work: () => Promise<Result>,
    file?: string,
  ): Promise<Result | undefined> {
    try {
      return await work();
    } catch (error) {
      const codes = ["TABLE_CORRUPT", "TABLE_UNSUPPORTED", "NOT_FOUND"];
      if (!isAtriumError(error) || !codes.includes(error.code)) throw error;
      this.fault(kind, error.message, file);
      return undefined;
    }
  }

  gaps({ commits, checkpoints }: Listing): void {
    const [oldest = 0] = commits;
    const newest = Math.max(commits.at(-1) ?? -1, checkpoints[0]?.version ?? -1);
    const there = new Set(commits);
    for (let version = oldest; version <= newest; version += 1) {
      if (there.has(version)) continue;
      const file = logFilePath(this.#name, version, ".json");
      this.fault(
        "commit_missing",
        `Version ${version} is missing between ${oldest} and the newest, ${newest}.`,
        file,
      );
    }
  }

  /** Reads all commits in their order, and compares the state with every checkpoint on the way. */
  async walk({ commits, checkpoints }: Listing): Promise<void> {
    const points = new Map(checkpoints.map((checkpoint) => [checkpoint.version, checkpoint]));
    const [oldest = 0] = commits;
    for (const checkpoint of checkpoints) {
      if (checkpoint.version < oldest) await this.#compare(checkpoint);
    }
    for (let start = 0; start < commits.length; start += COMMITS_AT_ONCE) {
      const versions = commits.slice(start, start + COMMITS_AT_ONCE);
      const read = await Promise.all(versions.map(async (version) => this.#read(version)));
      for (const [index, commit] of read.entries()) {
        const version = versions[index] ?? 0;
        this.#apply(version, commit);
        const checkpoint = points.get(version);
        if (checkpoint !== undefined) await this.#compare(checkpoint);
      }
    }
  }

  async hint({ checkpoints }: Listing): Promise<void> {
    const path = hintPath(this.#name);
    let bytes: Uint8Array;
    try {
      bytes = await this.#place.store.get(path);
    } catch (error) {
      if (isAtriumError(error, "NOT_FOUND")) return;
      throw error;
    }
    const version = hintedVersion(bytes);
    const known = checkpoints.some((checkpoint) => checkpoint.version === version);
    const [newest] = checkpoints;
    if (version === undefined) {
      this.fault("hint_wrong", "The hint to the newest checkpoint is no JSON.", path);
    } else if (!known) {
      this.fault("hint_wrong", `The hint names checkpoint ${version}, which is not there.`, path);
    } else if (newest !== undefined && newest.version > version) {
      this.fault("hint_old", `The hint names checkpoint ${version}; the newest is ${newest.version}.`, path);
    }
  }

  async #read(version: number): Promise<Commit | undefined> {
    const { store } = this.#place;
    const file = logFilePath(this.#name, version, ".json");
    return this.guarded("commit_damaged", async () => readCommit(store, this.#name, version), file);
  }

  #apply(version: number, commit: Commit | undefined): void {
    for (const { commitInfo } of commit?.actions ?? []) {
      if (typeof commitInfo?.["operation"] === "string") this.operations.add(commitInfo["operation"]);
    }
    const follows = this.#state === undefined ? version === 0 : version === this.#state.version + 1;
    if (commit === undefined || !follows) {
      // Until a checkpoint stands in for what is missing.
      this.#state = undefined;
      return;
    }
    if (this.#state !== undefined) this.#contradictions(this.#state, commit);
    this.#state = applied(this.#state, commit);
  }

  /** What a commit says that cannot be after the state before it. */
  #contradictions(before: LogState, { version, actions }: Commit): void {
    const file = logFilePath(this.#name, version, ".json");
    for (const { add, remove, txn } of actions) {
      const last = txn === undefined ? undefined : before.txns.get(txn.appId);
      if (txn !== undefined && last !== undefined && txn.version <= last) {
        this.fault(
          "commit_contradicts",
          `It moves the position ${txn.appId} from ${last} to ${txn.version}: positions only rise.`,
          file,
        );
      }
      if (remove !== undefined && !before.files.has(remove.path)) {
        this.fault("commit_contradicts", `It removes ${remove.path}, which no commit before it added.`, file);
      }
      if (add !== undefined && before.files.has(add.path)) {
        this.fault("commit_contradicts", `It adds ${add.path}, which is there already.`, file);
      }
    }
  }

  async #compare(checkpoint: Checkpoint): Promise<void> {
    const [file = ""] = checkpoint.paths;
    const actions = await this.guarded(
      "checkpoint_damaged",
      async () => readCheckpoint(this.#place, checkpoint),
      file,
    );
    if (actions === undefined) return;
    const { version } = checkpoint;
    const stored = applied(undefined, { version, actions });
    if (this.#state?.version !== version) {
      this.#state = stored;
      return;
    }
    const differing = differenceOf(this.#state, stored);
    if (differing !== undefined) this.fault("checkpoint_differs", differing, file);
  }
}

/** What the actions of a log add up to, changed in place from commit to commit: a log can be long. */
interface LogState {
  version: number;
  readonly files: Map<string, AddFile>;
  readonly txns: Map<string, bigint>;
  schemaString: string;
}

function applied(before: LogState | undefined, { version, actions }: Commit): LogState {
  const state = before ?? { version, files: new Map(), txns: new Map(), schemaString: "" };
  state.version = version;
  for (const { add, remove, txn, metaData } of actions) {
    if (add !== undefined) state.files.set(add.path, add);
    if (remove !== undefined) state.files.delete(remove.path);
    if (txn !== undefined) state.txns.set(txn.appId, txn.version);
    if (metaData !== undefined) state.schemaString = metaData.schemaString;
  }
  return state;
}

/** How the state in a checkpoint differs from that of the commits before it; undefined if it does not. */
function differenceOf(replayed: LogState, stored: LogState): string | undefined {
  const parts: readonly (readonly [string, unknown, unknown])[] = [
    ["files", filesOf(replayed), filesOf(stored)],
    ["positions", sorted([...replayed.txns].map(String)), sorted([...stored.txns].map(String))],
    ["schema", replayed.schemaString, stored.schemaString],
  ];
  const differing = parts.filter(([, a, b]) => JSON.stringify(a) !== JSON.stringify(b)).map(([what]) => what);
  if (differing.length === 0) return undefined;
  return `The checkpoint of version ${stored.version} has other ${differing.join(" and ")} than the commits up to it.`;
}

function filesOf({ files }: LogState): readonly string[] {
  return sorted([...files.values()].map(({ path, size, stats }) => `${path} ${size} ${stats ?? ""}`));
}

const sorted = (texts: readonly string[]): readonly string[] => texts.toSorted();

// A table's data files against its log: there, of their size, readable, and with the rows that their statistics tell.
//
// Files are read many at a time: each gets a partition value of its own, `file_index`, by which one query tells what is
// in which file. Only where that query fails is each file of it read alone, to find the one that cannot be read.

import type { TableName } from "../../reading/tables.ts";
import { isAtriumError } from "../../support/errors.ts";
import type { AddFile } from "../delta/actions.ts";
import { storePath } from "../delta/paths.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { statsOf } from "../delta/stats.ts";
import { tableInput } from "../lake.ts";
import { contradictionOf, measuresOf, type Measured } from "./file-facts.ts";
import { finding, type FindingKind } from "./finding.ts";
import { ask, counted, type Job } from "./job.ts";

/** Files of one query. */
const FILES_AT_ONCE = 400;
/** The column that tells a row's file. */
const FILE_INDEX = "file_index";
/** What an engine says of a file that it cannot read. */
const UNREADABLE = ["TABLE_CORRUPT", "ENGINE_FAILED", "QUERY_INVALID", "NOT_FOUND"];

/** Compares a table's files with the store; with `rows` it also reads them. Returns the paths of those that cannot be read as they were written. */
export async function checkFiles(
  job: Job,
  name: TableName,
  { snapshot, rows }: { readonly snapshot: Snapshot; readonly rows: boolean },
): Promise<ReadonlySet<string>> {
  const check = new FilesCheck(job, name, snapshot);
  await check.compareWithStore();
  if (rows) await check.readAll();
  return check.damaged;
}

/** Faults with which the rows of a file cannot be read, or not as they were written. */
const LOST: readonly FindingKind[] = ["file_missing", "file_size", "file_unreadable"];

class FilesCheck {
  readonly damaged = new Set<string>();
  readonly #job: Job;
  readonly #name: TableName;
  readonly #snapshot: Snapshot;

  constructor(job: Job, name: TableName, snapshot: Snapshot) {
    this.#job = job;
    this.#name = name;
    this.#snapshot = snapshot;
  }

  async compareWithStore(): Promise<void> {
    const listed = await this.#job.lake.store.list(`${this.#name}/`);
    const sizes = new Map(listed.map(({ path, sizeBytes }) => [path, sizeBytes]));
    const known = new Set([...this.#snapshot.tombstones.keys()].map((path) => storePath(this.#name, path)));
    for (const file of this.#snapshot.files.values()) {
      const path = storePath(this.#name, file.path);
      known.add(path);
      const size = sizes.get(path);
      if (size === undefined) this.#fault(file, "file_missing", "The file is not there.");
      else if (size !== file.size) {
        this.#fault(
          file,
          "file_size",
          `The file has ${counted(size, "byte")}, and its commit says ${counted(file.size, "byte")}.`,
        );
      }
    }
    const orphans = listed.filter(
      ({ path }) => path.endsWith(".parquet") && !isOfLog(path) && !known.has(path),
    );
    if (orphans.length === 0) return;
    const bytes = orphans.reduce((sum, orphan) => sum + orphan.sizeBytes, 0);
    const what = `${counted(orphans.length, "file")} of ${counted(bytes, "byte")} that no version holds, as ${orphans[0]?.path ?? ""}.`;
    this.#job.report(finding(this.#name, "orphans", { what }));
  }

  async readAll(): Promise<void> {
    const files = [...this.#snapshot.files.values()].filter((file) => !this.damaged.has(file.path));
    for (let start = 0; start < files.length; start += FILES_AT_ONCE) {
      this.#job.signal.throwIfAborted();
      this.#job.progress(
        `${this.#name}: file ${start.toLocaleString("en")} of ${files.length.toLocaleString("en")}`,
      );
      const some = files.slice(start, start + FILES_AT_ONCE);
      const measured = await this.#measure(some).catch((error: unknown) => unlessUnreadable(error));
      if (measured !== undefined) this.#judge(some, measured);
      else await this.#readOneByOne(some);
    }
  }

  async #readOneByOne(files: readonly AddFile[]): Promise<void> {
    for (const file of files) {
      try {
        this.#judge([file], await this.#measure([file]));
      } catch (error) {
        unlessUnreadable(error);
        this.#fault(
          file,
          "file_unreadable",
          "The file cannot be read: it is no whole Parquet file of this table.",
        );
      }
    }
  }

  /** What is in each file, by its place in `files`; a file without rows is left out. */
  async #measure(files: readonly AddFile[]): Promise<ReadonlyMap<number, Measured>> {
    const snapshot = this.#snapshot;
    const input = tableInput(this.#job.lake, this.#name, { snapshot, files });
    const measures = measuresOf(input.columns, snapshot.schema.partitionColumns);
    const rows = await ask(
      this.#job,
      `select ${FILE_INDEX}, ${measures.sql} from ${input.name} group by ${FILE_INDEX}`,
      [
        {
          ...input,
          columns: [...input.columns, { name: FILE_INDEX, type: "integer" }],
          partitionColumns: [...input.partitionColumns, FILE_INDEX],
          files: input.files.map((file, index) => ({
            ...file,
            partitionValues: { ...file.partitionValues, [FILE_INDEX]: String(index) },
          })),
        },
      ],
    );
    return new Map(rows.map(([index, ...values]) => [Number(index), measures.read(values)]));
  }

  #judge(files: readonly AddFile[], measured: ReadonlyMap<number, Measured>): void {
    for (const [index, file] of files.entries()) {
      const found = measured.get(index) ?? { rows: 0, columns: new Map() };
      const stats = statsOf(file);
      if (stats !== undefined && stats.numRecords !== found.rows) {
        const what = `The file has ${counted(found.rows, "row")}, and its statistics say ${stats.numRecords}.`;
        this.#fault(file, "rows_differ", what);
        continue;
      }
      const contradiction = contradictionOf(file, stats, { found, schema: this.#snapshot.schema });
      if (contradiction !== undefined) this.#fault(file, contradiction.kind, contradiction.what);
    }
  }

  #fault(file: AddFile, kind: FindingKind, what: string): void {
    if (LOST.includes(kind)) this.damaged.add(file.path);
    const { event_date: day, room } = file.partitionValues;
    this.#job.report(
      finding(this.#name, kind, {
        what,
        file: storePath(this.#name, file.path),
        ...(typeof day === "string" ? { day } : {}),
        ...(typeof room === "string" ? { room } : {}),
      }),
    );
  }
}

const isOfLog = (path: string): boolean => path.includes("/_delta_log/");

/** Undefined for a fault of a file; any other is thrown on. */
function unlessUnreadable(error: unknown): undefined {
  if (isAtriumError(error) && UNREADABLE.includes(error.code)) return undefined;
  throw error;
}

// The database of the embedded log: opened, made if it is new, and recognised if it is not.

import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { uniqueId } from "../../support/chance.ts";
import { AtriumError } from "../../support/errors.ts";
import { damaged, openingFailure } from "./failures.ts";
import { numberOf, textOf } from "./rows.ts";

/** The format that this program writes, stored as `user_version`. */
export const FORMAT_VERSION = 1;

/** "ATRL": tells the log from any other SQLite database. */
const APPLICATION_ID = 0x4154524c;
/** How long to wait for another process that writes, ms. */
const BUSY_MS_MAX = 30_000;

// `seq` is the order of appending over all partitions. Offsets are numbers up to 2^53: at a million records a second
// that is 285 years. The payload stands last, so that the columns before it are read without it.
const TABLES = `
  create table log (log_id text not null) strict;
  create table topic_partition (
    id integer primary key, topic text not null, partition integer not null,
    start_offset integer not null default 0, next_offset integer not null default 0, released_offset integer not null default 0,
    unique (topic, partition)
  ) strict;
  create table batch (
    seq integer primary key autoincrement, tp integer not null, base_offset integer not null, count integer not null,
    log_time_ms integer not null, payload blob not null
  ) strict;
  create index batch_place on batch (tp, base_offset, count, log_time_ms);
  create table progress (
    producer text not null, name text not null, note text not null, primary key (producer, name)
  ) strict, without rowid;
`;

/** How the database is opened. */
export interface OpenOptions {
  readonly file: string;
  readonly readOnly: boolean;
  /** "full": an append survives power loss. "normal": it survives kill -9, but not always power loss. */
  readonly synchronous: "full" | "normal";
}

/** An open database and the random id that its log was given when it was made. */
export interface OpenedDatabase {
  readonly db: DatabaseSync;
  readonly logId: string;
}

/** Opens the log's database; makes it and its folder if they are missing. @throws LOG_CORRUPT, LAKE_NEWER, NOT_FOUND, STORE_FULL, STORE_DENIED, STORE_FAILED */
export function openDatabase(options: OpenOptions): OpenedDatabase {
  const { file, readOnly } = options;
  if (readOnly && !existsSync(file)) {
    throw new AtriumError("NOT_FOUND", `There is no log at ${file}: start replay or ingest first.`);
  }
  let db: DatabaseSync | undefined;
  try {
    if (!readOnly) mkdirSync(dirname(file), { recursive: true });
    db = new DatabaseSync(file, { readOnly, timeout: BUSY_MS_MAX });
    // Checked before anything is changed: the file may belong to somebody else.
    if (countTables(db) > 0) checkFormat(db, file);
    if (!readOnly) prepareForWriting(db, options);
    checkFormat(db, file);
    checkWholePages(db, file);
    return { db, logId: textOf(db.prepare("select log_id from log").get(), "log_id") };
  } catch (error) {
    db?.close();
    throw openingFailure(error, file);
  }
}

/** Runs `body` in a transaction: all of it or nothing. */
export function transact<T>(db: DatabaseSync, begin: "begin" | "begin immediate", body: () => T): T {
  db.exec(begin);
  try {
    const result = body();
    db.exec("commit");
    return result;
  } catch (error) {
    // SQLite has rolled back by itself after some failures, such as a full disk.
    if (db.isTransaction) db.exec("rollback");
    throw error;
  }
}

/** The number that a pragma of one value answers. */
export function pragma(db: DatabaseSync, name: string): number {
  return numberOf(db.prepare(`pragma ${name}`).get(), name);
}

function prepareForWriting(db: DatabaseSync, options: OpenOptions): void {
  // auto_vacuum has to be said before the first page is written.
  if (pragma(db, "page_count") === 0) db.exec("pragma auto_vacuum = incremental");
  db.exec(`pragma journal_mode = wal; pragma synchronous = ${options.synchronous}`);
  db.exec("pragma journal_size_limit = 16777216");
  transact(db, "begin immediate", () => {
    if (pragma(db, "user_version") !== 0 || countTables(db) !== 0) return;
    db.exec(`${TABLES} pragma application_id = ${APPLICATION_ID}; pragma user_version = ${FORMAT_VERSION}`);
    db.prepare("insert into log (log_id) values (?)").run(uniqueId());
  });
}

function checkFormat(db: DatabaseSync, file: string): void {
  if (pragma(db, "application_id") !== APPLICATION_ID) {
    const advice = "Name another file for the log, or move this one away.";
    throw new AtriumError("LOG_CORRUPT", `${file} is a database, but not a log of Atrium. ${advice}`, {
      details: { file },
    });
  }
  const version = pragma(db, "user_version");
  if (version > FORMAT_VERSION) {
    const advice = "Use that Atrium again, or move the file away once bronze has taken in all of it.";
    const message = `The log ${file} has format ${version} of a newer Atrium; this one knows up to ${FORMAT_VERSION}. ${advice}`;
    throw new AtriumError("LAKE_NEWER", message, { details: { file, version } });
  }
}

/** SQLite itself refuses a file that lacks whole pages, but takes a last page that is cut short for zeros. */
function checkWholePages(db: DatabaseSync, file: string): void {
  const walBytes = statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  const { size } = statSync(file);
  // What stands in the write-ahead log makes up for pages that were half written when a process was killed.
  if (walBytes > 0 || size % pragma(db, "page_size") === 0) return;
  throw damaged(file, `it ends within a page, at ${size} bytes`);
}

function countTables(db: DatabaseSync): number {
  return numberOf(db.prepare("select count(*) as n from sqlite_schema").get(), "n");
}

// The journal of an erasure: which files are on their way out, in case it is killed before they are gone.

import { tableNamed, type TableName } from "../../reading/tables.ts";
import { uniqueId } from "../../support/chance.ts";
import type { Lake } from "../lake.ts";

/** A table whose older versions go. */
export interface JournalTable {
  readonly name: TableName;
  /** Tombstones up to this time go too, ms since the epoch. */
  readonly untilMs: number;
  /** Files to delete, in the store, unless the newest version has them. */
  readonly paths: readonly string[];
}

/** A journal and where it is. */
export interface Journal {
  readonly path: string;
  readonly tables: readonly JournalTable[];
}

const FOLDER = "_atrium/erasures/";

/** Writes a journal; returns its path. */
export async function writeJournal(lake: Lake, tables: readonly JournalTable[]): Promise<string> {
  const path = `${FOLDER}${(lake.newId ?? uniqueId)()}.json`;
  await lake.store.put(path, new TextEncoder().encode(JSON.stringify({ tables })));
  return path;
}

/** The journals of erasures under way, or killed. */
export async function readJournals({ store }: Lake): Promise<readonly Journal[]> {
  const journals: Journal[] = [];
  for (const { path } of await store.list(FOLDER)) {
    const stored: unknown = JSON.parse(new TextDecoder().decode(await store.get(path)));
    const tables = isMembers(stored) && Array.isArray(stored["tables"]) ? stored["tables"] : [];
    journals.push({ path, tables: tables.flatMap(tableOf) });
  }
  return journals;
}

function tableOf(stored: unknown): readonly JournalTable[] {
  if (!isMembers(stored)) return [];
  const { name, untilMs, paths } = stored;
  const known = typeof name === "string" ? tableNamed(name) : undefined;
  if (known === undefined || typeof untilMs !== "number" || !Array.isArray(paths)) return [];
  return [{ name: known, untilMs, paths: paths.filter((path) => typeof path === "string") }];
}

function isMembers(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

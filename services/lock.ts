// A lock between processes that the system itself releases when its holder dies: SQLite's lock of a file.

import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";

const WAIT_SECONDS_MAX = 1200;
const LOOK_AGAIN_MS = 100;

/** Runs `act` while no other process holds the lock of `file`. @throws Error if it is not free within 20 minutes. */
export async function withLock<T>(file: string, act: () => Promise<T>): Promise<T> {
  using database = new DatabaseSync(file);
  const giveUpMs = performance.now() + WAIT_SECONDS_MAX * 1000;
  while (!isTaken(database)) {
    if (performance.now() > giveUpMs) {
      throw new Error(`${file} was locked by another process for ${WAIT_SECONDS_MAX} s: see what it does`);
    }
    await delay(LOOK_AGAIN_MS);
  }
  return await act();
}

function isTaken(database: DatabaseSync): boolean {
  try {
    database.exec("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if (error instanceof Error && error.message.includes("database is locked")) return false;
    throw error;
  }
}

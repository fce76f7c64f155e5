// Making room in the embedded log: the oldest released batches go, what is not released stays.

import type { DatabaseSync } from "node:sqlite";
import { inOrder } from "../../log/in-order.ts";
import type { Clock } from "../../support/clock.ts";
import { AtriumError } from "../../support/errors.ts";
import type { BatchPlace, Batches } from "./batches.ts";
import type { PartitionRow, Partitions } from "./partitions.ts";
import { pragma, transact } from "./schema.ts";

/** How long and how much the log keeps of what bronze already has. */
export interface Retention {
  /** Released batches older than this may go, ms of log time. Left out: they go only when room is needed. */
  readonly maxAgeMs?: number;
  /** Most bytes of the database file, without its write-ahead log (up to 16 MiB more). */
  readonly maxBytes: number;
}

/** Keeps the database within its limits. */
export interface RoomKeeper {
  /** Inside the transaction of an append: deletes what may go. @throws LOG_FULL */
  makeRoom(): void;
  /** After the transaction: gives free pages back to the file system once more than half of the file is free. */
  shrink(): void;
}

/** The parts that retention works on. */
export interface RoomKeeperParts {
  readonly db: DatabaseSync;
  readonly file: string;
  readonly clock: Clock;
  readonly partitions: Partitions;
  readonly batches: Batches;
}

/** Old batches are looked for at most this often, ms. */
const AGE_CHECK_MS = 5_000;
/** Free pages are given back in steps of this many (16 MiB), so that no append waits long. */
const SHRINK_PAGES = 4096;

/** Makes the keeper of one open database. */
export function makeRoomKeeper(parts: RoomKeeperParts, retention: Retention): RoomKeeper {
  const { db, clock } = parts;
  let checkedMs = -Infinity;
  let hasDeleted = false;

  function expiredBeforeMs(): number {
    if (retention.maxAgeMs === undefined || clock.monotonicMs() - checkedMs < AGE_CHECK_MS) return -Infinity;
    checkedMs = clock.monotonicMs();
    return clock.nowMs() - retention.maxAgeMs;
  }
  return {
    makeRoom: () => {
      const beforeMs = expiredBeforeMs();
      const isOver = usedBytes(db) > retention.maxBytes;
      if (!isOver && beforeMs === -Infinity) return;
      hasDeleted = deleteReleased(parts, { beforeMs, maxBytes: retention.maxBytes }) || hasDeleted;
      if (usedBytes(db) > retention.maxBytes) throw full(parts.file, retention.maxBytes);
    },
    shrink: () => {
      if (!hasDeleted) return;
      hasDeleted = false;
      const freePages = pragma(db, "freelist_count");
      if (freePages * 2 <= pragma(db, "page_count")) return;
      transact(db, "begin immediate", () => db.exec(`pragma incremental_vacuum(${SHRINK_PAGES})`));
    },
  };
}

/** Bytes of the pages in use. */
export function usedBytes(db: DatabaseSync): number {
  return (pragma(db, "page_count") - pragma(db, "freelist_count")) * pragma(db, "page_size");
}

/** Deletes released batches, oldest first, while they are expired or the file is too big; true if any went. */
function deleteReleased(
  parts: RoomKeeperParts,
  limits: { readonly beforeMs: number; readonly maxBytes: number },
): boolean {
  const { db, partitions, batches } = parts;
  const rows = partitions.all().filter((row) => row.released > row.start);
  let hasDeleted = false;
  for (const place of inOrder(rows.map((row) => releasedPlaces(batches, row)))) {
    if (place.logTimeMs >= limits.beforeMs && usedBytes(db) <= limits.maxBytes) break;
    batches.delete(place.seq);
    partitions.setStart(place.partition.id, place.end);
    hasDeleted = true;
  }
  return hasDeleted;
}

function* releasedPlaces(batches: Batches, row: PartitionRow): Generator<BatchPlace> {
  for (const place of batches.from(row, row.start)) {
    if (place.end > row.released) return;
    yield place;
  }
}

function full(file: string, maxBytes: number): AtriumError {
  const why = `${maxBytes} bytes are taken by messages that bronze has not committed yet`;
  const advice = "Nothing was appended. Start ingest or see why it is behind, or allow the log more room.";
  return new AtriumError("LOG_FULL", `The log ${file} is full: ${why}. ${advice}`, {
    details: { file, maxBytes },
  });
}

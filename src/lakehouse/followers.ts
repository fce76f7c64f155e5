// Which tables follow the versions of which, and the guard against a table that has lost its newest commits: the next ones
// would get versions that its followers believe to have taken already, and so be skipped.

import type { TableName } from "../reading/tables.ts";
import { present } from "../support/assert.ts";
import { AtriumError } from "../support/errors.ts";
import type { Snapshot } from "./delta/snapshot.ts";

/** A table that keeps how far it has followed another one's commits. */
export interface Follower {
  readonly table: TableName;
  /** The txn appId of its position. */
  readonly appId: string;
  /** The table whose versions it counts. */
  readonly follows: TableName;
  /** True if without a position it reads the whole table, and no commits. */
  readonly startsFromSnapshot: boolean;
}

/** All followers, in the order in which data flows. */
export const FOLLOWERS: readonly Follower[] = [
  {
    table: "silver/readings",
    appId: "refine:bronze/readings",
    follows: "bronze/readings",
    startsFromSnapshot: false,
  },
  ...(["gold/sensor_hourly", "gold/sensor_daily", "gold/room_daily"] as const).map((table) => ({
    table,
    appId: "gold:silver/readings",
    follows: "silver/readings" as const,
    startsFromSnapshot: true,
  })),
  {
    table: "gold/restatements",
    appId: "restate:gold/room_daily",
    follows: "gold/room_daily",
    startsFromSnapshot: false,
  },
];

/** The txn appId under which a table keeps how far it has followed another one. */
export function followerAppId(table: TableName): string {
  const follower = FOLLOWERS.find((known) => known.table === table);
  return present(follower, `what ${table} follows`).appId;
}

/**
 * Refuses to go on from a table that a follower is ahead of. The follower is to be read first.
 * @throws TABLE_CORRUPT naming both, and the way out
 */
export function refuseAhead(table: TableName, follower: Snapshot | undefined, followed: Snapshot): void {
  for (const { table: name, appId, follows } of FOLLOWERS) {
    const position = name === table ? follower?.txns.get(appId) : undefined;
    if (position === undefined || position <= BigInt(followed.version)) continue;
    const message =
      `${name} has taken version ${position} of ${follows}, whose newest is ${followed.version}: the newest commits of ` +
      `${follows} are missing. Restore them from a backup, or see docs/operate/recovery.md. Nothing was changed.`;
    throw new AtriumError("TABLE_CORRUPT", message, { details: { table: follows } });
  }
}

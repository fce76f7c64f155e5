// A lake that counts its commits, and what its tables say of themselves.

import { TABLE_NAMES, type TableName } from "../reading/tables.ts";
import { isAtriumError } from "../support/errors.ts";
import type { Metrics } from "../support/metrics.ts";
import type { DeltaTable } from "./delta/table.ts";
import type { Lake } from "./lake.ts";
import { bytesOf } from "./summary.ts";

/** Codes of commits that another writer was faster than. */
const LOST_CODES = ["COMMIT_CONFLICT", "COMMIT_OVERTAKEN"] as const;

/** The same lake; commits, refused commits and the bytes that they added are counted by table, from 0 on. */
export function meteredLake(lake: Lake, metrics: Pick<Metrics, "add">): Lake {
  for (const table of TABLE_NAMES) {
    metrics.add("atrium_commits_total", 0, { table });
    for (const code of LOST_CODES) metrics.add("atrium_commit_conflicts_total", 0, { table, code });
  }
  return { ...lake, table: (name) => meteredTable(lake.table(name), name, metrics) };
}

/** Sets the gauges of version, live files and bytes of every table that exists. */
export async function setTableGauges(lake: Lake, metrics: Pick<Metrics, "set">): Promise<void> {
  for (const table of TABLE_NAMES) {
    const snapshot = await lake.table(table).snapshot();
    if (snapshot === undefined) continue;
    metrics.set("atrium_table_version", snapshot.version, { table });
    metrics.set("atrium_table_files", snapshot.files.size, { table });
    metrics.set("atrium_table_bytes", bytesOf(snapshot), { table });
  }
}

function meteredTable(table: DeltaTable, name: TableName, metrics: Pick<Metrics, "add">): DeltaTable {
  return {
    ...table,
    commit: async (request) => {
      try {
        const snapshot = await table.commit(request);
        const bytes = request.adds.reduce((sum, { size }) => sum + size, 0);
        metrics.add("atrium_commits_total", 1, { table: name });
        metrics.add("atrium_committed_bytes_total", bytes, { table: name });
        return snapshot;
      } catch (error) {
        const code = LOST_CODES.find((lost) => isAtriumError(error, lost));
        if (code !== undefined) metrics.add("atrium_commit_conflicts_total", 1, { table: name, code });
        throw error;
      }
    },
  };
}

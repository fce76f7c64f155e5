// Tables that time their queries.

import type { Clock } from "../support/clock.ts";
import { isAtriumError } from "../support/errors.ts";
import type { Metrics } from "../support/metrics.ts";
import type { TableReader } from "./table-reader.ts";

/** The same tables; queries that succeed are timed, those that fail are counted by their code. */
export function meteredTables(
  tables: TableReader,
  { metrics, clock }: { readonly metrics: Pick<Metrics, "add" | "observe">; readonly clock: Clock },
): TableReader {
  return {
    ...tables,
    open: async (table) => {
      const view = await tables.open(table);
      return {
        ...view,
        query: async (query, bounds) => {
          const startMs = clock.monotonicMs();
          try {
            const answer = await view.query(query, bounds);
            const seconds = (clock.monotonicMs() - startMs) / 1000;
            metrics.observe("atrium_query_duration_seconds", seconds, { table });
            return answer;
          } catch (error) {
            const code = isAtriumError(error) ? error.code : "INTERNAL";
            metrics.add("atrium_query_failures_total", 1, { table, code });
            throw error;
          }
        },
      };
    },
  };
}

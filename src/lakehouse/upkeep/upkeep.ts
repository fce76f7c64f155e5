// One round of upkeep over all tables: retention, compaction, the log's clean-up, vacuum.
//
// Every step is a commit or a deletion that stands for itself: a round may be cut off anywhere, and two may run side by
// side. What fails in one table is reported, and the others go on.

import { TABLE_NAMES, type TableName } from "../../reading/tables.ts";
import { AtriumError, isAtriumError, messageOf } from "../../support/errors.ts";
import type { Logger } from "../../support/logger.ts";
import type { Lake } from "../lake.ts";
import { cleanLog, type CleanSummary } from "./clean.ts";
import { compactTable, type CompactSummary } from "./compact.ts";
import { retainTable, type RetainSummary, type RetentionDays } from "./retain.ts";
import { vacuumLeftovers, vacuumTable, type VacuumSummary } from "./vacuum.ts";

/** What upkeep works on and its rules. */
export interface UpkeepOptions {
  readonly lake: Lake;
  readonly logger: Logger;
  readonly retentionDays: RetentionDays;
  /** See CompactOptions. */
  readonly targetBytes: number;
  /** See VacuumOptions. */
  readonly graceMs: number;
  /** False leaves vacuum out, as when the clock cannot be trusted. Default: true. */
  readonly isVacuumed?: boolean;
  /** Ends after the piece at hand. */
  readonly signal: AbortSignal;
}

/** What was done to one table; a step that did not come to its turn is left out. */
export interface TableUpkeep {
  readonly table: TableName;
  readonly retention?: RetainSummary;
  readonly compaction?: CompactSummary;
  readonly log?: CleanSummary;
  readonly vacuum?: VacuumSummary;
}

/** What one round did. */
export interface UpkeepSummary {
  readonly tables: readonly TableUpkeep[];
  /** Files of writers that died. */
  readonly leftoversRemoved: number;
  /** True if anything was changed. */
  readonly isAnythingDone: boolean;
  readonly failures: readonly { readonly table: TableName | undefined; readonly error: AtriumError }[];
}

/** Does what is to do in all tables. Failures are in the summary, and logged; nothing is thrown. */
export async function upkeep(options: UpkeepOptions): Promise<UpkeepSummary> {
  const tables: TableUpkeep[] = [];
  const failures: UpkeepSummary["failures"][number][] = [];
  const guarded = async (table: TableName | undefined, work: () => Promise<void>): Promise<void> => {
    if (options.signal.aborted) return;
    try {
      await work();
    } catch (error) {
      const failure = isAtriumError(error)
        ? error
        : new AtriumError("INTERNAL", `Upkeep failed: ${messageOf(error)}. Please report this.`, {
            cause: error,
          });
      failures.push({ table, error: failure });
      options.logger.warn("upkeep failed; it goes on elsewhere and comes again", {
        table,
        code: failure.code,
        message: failure.message,
      });
    }
  };
  for (const table of TABLE_NAMES) {
    const done: Done = { table };
    for (const step of STEPS) await guarded(table, async () => step(options, done));
    tables.push(done);
  }
  let leftoversRemoved = 0;
  await guarded(undefined, async () => {
    if (options.isVacuumed !== false) leftoversRemoved = await vacuumLeftovers(options);
  });
  const isAnythingDone = leftoversRemoved > 0 || tables.some(isChanged);
  return { tables, leftoversRemoved, isAnythingDone, failures };
}

type Done = { -readonly [Part in keyof TableUpkeep]: TableUpkeep[Part] };

/** The steps of a table, in order: each has less to do for the one before it. */
const STEPS: readonly ((options: UpkeepOptions, done: Done) => Promise<void>)[] = [
  async ({ lake, logger, retentionDays }, done) => {
    const { table } = done;
    done.retention = await retainTable(lake, table, retentionDays);
    const { daysRemoved: days, filesRemoved } = done.retention;
    if (filesRemoved > 0) logger.info("days expired", { table, days, filesRemoved });
  },
  async (options, done) => {
    const { table } = done;
    done.compaction = await compactTable(options, table);
    if (done.compaction.filesBefore > 0) options.logger.info("compacted", { table, ...done.compaction });
  },
  async ({ lake, logger }, done) => {
    const { table } = done;
    done.log = await cleanLog(lake, table);
    if (isLogChanged(done.log)) logger.info("log cleaned up", { table, ...done.log });
  },
  async (options, done) => {
    if (options.isVacuumed === false) return;
    const { table } = done;
    done.vacuum = await vacuumTable(options, table);
    if (done.vacuum.filesRemoved > 0) options.logger.info("vacuumed", { table, ...done.vacuum });
  },
];

function isLogChanged({ commitsRemoved, checkpointsRemoved, isCheckpointed }: CleanSummary): boolean {
  return commitsRemoved > 0 || checkpointsRemoved > 0 || isCheckpointed;
}

function isChanged({ retention, compaction, log, vacuum }: TableUpkeep): boolean {
  const files = [retention?.filesRemoved, compaction?.filesBefore, vacuum?.filesRemoved];
  return files.some((count = 0) => count > 0) || (log !== undefined && isLogChanged(log));
}

// What verification can find: each kind with its weight and the way out.

import type { TableName } from "../../reading/tables.ts";

/** What a finding is about: a table, or the log that feeds the lake. */
export type Subject = TableName | "log";

interface KindFacts {
  /** A fault makes verification fail; a note is for people to know. */
  readonly isFault: boolean;
  /** What to do about it. */
  readonly mend: (subject: Subject) => string;
}

const RECOVERY = "docs/operate/recovery.md";

/** The next steps for rows of a table that are lost or wrong: derived tables are made again. */
function makeAgain(subject: Subject): string {
  if (subject === "bronze/readings" || subject === "bronze/rejected" || subject === "log") {
    return `Restore the file from a backup; ${RECOVERY} says what to do without one.`;
  }
  if (subject === "gold/restatements") return `Restore the file from a backup, or see ${RECOVERY}.`;
  const then = subject === "silver/readings" ? ", then atrium gold" : "";
  return `Make it again: atrium table rebuild ${subject}${then}.`;
}

const restoreLog = (subject: Subject): string =>
  `Restore the file from a backup; without one see ${RECOVERY}, "A commit file of ${subject} is missing or damaged".`;

const fault = (mend: KindFacts["mend"]): KindFacts => ({ isFault: true, mend });
const note = (mend: string): KindFacts => ({ isFault: false, mend: () => mend });

/** Every kind of finding. */
export const FINDING_KINDS = {
  commit_missing: fault(restoreLog),
  commit_damaged: fault(restoreLog),
  commit_contradicts: fault(restoreLog),
  table_unreadable: fault(restoreLog),
  checkpoint_damaged: fault(
    () => "Delete it, and the file _last_checkpoint beside it: the log before it is read instead.",
  ),
  checkpoint_differs: fault(
    () => "Restore the log's files from a backup: the checkpoint and the commits cannot both be right.",
  ),
  hint_wrong: fault(() => "Delete the file: it is only a hint, and the next checkpoint writes it anew."),
  file_missing: fault(makeAgain),
  file_size: fault(makeAgain),
  file_unreadable: fault(makeAgain),
  rows_differ: fault(makeAgain),
  statistics_wrong: fault(makeAgain),
  partition_wrong: fault(makeAgain),
  position_twice: fault(makeAgain),
  position_gap: fault(makeAgain),
  position_beyond: fault(makeAgain),
  position_ahead: fault((subject) =>
    subject === "log"
      ? `Bring the newer log file back, or move this one away: see ${RECOVERY}.`
      : `The newest commits of the table before it are missing: restore them from a backup, or see ${RECOVERY}.`,
  ),
  log_unreadable: fault(() => `See ${RECOVERY}, "The log's database is damaged".`),
  silver_missing: fault(makeAgain),
  silver_wrong: fault(makeAgain),
  silver_twice: fault(makeAgain),
  gold_wrong: fault(makeAgain),
  orphans: note("Harmless: atrium table vacuum removes them."),
  hint_old: note("Harmless: the next checkpoint writes it anew."),
  log_unseen: note("Positions are not compared with the log; on a folder that can be written they are."),
  behind: note("atrium refine --once, then atrium gold, take it in."),
  expired: note("Retention has removed what it was made of."),
  not_compared: note("Mend what is damaged first, then verify again."),
} as const satisfies Readonly<Record<string, KindFacts>>;

/** A kind of finding. */
export type FindingKind = keyof typeof FINDING_KINDS;

/** Where a finding is, as far as it can be told. */
export interface Place {
  /** Path in the lake. */
  readonly file?: string;
  readonly day?: string;
  readonly room?: string;
}

/** One thing that verification found. */
export interface Finding extends Place {
  readonly table: Subject;
  readonly kind: FindingKind;
  readonly isFault: boolean;
  /** What is wrong, with what was expected. */
  readonly what: string;
  /** The way out. */
  readonly mend: string;
}

/** Makes a finding of a kind, with the kind's weight and way out. */
export function finding(
  table: Subject,
  kind: FindingKind,
  about: Place & { readonly what: string },
): Finding {
  const { isFault, mend } = FINDING_KINDS[kind];
  return { table, kind, isFault, ...about, mend: mend(table) };
}

// Silver made again from bronze, some days at a time, and compared: the same keys, each row what its message says.

import { present } from "../../support/assert.ts";
import { isAtriumError } from "../../support/errors.ts";
import { batchInput } from "../bronze/transform.ts";
import type { AddFile } from "../delta/actions.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import type { Input } from "../engine.ts";
import { tableInput } from "../lake.ts";
import { horizonOf } from "../operations.ts";
import { REFINE_APP_ID } from "../silver/refine.ts";
import { silverSql } from "../silver/transform.ts";
import { rowsIn } from "../summary.ts";
import { byDay, dayGroups, dayOf } from "./days.ts";
import { finding, type FindingKind } from "./finding.ts";
import { ask, counted, type Job } from "./job.ts";

/** Rows of bronze that are compared in one step: bounds its memory. */
const ROWS_AT_ONCE = 1_000_000;

/** What is compared. */
export interface SilverParts {
  readonly bronze: Snapshot;
  readonly silver: Snapshot;
  /** Files that are no good, by their path in the log of their table. */
  readonly damaged: ReadonlySet<string>;
}

/** Compares every row of silver with the bronze row at its position, and the keys of both. */
export async function checkSilver(job: Job, parts: SilverParts): Promise<void> {
  const pending = await pendingFiles(job, parts);
  if (pending === undefined) return;
  if (pending.size > 0) {
    const what = `${counted(pending.size, "file")} of bronze not in silver yet, with ${counted(rowsIn(pending.values()), "row")}.`;
    job.report(finding("silver/readings", "behind", { what }));
  }
  const bronzeDays = byDay([...parts.bronze.files.values()].filter((file) => !pending.has(file.path)));
  const silverDays = byDay([...parts.silver.files.values()]);
  const days = daysToCompare(
    job,
    parts,
    [...new Set([...bronzeDays.keys(), ...silverDays.keys()])].toSorted(),
  );
  const size = (day: string): number => rowsIn(bronzeDays.get(day) ?? []);
  for (const group of dayGroups(days, size, ROWS_AT_ONCE)) {
    job.signal.throwIfAborted();
    job.progress(`silver/readings: ${group[0]} to ${group.at(-1)}`);
    const bronzeFiles = group.flatMap((day) => bronzeDays.get(day) ?? []);
    const silverFiles = group.flatMap((day) => silverDays.get(day) ?? []);
    await compare(job, [
      tableInput(job.lake, "bronze/readings", { snapshot: parts.bronze, files: bronzeFiles }),
      tableInput(job.lake, "silver/readings", { snapshot: parts.silver, files: silverFiles }),
      batchInput(0),
    ]);
  }
}

/** Bronze files of versions that silver has not taken; undefined if the commits that tell are gone. */
async function pendingFiles(
  job: Job,
  { bronze, silver }: SilverParts,
): Promise<ReadonlyMap<string, AddFile> | undefined> {
  const done = Number(silver.txns.get(REFINE_APP_ID) ?? -1n);
  const pending = new Map<string, AddFile>();
  const table = job.lake.table("bronze/readings");
  for (let version = done + 1; version <= bronze.version; version += 1) {
    try {
      const [change] = await table.changes(version - 1, version);
      for (const file of present(change, `bronze version ${version}`).adds) {
        if (bronze.files.has(file.path)) pending.set(file.path, file);
      }
    } catch (error) {
      if (!isAtriumError(error)) throw error;
      const what = `Rows are not compared with bronze: ${error.message}`;
      job.report(finding("silver/readings", "not_compared", { what }));
      return undefined;
    }
  }
  return pending;
}

/** The days of which both sides are there and whole; the others are named. */
function daysToCompare(
  job: Job,
  { bronze, silver, damaged }: SilverParts,
  days: readonly string[],
): readonly string[] {
  const horizons = [horizonOf(bronze), horizonOf(silver)].filter((day) => day !== undefined).toSorted();
  const horizon = horizons.at(-1) ?? "";
  const expired = days.filter((day) => day < horizon);
  if (expired.length > 0) {
    const what = `${counted(expired.length, "day")} before ${horizon} cannot be made again from bronze, and are not compared.`;
    job.report(finding("silver/readings", "expired", { what }));
  }
  const files = [...bronze.files.values(), ...silver.files.values()];
  const broken = new Set(files.filter((file) => damaged.has(file.path)).map(dayOf));
  const left = days.filter((day) => day >= horizon && broken.has(day));
  if (left.length > 0) {
    const what = `${counted(left.length, "day")} not compared with bronze, for files of them are damaged: ${left.join(", ")}.`;
    job.report(finding("silver/readings", "not_compared", { what }));
  }
  return days.filter((day) => day >= horizon && !broken.has(day));
}

const MADE = silverSql({ withinBatch: false, withSilver: false });
/** Columns that a row of silver has from its message. */
const CELLS = [
  "room",
  "sensor_type",
  "sensor_id",
  "ts_unix",
  "ts_utc",
  "event_date",
  "value_raw",
  "value_clean",
  "unit",
  "is_valid",
  "quality_flag",
  "ingest_ts",
];
const KEY = `room, sensor_type, ts_utc`;
const SAME_POSITION = `made.topic = held.topic and made."partition" = held."partition" and made."offset" = held."offset"`;
const SAME_CELLS = CELLS.map((name) => `made.${name} is not distinct from held.${name}`).join(" and ");

/** Three questions, each answered by day, room and sensor type, so that what differs can be named. */
const QUESTIONS: readonly { readonly kind: FindingKind; readonly text: string; readonly sql: string }[] = [
  {
    kind: "silver_wrong",
    text: "differ from the message at their position in bronze",
    sql: `select event_date, room, min(sensor_type), count(*) from silver_readings held
      where not exists (select 1 from (${MADE}) made where ${SAME_POSITION} and ${SAME_CELLS}) group by event_date, room order by 1, 2`,
  },
  {
    kind: "silver_missing",
    text: "of bronze are missing",
    sql: `select event_date, room, min(sensor_type), count(*) from (
        select distinct event_date, room, sensor_type, event_ts from bronze_readings fresh where not exists (
          select 1 from silver_readings held where held.room = fresh.room and held.sensor_type = fresh.sensor_type
            and held.ts_utc = fresh.event_ts)) missing group by event_date, room order by 1, 2`,
  },
  {
    kind: "silver_twice",
    text: "are there more than once",
    sql: `select event_date, room, min(sensor_type), count(*) from (
        select event_date, ${KEY} from silver_readings group by event_date, ${KEY} having count(*) > 1) twice
      group by event_date, room order by 1, 2`,
  },
];

async function compare(job: Job, inputs: readonly Input[]): Promise<void> {
  for (const { kind, text, sql } of QUESTIONS) {
    for (const [day, room, sensorType, count] of await ask(job, sql, inputs)) {
      const what = `${counted(Number(count), "row")} (${String(sensorType)} and others) ${text}.`.replace(
        " and others)",
        Number(count) === 1 ? ")" : " among them)",
      );
      job.report(finding("silver/readings", kind, { what, day: String(day), room: String(room) }));
    }
  }
}

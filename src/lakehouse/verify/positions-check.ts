// Positions against rows and against each other: nothing twice, nothing left out, nobody ahead of what he reads.

import type { EventLog } from "../../log/event-log.ts";
import type { TableName } from "../../reading/tables.ts";
import { isAtriumError } from "../../support/errors.ts";
import { identitiesOf } from "../bronze/positions.ts";
import { filesNotMoved } from "../bronze/redrive-marks.ts";
import { FOLLOWERS } from "../followers.ts";
import { tableInput } from "../lake.ts";
import { horizonOf, OPERATIONS } from "../operations.ts";
import { finding } from "./finding.ts";
import { ask, counted, NAMED_MAX, type Job } from "./job.ts";
import type { LogFacts } from "./log-check.ts";

/** Tables whose logs could be read. */
export type Tables = ReadonlyMap<TableName, LogFacts>;

/** No table may have taken more versions of another one than that has. */
export function checkFollowers({ report }: Job, tables: Tables, only: (name: TableName) => boolean): void {
  for (const { table: name, appId, follows: followed } of FOLLOWERS) {
    const position = tables.get(name)?.snapshot.txns.get(appId);
    const newest = tables.get(followed)?.snapshot.version;
    const isAhead = position !== undefined && (newest === undefined || position > BigInt(newest));
    if (!isAhead || !only(name)) continue;
    const found = newest === undefined ? "which is missing or cannot be read" : `whose newest is ${newest}`;
    const what = `It has taken version ${position} of ${followed}, ${found}.`;
    report(finding(name, "position_ahead", { what }));
  }
}

/** How far bronze is in one partition of a log. */
interface PartitionPosition {
  readonly identity: string;
  readonly topic: string;
  readonly partition: number;
  /** Last offset that is committed. */
  readonly last: bigint;
}

function positionsOf(facts: LogFacts | undefined): readonly PartitionPosition[] {
  return [...(facts?.snapshot.txns ?? [])].flatMap(([appId, last]) => {
    const [, identity, topic, partition] = /^ingest:(.+):([^:]+):(\d+)$/.exec(appId) ?? [];
    if (identity === undefined || topic === undefined) return [];
    return [{ identity, topic, partition: Number(partition), last }];
  });
}

/** The log must hold what bronze wants next, if it is the log that bronze was filled from. */
export async function checkEventLog(job: Job, tables: Tables, open: () => Promise<EventLog>): Promise<void> {
  try {
    const log = await open();
    const positions = positionsOf(tables.get("bronze/readings"));
    const there = await log.partitions();
    const topics = [...new Set(positions.map(({ topic }) => topic))].filter((topic) => there.has(topic));
    const identities = await identitiesOf(log, topics);
    const ranges = await log.ranges(topics);
    for (const position of positions) {
      if (position.identity !== (identities.get(position.topic) ?? position.identity)) continue;
      const { topic, partition } = position;
      const range = ranges.find((known) => known.topic === topic && known.partition === partition);
      const next = position.last + 1n;
      if (range !== undefined && next >= range.start && next <= range.end) continue;
      const held =
        range === undefined ? "does not have it" : `holds offsets ${range.start} to before ${range.end}`;
      const what = `Bronze goes on with offset ${next} of ${topic}, partition ${partition}, and the log ${held}.`;
      job.report(finding("log", "position_ahead", { what }));
    }
  } catch (error) {
    if (!isAtriumError(error)) throw error;
    if (error.code === "NOT_FOUND") return;
    const kind = error.code === "STORE_DENIED" ? "log_unseen" : "log_unreadable";
    job.report(finding("log", kind, { what: error.message }));
  }
}

/** One partition's rows of bronze, readings and rejected together. */
interface PartitionRows {
  readonly topic: string;
  readonly partition: number;
  readonly rows: number;
  readonly first: bigint;
  readonly last: bigint;
  /** Of the offsets and of their squares: together with the count they tell that no offset is missing or there twice. */
  readonly sums: readonly [bigint, bigint];
}

const ROWS_SQL = `
  select topic, "partition", count(*), min("offset"), max("offset"),
    cast(sum(cast("offset" as decimal(18, 0))) as varchar),
    cast(sum(cast("offset" as decimal(18, 0)) * cast("offset" as decimal(19, 0))) as varchar)
  from held group by topic, "partition" order by 1, 2`;

/** Bronze's positions against its rows: no message twice, none beyond the position, none left out below it. */
export async function checkOffsets(job: Job, tables: Tables, damaged: ReadonlySet<TableName>): Promise<void> {
  const [readings, rejected] = [tables.get("bronze/readings"), tables.get("bronze/rejected")];
  const positions = positionsOf(readings);
  if (readings === undefined || positions.length === 0) return;
  if (damaged.has("bronze/readings") || damaged.has("bronze/rejected")) {
    const what = "Positions are not compared with the rows: some files cannot be read.";
    job.report(finding("bronze/readings", "not_compared", { what }));
    return;
  }
  const rejectedLast = new Map(positionsOf(rejected).map((at) => [placeOf(at), at.last]));
  const isOneLog = new Set(positions.map((position) => position.identity)).size === 1;
  const bound = positions
    .filter(() => isOneLog)
    .map((at) => ({ ...at, rejectedLast: rejectedLast.get(placeOf(at)) ?? -1n }));
  const inputs = [
    tableInput(job.lake, "bronze/readings", { snapshot: readings.snapshot }),
    tableInput(job.lake, "bronze/rejected", {
      snapshot: rejected?.snapshot,
      // Of a redrive that was cut short both tables have the messages: the next one ends it.
      files: rejected === undefined ? [] : filesNotMoved(rejected.snapshot, readings.snapshot),
    }),
  ];
  const columns = `topic, "partition", "offset"`;
  const held = `with held as (select ${columns} from bronze_readings union all select ${columns} from bronze_rejected)`;
  const found = (await ask(job, `${held} ${ROWS_SQL}`, inputs)).map(partitionRows);
  for (const rows of found) {
    const at = bound.find(({ topic, partition }) => topic === rows.topic && partition === rows.partition);
    if (at !== undefined && rows.last > (at.last > at.rejectedLast ? at.last : at.rejectedLast)) {
      const what = `${partitionText(rows)} has a row of offset ${rows.last}, beyond the position ${at.last}.`;
      job.report(finding("bronze/readings", "position_beyond", { what }));
    }
    const count =
      isOneLog && isDense(rows)
        ? 0
        : await reportUneven(job, rows, {
            held,
            inputs,
            mayGap: !isOneLog || lostRows(tables),
            mayRepeat: !isOneLog,
          });
    const top = at?.last ?? rows.last;
    if (at !== undefined && rows.last < top && !lostRows(tables) && count === 0) {
      const what = `${partitionText(rows)} has no row above offset ${rows.last}, and its position is ${top}.`;
      job.report(finding("bronze/readings", "position_gap", { what }));
    }
  }
  const without = bound.filter((at) => !found.some((rows) => placeOf(rows) === placeOf(at)));
  if (lostRows(tables)) return;
  for (const at of without) {
    const what = `${partitionText(at)} has no row, and its position is ${at.last}.`;
    job.report(finding("bronze/readings", "position_gap", { what }));
  }
}

type PartitionName = Pick<PartitionRows, "topic" | "partition">;
const placeOf = ({ topic, partition }: PartitionName): string => `${topic}:${partition}`;
const partitionText = ({ topic, partition }: PartitionName): string => `${topic}, partition ${partition},`;

/** True if rows may have left bronze on purpose. */
function lostRows(tables: Tables): boolean {
  const gone: readonly string[] = [OPERATIONS.expire, OPERATIONS.erase, OPERATIONS.restore];
  return (["bronze/readings", "bronze/rejected"] as const).some((name) => {
    const facts = tables.get(name);
    if (facts === undefined) return false;
    const { operations, isWhole, snapshot } = facts;
    return (
      !isWhole || horizonOf(snapshot) !== undefined || gone.some((operation) => operations.has(operation))
    );
  });
}

function partitionRows(row: readonly unknown[]): PartitionRows {
  const [topic, partition, rows, first, last, sum, squares] = row.map(String);
  return {
    topic: topic ?? "",
    partition: Number(partition),
    rows: Number(rows),
    first: BigInt(first ?? 0),
    last: BigInt(last ?? 0),
    sums: [BigInt(sum ?? 0), BigInt(squares ?? 0)],
  };
}

/** True if count and sums are those of the offsets `first` to `last`, each once. */
function isDense({ rows, first, last, sums }: PartitionRows): boolean {
  const sumTo = (n: bigint): bigint => (n * (n + 1n)) / 2n;
  const squaresTo = (n: bigint): bigint => (n * (n + 1n) * (2n * n + 1n)) / 6n;
  const below = first - 1n;
  return (
    BigInt(rows) === last - first + 1n &&
    sums[0] === sumTo(last) - sumTo(below) &&
    sums[1] === squaresTo(last) - squaresTo(below)
  );
}

interface Uneven {
  readonly held: string;
  readonly inputs: Parameters<typeof ask>[2];
  readonly mayGap: boolean;
  readonly mayRepeat: boolean;
}

/** Names the offsets of a partition that are there twice or missing; returns how many places it named. */
async function reportUneven(
  job: Job,
  rows: PartitionRows,
  { held, inputs, mayGap, mayRepeat }: Uneven,
): Promise<number> {
  const sql = `${held}
    select "offset", before from (
      select "offset", lag("offset") over (order by "offset") as before from held
      where topic = '${rows.topic.replaceAll("'", "''")}' and "partition" = ${rows.partition}) neighbours
    where before is not null and "offset" - before <> 1 order by 1 limit ${NAMED_MAX}`;
  const places = (await ask(job, sql, inputs)).map((row) => row.map((value) => BigInt(String(value))));
  let named = 0;
  for (const [offset = 0n, before = 0n] of places) {
    const isTwice = offset === before;
    if (isTwice ? mayRepeat : mayGap) continue;
    named += 1;
    const what = isTwice
      ? `${partitionText(rows)} has offset ${offset} more than once.`
      : `${partitionText(rows)} lacks ${counted(offset - before - 1n, "message")}, offsets ${before + 1n} to ${offset - 1n}.`;
    job.report(finding("bronze/readings", isTwice ? "position_twice" : "position_gap", { what }));
  }
  return named;
}

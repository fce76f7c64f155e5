// Doctor's look at the lake: its engine, tables, log, holds, and how far every stage is behind the one before it.

import type { Assembly } from "../../assemble.ts";
import { listLog } from "../../lakehouse/delta/log-reader.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { FOLLOWERS, refuseAhead } from "../../lakehouse/followers.ts";
import { changedDays, withinHorizon } from "../../lakehouse/gold/changed-days.ts";
import { GOLD_APP_ID } from "../../lakehouse/gold/gold.ts";
import { GOLD_TRANSFORMS } from "../../lakehouse/gold/transforms.ts";
import { tableInput, type Lake } from "../../lakehouse/lake.ts";
import { bytesOf, rowsOf } from "../../lakehouse/summary.ts";
import { TABLE_NAMES, type TableName } from "../../reading/tables.ts";
import { isAtriumError, messageOf } from "../../support/errors.ts";
import type { CommandContext } from "../command.ts";
import { examine, type Finding, megabytes, plural, span } from "./finding.ts";
import { examineLog } from "./log.ts";

/** Files below this are called small, bytes: many of them make queries slow. */
const SMALL_BYTES = 1_048_576;
const QUERY_TIMEOUT_MS = 60_000;

/** Everything of the lake; one finding if there is none. */
export async function examineLake(context: CommandContext, assembly: Assembly): Promise<readonly Finding[]> {
  let lake: Lake;
  try {
    lake = await assembly.lake({ create: false });
  } catch (error) {
    const state = isAtriumError(error, "NOT_FOUND") ? "warn" : "fail";
    return [{ state, what: "lake", found: messageOf(error) }];
  }
  const tables: Finding[] = [];
  for (const name of TABLE_NAMES) {
    tables.push(await examine(name, async () => describeTable(context, lake, name)));
  }
  return [
    { state: "ok", what: "lake", found: `${lake.store.url}, format ${lake.formatVersion}` },
    await examine("engine", async () => describeEngine(lake)),
    ...tables,
    ...(await examineLog(context, assembly, lake)),
    await examine("to silver", async () => silverBehind(lake)),
    await examine("to gold", async () => goldBehind(lake)),
    await examine("restatements", async () => restatementsBehind(lake)),
    await examine("rejected", async () => rejectedByReason(lake)),
    await examine("holds", async () => holdsOf(context, lake)),
  ];
}

async function describeEngine(lake: Lake): Promise<string> {
  const query = { sql: "select version()", inputs: [], rowsMax: 1, timeoutMs: QUERY_TIMEOUT_MS };
  const { rows } = await lake.engine.query(query);
  return `DuckDB ${JSON.stringify(rows[0]?.[0])}`;
}

async function describeTable(
  { clock }: CommandContext,
  lake: Lake,
  name: TableName,
): Promise<Pick<Finding, "state" | "found" | "cells">> {
  const snapshot = await lake.table(name).snapshot();
  if (snapshot === undefined) return { state: "ok", found: "not made yet" };
  const { version, files, timestampMs } = snapshot;
  const small = [...files.values()].filter((file) => file.size < SMALL_BYTES).length;
  const oldest = await oldestVersion(lake, name);
  const cells = [
    `version ${version}`,
    plural(rowsOf(snapshot), "row"),
    plural(files.size, "file"),
    `${small.toLocaleString("en")} small`,
    megabytes(bytesOf(snapshot)),
    `${span(clock.nowMs() - timestampMs)} old`,
    `log from ${oldest}`,
  ];
  return { state: "ok", found: cells.join(", "), cells };
}

/** The oldest version that the log can still tell of. */
async function oldestVersion(lake: Lake, name: TableName): Promise<number> {
  const { commits, checkpoints } = await listLog({ store: lake.store, path: name }, 0);
  const oldest = checkpoints.at(-1)?.version ?? commits[0] ?? 0;
  return commits[0] === 0 ? 0 : oldest;
}

/** The newest versions of a follower and of the table that it follows, in this order. @throws TABLE_CORRUPT */
async function followed(
  lake: Lake,
  table: TableName,
): Promise<{
  readonly own: Snapshot | undefined;
  readonly other: Snapshot | undefined;
  readonly versions: number;
}> {
  const follower = FOLLOWERS.find((known) => known.table === table);
  const own = await lake.table(table).snapshot();
  const other = follower && (await lake.table(follower.follows).snapshot());
  if (other === undefined || follower === undefined) return { own, other, versions: 0 };
  refuseAhead(table, own, other);
  return { own, other, versions: other.version - Number(own?.txns.get(follower.appId) ?? -1n) };
}

async function silverBehind(lake: Lake): Promise<string> {
  const { other: bronze, versions } = await followed(lake, "silver/readings");
  if (bronze === undefined) return "nothing in bronze yet";
  const changes = await lake.table("bronze/readings").changes(bronze.version - versions, bronze.version);
  const waiting = changes.filter(({ adds }) => adds.length > 0).length;
  return waiting === 0
    ? "silver has all of bronze"
    : `${plural(waiting, "bronze version")} not yet in silver`;
}

async function goldBehind(lake: Lake): Promise<string> {
  const days = new Set<string>();
  let hasSilver = false;
  for (const { table } of GOLD_TRANSFORMS) {
    const { own: gold, other: silver } = await followed(lake, table);
    if (silver === undefined) continue;
    hasSilver = true;
    const reflected = gold?.txns.get(GOLD_APP_ID);
    const changed = await changedDays(lake, { gold: gold ?? silver, silver, reflected });
    for (const day of withinHorizon(silver, changed).days) days.add(day);
  }
  if (!hasSilver) return "nothing in silver yet";
  const [first] = [...days].toSorted();
  if (first === undefined) return "gold has all of silver";
  return `${plural(days.size, "day")} to be made, from ${first}`;
}

async function restatementsBehind(lake: Lake): Promise<string> {
  const { other: daily, versions } = await followed(lake, "gold/restatements");
  if (daily === undefined) return "nothing in gold yet";
  return versions === 0
    ? "all of gold/room_daily looked at"
    : `${plural(versions, "version")} of gold/room_daily to look at`;
}

async function rejectedByReason(lake: Lake): Promise<string> {
  const snapshot = await lake.table("bronze/rejected").snapshot();
  if (rowsOf(snapshot) === 0) return "none";
  const { rows } = await lake.engine.query({
    sql: "select reason, count(*) from bronze_rejected group by reason order by 2 desc, 1",
    inputs: [tableInput(lake, "bronze/rejected", { snapshot })],
    rowsMax: 100,
    timeoutMs: QUERY_TIMEOUT_MS,
  });
  const reasons = rows.map(
    ([reason, count]) => `${Number(count).toLocaleString("en")} ${JSON.stringify(reason)}`,
  );
  return `${plural(rowsOf(snapshot), "message")}: ${reasons.join(", ").replaceAll('"', "")}`;
}

/** Versions that processes keep alive for what they read. */
async function holdsOf({ clock }: CommandContext, lake: Lake): Promise<string> {
  const holds = await lake.store.list("_atrium/holds/");
  if (holds.length === 0) return "none";
  const newest = Math.max(...holds.map((hold) => hold.modifiedMs));
  return `${plural(holds.length, "reader")}, the last one renewed ${span(clock.nowMs() - newest)} ago`;
}

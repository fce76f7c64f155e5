// The promises, checked against what the ledger knows when all is finished.

import { ingestAppId } from "../../src/lakehouse/bronze/positions.ts";
import type { RemoveAction } from "../../src/lakehouse/delta/actions.ts";
import { listLog, readCommits } from "../../src/lakehouse/delta/log-reader.ts";
import { storePath } from "../../src/lakehouse/delta/paths.ts";
import type { Snapshot } from "../../src/lakehouse/delta/snapshot.ts";
import { replay } from "../../src/lakehouse/delta/snapshot.ts";
import { statsOf } from "../../src/lakehouse/delta/stats.ts";
import { wereFinal } from "../../src/lakehouse/gold/day-tags.ts";
import { GOLD_APP_ID } from "../../src/lakehouse/gold/gold.ts";
import { RESTATE_APP_ID } from "../../src/lakehouse/gold/restatements.ts";
import { type Lake, tableInput } from "../../src/lakehouse/lake.ts";
import { REFINE_APP_ID } from "../../src/lakehouse/silver/refine.ts";
import { isRejection, parseMessage } from "../../src/reading/parse-message.ts";
import { TABLE_NAMES, type TableName } from "../../src/reading/tables.ts";
import type { Ledger, LoggedMessage } from "./ledger.ts";
import { type Row, rowsOfFile } from "./model-rows.ts";
import { flagOf, goldOf, keyOf, restatedValues } from "./model-transforms.ts";
import { readings } from "./sent.ts";
import { plainFiles } from "./simulated-files.ts";
import { LAKE, type World } from "./world.ts";

/** A table as it is in the end. */
interface Found {
  readonly snapshot: Snapshot;
  readonly rows: readonly Row[];
}

interface Table {
  readonly name: TableName;
  readonly snapshot: Snapshot;
}

type Tables = Readonly<Partial<Record<TableName, Found>>>;

/** Checks all promises; the ledger notes what does not hold. */
export async function checkPromises(world: World): Promise<void> {
  const { ledger } = world;
  const lake = await world.lookingLake(plainFiles(world.disk));
  const tables: Partial<Record<TableName, Found>> = {};
  for (const name of TABLE_NAMES) {
    const found = await tableAt(world, lake, name);
    if (found !== undefined) tables[name] = found;
  }
  checkReplay(world);
  checkBronze(ledger, tables);
  checkSilver(ledger, tables);
  checkGold(ledger, tables);
  checkRestatements(ledger, tables);
  await checkAllRestated(world, lake, tables);
  checkPositions(ledger, tables);
}

/** Reads a table from its log, and holds its log against what was acknowledged and its files against their statistics. */
async function tableAt(world: World, lake: Lake, name: TableName): Promise<Found | undefined> {
  const { ledger, disk } = world;
  const snapshot = await lake.table(name).snapshot();
  if (snapshot === undefined) {
    if (ledger.commits.has(name)) ledger.fail("acknowledged commits stay", `${name} is gone`);
    return undefined;
  }
  await checkCommits(world, lake, { name, snapshot });
  const rows: Row[] = [];
  const input = tableInput(lake, name, { snapshot });
  for (const [index, file] of [...snapshot.files.values()].entries()) {
    const { path, partitionValues } = input.files[index]!;
    const bytes = disk.read(await lake.store.localFile(path));
    const own = rowsOfFile(bytes, partitionValues);
    const isWhole = bytes.length === file.size && own.length === statsOf(file)?.numRecords;
    if (!isWhole) ledger.fail("live files are whole", `${name}: ${file.path}`);
    rows.push(...own);
  }
  return { snapshot, rows };
}

/** The commits that are left say what their writers were told; as long as all are there, they add up to the snapshot. */
async function checkCommits({ ledger, plan }: World, lake: Lake, { name, snapshot }: Table): Promise<void> {
  const place = { store: lake.store, path: name, codec: lake.codec };
  const first = (await listLog(place, 0)).commits[0] ?? 0;
  const commits = await readCommits(place, first, snapshot.version);
  if (first === 0) {
    const whole = replay(name, undefined, commits);
    if (whole.version !== snapshot.version || stateOf(whole) !== stateOf(snapshot)) {
      ledger.fail("a checkpoint says what the log says", `${name} version ${snapshot.version}`);
    }
  }
  for (const [version, { writer, adds }] of ledger.commits.get(name) ?? []) {
    // Cleaned up.
    if (plan.hasUpkeep && version < first) continue;
    const actions = commits.find((commit) => commit.version === version)?.actions ?? [];
    const held = new Set(actions.flatMap(({ add }) => (add === undefined ? [] : [add.path])));
    if (actions.length > 0 && held.size === adds.length && adds.every((path) => held.has(path))) continue;
    ledger.fail("acknowledged commits stay", `${name} version ${version} of ${writer} is not what it was`);
  }
}

function stateOf({ files, txns }: Snapshot): string {
  return JSON.stringify([[...files.keys()].toSorted(), [...txns].map(String).toSorted()]);
}

/** Each line of a raw file is one message, in the order of its file. */
function checkReplay({ ledger, plan }: World): void {
  const sent = Map.groupBy(
    ledger.messages.filter((message) => message.producer === "replay"),
    (message) => message.key,
  );
  for (const [key, values] of readings(plan.raw)) {
    const found = (sent.get(key) ?? []).map(({ value }) => Buffer.from(value).toString("latin1"));
    if (JSON.stringify(found) === JSON.stringify(values)) continue;
    ledger.fail("replay sends each line once", `${key}: ${found.length} messages of ${values.length} lines`);
  }
}

function checkBronze(ledger: Ledger, tables: Tables): void {
  const rows = [...(tables["bronze/readings"]?.rows ?? []), ...(tables["bronze/rejected"]?.rows ?? [])];
  const held = Map.groupBy(rows, placeOfRow);
  for (const message of ledger.messages) {
    const place = `${message.topic}/${message.partition}/${message.offset}`;
    const found = held.get(place) ?? [];
    if (found.length === 1 && isTaken(message, found[0]!)) continue;
    const check = found.length > 1 ? "nothing is doubled" : "nothing acknowledged is lost";
    const value = Buffer.from(message.value).toString("latin1");
    ledger.fail(check, `${place} ${value}: ${found.length} rows ${JSON.stringify(found)}`);
  }
  if (rows.length !== ledger.messages.length) {
    ledger.fail("nothing is doubled", `${rows.length} rows of ${ledger.messages.length} messages`);
  }
}

/** True if the row says what the message says. */
function isTaken(message: LoggedMessage, row: Row): boolean {
  const outcome = parseMessage(message.value, message.logTimeMs);
  if (isRejection(outcome)) {
    const bytes = Buffer.from(message.value).toString("base64");
    return row["reason"] === outcome.reason && row["value"] === bytes && row["key"] === message.key;
  }
  return (
    row["room"] === outcome.room &&
    row["sensor_type"] === outcome.sensorType &&
    row["event_ts"] === outcome.eventUs &&
    row["value"] === outcome.value &&
    row["attributes"] === (outcome.attributes ?? null)
  );
}

/** One row a key: the first that came into the log, judged. */
function checkSilver(ledger: Ledger, tables: Tables): void {
  const first = new Map<string, Row>();
  for (const row of tables["bronze/readings"]?.rows ?? []) {
    const known = first.get(keyOf(row));
    if (known === undefined || Number(row["offset"]) < Number(known["offset"])) first.set(keyOf(row), row);
  }
  const rows = tables["silver/readings"]?.rows ?? [];
  const held = Map.groupBy(rows, keyOf);
  for (const [key, row] of first) {
    const found = held.get(key) ?? [];
    if (found.length > 1) ledger.fail("a reading is one row of silver", `${key}: ${found.length} rows`);
    const own = found[0];
    if (own === undefined) ledger.fail("no reading is lost to silver", key);
    else if (placeOfRow(own) !== placeOfRow(row)) {
      const message = `${key}: ${placeOfRow(own)} in place of ${placeOfRow(row)}`;
      ledger.fail("silver keeps the first of a key", message);
    } else if (own["quality_flag"] !== flagOf(row["sensor_type"] as never, row["value"]!)) {
      ledger.fail("silver judges", `${key}: ${own["quality_flag"]}`);
    }
  }
  if (held.size > first.size) ledger.fail("a reading is one row of silver", "keys of no message");
}

/** Gold is what silver says, whatever happened. */
function checkGold(ledger: Ledger, tables: Tables): void {
  const made = goldOf(tables["silver/readings"]?.rows ?? []);
  for (const [name, rows] of Object.entries(made)) {
    const found = tables[name as TableName]?.rows ?? [];
    const [expected, actual] = [textsOf(rows), textsOf(found)];
    const differing = expected.find((text, index) => text !== actual[index]) ?? actual[expected.length];
    if (differing !== undefined) ledger.fail("gold is a function of silver", `${name}: ${differing}`);
  }
}

/** The values that were restated follow one from the other, up to what gold says now. */
function checkRestatements(ledger: Ledger, tables: Tables): void {
  const daily = tables["gold/room_daily"];
  const restated = tables["gold/restatements"];
  const fail = (what: string): void => ledger.fail("restatements say what late readings changed", what);
  const chains = Map.groupBy(restated?.rows ?? [], ({ room, event_date, column_name }) =>
    [room, event_date, column_name].join("|"),
  );
  for (const [key, rows] of chains) {
    const inOrder = rows.toSorted((a, b) => Number(a["revision"]) - Number(b["revision"]));
    const [room, day, column = ""] = key.split("|");
    const now = daily?.rows.find((row) => row["room"] === room && row["event_date"] === day);
    for (const [index, row] of inOrder.entries()) {
      const next = inOrder[index + 1]?.["value_before"] ?? now?.[column] ?? null;
      if (row["value_after"] !== next) fail(`${key}: ${row["value_after"]} is followed by ${next}`);
    }
  }
  const position = restated?.snapshot.txns.get(RESTATE_APP_ID);
  if (daily !== undefined && position !== BigInt(daily.snapshot.version)) fail(`position ${position}`);
}

/** Every value that a commit changed in a day that was over is restated. With upkeep the files before may be gone. */
async function checkAllRestated({ ledger, plan, disk }: World, lake: Lake, tables: Tables): Promise<void> {
  const name = "gold/room_daily";
  const daily = tables[name];
  if (daily === undefined || plan.hasUpkeep) return;
  const rowsIn = (files: readonly RemoveAction[]): readonly Row[] =>
    files.flatMap(({ path, partitionValues = {} }) =>
      rowsOfFile(disk.read(`${LAKE}/${storePath(name, path)}`), partitionValues),
    );
  let values = 0;
  for (const change of await lake.table(name).changes(0, daily.snapshot.version)) {
    for (const day of new Set(change.removes.map((file) => file.partitionValues?.["event_date"]))) {
      const isOfDay = ({ partitionValues }: RemoveAction): boolean => partitionValues?.["event_date"] === day;
      const [before, after] = [change.removes.filter(isOfDay), change.adds.filter(isOfDay)];
      if (wereFinal(before, after)) values += restatedValues(rowsIn(before), rowsIn(after)).length;
    }
  }
  const found = tables["gold/restatements"]?.rows.length ?? 0;
  if (found !== values) ledger.fail("every late change is restated", `${found} rows of ${values} values`);
}

function checkPositions(ledger: Ledger, tables: Tables): void {
  const readings = tables["bronze/readings"]?.snapshot;
  const silver = tables["silver/readings"]?.snapshot;
  const wrong = (what: string): void => ledger.fail("positions say what was taken", what);
  const ends = new Map<string, number>();
  for (const message of ledger.messages) ends.set(ingestAppId("log", message), message.offset);
  for (const [appId, offset] of ends) {
    const found = readings?.txns.get(appId);
    if (found !== BigInt(offset)) wrong(`${appId}: ${found}, not ${offset}`);
  }
  if (readings !== undefined && silver?.txns.get(REFINE_APP_ID) !== BigInt(readings.version)) wrong("silver");
  for (const name of ["gold/sensor_hourly", "gold/sensor_daily", "gold/room_daily"] as const) {
    const gold = tables[name]?.snapshot;
    if (silver !== undefined && gold?.txns.get(GOLD_APP_ID) !== BigInt(silver.version)) wrong(name);
  }
}

function placeOfRow(row: Row): string {
  return `${row["topic"]}/${row["partition"]}/${row["offset"]}`;
}

const BOOKKEEPING = ["created_at", "revision"];

function textsOf(rows: readonly Row[]): readonly string[] {
  return rows
    .map((row) => {
      const facts = Object.entries(row).filter(([name]) => !BOOKKEEPING.includes(name));
      return JSON.stringify(facts.toSorted(([a], [b]) => (a < b ? -1 : 1)));
    })
    .toSorted();
}

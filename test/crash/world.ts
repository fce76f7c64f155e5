// What a campaign of kills works on: raw files, real and faulty, and the lake that an undisturbed run makes of them.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { TABLE_NAMES, type TableName } from "../../src/reading/tables.ts";
import { KETI_DIR } from "../support/keti.ts";
import {
  ask,
  assertEachMessageOnce,
  assertSameRows,
  generateRaw,
  openLakes,
  runAll,
} from "../support/lake-folder.ts";
import { temporaryFolder } from "../support/program.ts";
import { lakeIn } from "../support/world.ts";

/** Small batches: many commits, so that most moments lie between two of them. */
export const BATCHES: readonly string[] = ["--batch-rows", "5000", "--bronze-partition-by", "event_date"];
/** Files of the real readings: few enough for a run of a second or two. */
const REAL_FILES: readonly string[] = ["413/co2.csv.gz", "511/temperature.csv.gz"];
/** Commits from one checkpoint to the next: few, so that small lakes have some. */
const CHECKPOINT_INTERVAL = "5";

/** Everything that a campaign shares. */
export interface World extends AsyncDisposable {
  readonly folder: string;
  readonly raw: string;
  readonly reference: string;
  readonly messages: number;
  /** How long the undisturbed run took, ms. */
  readonly runMs: number;
  /** True if real readings are among the raw files. */
  readonly isReal: boolean;
}

/** Generates a faulty room, links real files beside it where there are any, and makes the reference lake. */
export async function makeWorld(realFiles = REAL_FILES): Promise<World> {
  const folder = await temporaryFolder();
  const generated = join(folder.path, "generated");
  const raw = join(folder.path, "raw");
  const reference = lakeIn(folder.path, "reference");
  await generateRaw(generated, ["--rooms", "1", "--days", "1", "--seed", "3", "--faults"]);
  const faulty = readdirSync(generated)[0] ?? "";
  for (const file of readdirSync(join(generated, faulty))) linkInto(raw, `faulty/${file}`, generated, faulty);
  if (KETI_DIR !== undefined) {
    for (const file of realFiles) linkInto(raw, file, KETI_DIR, file.split("/")[0] ?? "");
  }
  await prepareLake(reference);
  const startMs = performance.now();
  const { messages } = await runAll(raw, reference, BATCHES);
  return {
    folder: folder.path,
    raw,
    reference,
    messages,
    runMs: performance.now() - startMs,
    isReal: KETI_DIR !== undefined,
    [Symbol.asyncDispose]: async () => folder[Symbol.asyncDispose](),
  };
}

/** Makes an empty lake whose tables get a checkpoint every few commits. */
export async function prepareLake(address: string): Promise<void> {
  await using lakes = await openLakes([address], { create: true });
  for (const lake of lakes.opened) {
    for (const name of TABLE_NAMES) {
      const definition = lake.definition(name);
      const partitionColumns = name === "bronze/readings" ? ["event_date"] : definition.partitionColumns;
      const configuration = { "delta.checkpointInterval": CHECKPOINT_INTERVAL };
      await lake.table(name).create({ ...definition, partitionColumns, configuration });
    }
  }
}

/** Fails unless a finished lake holds what the reference holds: each message once, and the same rows in every table. */
export async function assertUndisturbed(world: World, lake: string): Promise<void> {
  await assertEachMessageOnce(lake, world.messages);
  await assertSameRows(lake, world.reference);
}

/** Tables whose rows do not tell how often gold was made. */
const WITHOUT_REVISIONS: readonly TableName[] = TABLE_NAMES.filter(
  (name) => name !== "gold/room_daily" && name !== "gold/restatements",
);

/** As `assertUndisturbed`, for a lake whose gold was made while readings still came in: then only revisions may differ. */
export async function assertSameButRevisions(world: World, lake: string): Promise<void> {
  await assertEachMessageOnce(lake, world.messages);
  await assertSameRows(lake, world.reference, WITHOUT_REVISIONS);
  const sql = "select * exclude (created_at, revision) from gold_room_daily order by event_date, room";
  const [here, there] = await Promise.all([ask(lake, sql), ask(world.reference, sql)]);
  assert.deepEqual(here, there);
}

function linkInto(raw: string, path: string, from: string, room: string): void {
  const [target = "", file = ""] = path.split("/");
  mkdirSync(join(raw, target), { recursive: true });
  symlinkSync(join(from, room, file), join(raw, path));
}

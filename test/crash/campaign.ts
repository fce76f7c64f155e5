// Campaigns of kills: lake after lake is filled by processes that are killed again and again, then compared.

import assert from "node:assert/strict";
import { present } from "../../src/support/assert.ts";
import type { Chance } from "../../src/support/chance.ts";
import type { FaultPoint } from "../../src/support/fault-point.ts";
import { ageFiles, unnamedFiles } from "../support/leftovers.ts";
import { lakeIn, WORLD_POINTS } from "../support/world.ts";
import { strike, type Blow, type Hit } from "./strike.ts";
import { assertSameButRevisions, assertUndisturbed, BATCHES, prepareLake, type World } from "./world.ts";

/** What a campaign needs. */
export interface Campaign {
  readonly world: World;
  readonly chance: Chance;
  /** False: the parts are killed at fault points alone, so that what is hit does not depend on the machine's speed. */
  readonly atTimes: boolean;
  /** True: upkeep works beside the parts and is killed too. */
  readonly withUpkeep: boolean;
  /** Hears of every kill that hit. */
  readonly onHit: (hit: Hit) => void;
  /** Hears of every lake that was finished and compared. */
  readonly onCompared: () => void;
}

/** A process that is killed and started again until its work is done. */
interface Part {
  readonly args: readonly string[];
  readonly points: readonly FaultPoint[];
}

/** A point is passed at most so often before the kill. */
const PASSINGS_MAX = 3;
/** Points of the replay come first: its few appends are soon done. Those of gold come last, when all else is done. */
const isOf =
  (...prefixes: readonly string[]) =>
  (point: FaultPoint): boolean =>
    prefixes.some((prefix) => point.startsWith(prefix));
const REPLAY_POINTS = WORLD_POINTS.filter(isOf("replay/", "log/append/"));
const GOLD_POINTS = WORLD_POINTS.filter(isOf("gold/"));
const FLOW_POINTS = WORLD_POINTS.filter(
  (point) => !isOf("replay/", "log/append/", "gold/", "compact/")(point),
);
/** Points that upkeep passes, in an order in which each is still to come: first those before its first commit. */
const ALL_UPKEEP_POINTS: readonly FaultPoint[] = [
  "store/file/synced",
  "store/file/moved",
  "store/absent/written",
  "compact/written",
  "compact/committed",
  "store/put/written",
  "store/put/renamed",
  "store/deleted",
  "store/absent/linked",
];
/** Those of this world. */
export const UPKEEP_POINTS: readonly FaultPoint[] = ALL_UPKEEP_POINTS.filter((point) =>
  WORLD_POINTS.includes(point),
);
/** Points that `run` passes. */
export const RUN_POINTS: readonly FaultPoint[] = WORLD_POINTS.filter((point) => !isOf("compact/")(point));
const REPLAY_KILLS = 3;
const GOLD_KILLS = 2;

let lakes = 0;

/** A new empty lake of the campaign. */
export async function newLake({ world }: Campaign): Promise<string> {
  lakes += 1;
  const lake = lakeIn(world.folder, `lake-${lakes}`);
  await prepareLake(lake);
  return lake;
}

/** The arguments of `run` on a lake. */
export function runArguments({ world }: Campaign, lake: string): readonly string[] {
  return ["run", "--raw", world.raw, "--lake", lake, ...BATCHES];
}

/** Starts `run` on a lake and strikes. True if it was killed; false if it ended before: then the lake is complete. */
export async function strikeRun(campaign: Campaign, lake: string, blow: Blow): Promise<boolean> {
  const hit = await strike(runArguments(campaign, lake), blow, { folder: campaign.world.folder });
  if (hit !== undefined) campaign.onHit(hit);
  return hit !== undefined;
}

/** Runs a lake to its end, undisturbed, and compares all of its tables with the reference. */
export async function finishRun(campaign: Campaign, lake: string): Promise<void> {
  await strikeRun(campaign, lake, { at: "never" });
  await assertUndisturbed(campaign.world, lake);
  campaign.onCompared();
}

/** One lake by `run`, killed at instants that are uniform over the time of an undisturbed run, until one comes too late. */
export async function killAtTimes(campaign: Campaign, kills: number): Promise<void> {
  const lake = await newLake(campaign);
  for (let killed = 0; killed < kills; killed += 1) {
    if (!(await strikeRun(campaign, lake, someTime(campaign)))) break;
  }
  await finishRun(campaign, lake);
}

/** One lake by `run`, killed at fault points by chance: first those of replay, then of the flow, then of gold. */
export async function killAtPoints(campaign: Campaign, kills: number): Promise<void> {
  const lake = await newLake(campaign);
  for (let killed = 0; killed < kills; killed += 1) {
    const early = killed < REPLAY_KILLS ? REPLAY_POINTS : FLOW_POINTS;
    const points = kills - killed <= GOLD_KILLS ? GOLD_POINTS : early;
    if (!(await strikeRun(campaign, lake, somePoint(campaign, points)))) break;
  }
  await finishRun(campaign, lake);
}

/**
 * One lake by replay, ingest, refine and gold as processes of their own, side by side, each killed up to `killsEach` times
 * and started again; each ends once the one before it has ended and nothing is left for it.
 */
export async function killParts(campaign: Campaign, killsEach: number): Promise<void> {
  const lake = await newLake(campaign);
  let upstream = Promise.resolve();
  const workers: Promise<void>[] = [];
  for (const part of partsOn(campaign, lake)) {
    upstream = work(campaign, part, { upstream, killsEach });
    workers.push(upstream);
  }
  await keepUpUntil(campaign, { lake, upstream, killsEach });
  await Promise.all(workers);
  await assertSameButRevisions(campaign.world, lake);
  campaign.onCompared();
}

/** Runs `upkeep` again and again beside the parts, killed as they are, and once more when they have ended. */
async function keepUpUntil(
  campaign: Campaign,
  {
    lake,
    upstream,
    killsEach,
  }: { readonly lake: string; readonly upstream: Promise<void>; readonly killsEach: number },
): Promise<void> {
  if (!campaign.withUpkeep) return;
  const part = { args: ["upkeep", "--lake", lake], points: UPKEEP_POINTS };
  await work(campaign, part, { upstream, killsEach });
}

/**
 * One lake by `run`, which is killed and leaves files that no commit names; then `upkeep` is killed at each of its
 * points, and at last lets nothing behind: no row changed, and no such file is left.
 */
export async function killUpkeep(campaign: Campaign): Promise<void> {
  const lake = await newLake(campaign);
  for (const point of ["ingest/written", "refine/written", "gold/written"] as const) {
    await strikeRun(campaign, lake, { at: "point", point, passing: 2 });
  }
  await strikeRun(campaign, lake, { at: "never" });
  assert.notEqual(unnamedFiles(lake).length, 0);
  ageFiles(lake);
  const args = ["upkeep", "--lake", lake];
  const { folder } = campaign.world;
  for (const point of UPKEEP_POINTS) {
    const hit = await strike(args, { at: "point", point, passing: 1 }, { folder });
    if (hit !== undefined) campaign.onHit(hit);
  }
  // What upkeep itself left when it was killed is young.
  ageFiles(lake);
  await strike(args, { at: "never" }, { folder });
  assert.deepEqual(unnamedFiles(lake), []);
  await assertUndisturbed(campaign.world, lake);
  campaign.onCompared();
}

function partsOn({ world }: Campaign, lake: string): readonly Part[] {
  const of = (...prefixes: readonly string[]): readonly FaultPoint[] =>
    WORLD_POINTS.filter(isOf(...prefixes));
  return [
    {
      args: ["replay", "--raw", world.raw, "--lake", lake, "--replay-mode", "max"],
      points: REPLAY_POINTS,
    },
    {
      args: ["ingest", "--once", "--lake", lake, ...BATCHES],
      points: of("ingest/", "log/release/", "checkpoint/", "store/"),
    },
    {
      args: ["refine", "--once", "--lake", lake, "--batch-rows", "5000"],
      points: of("refine/", "checkpoint/", "store/"),
    },
    { args: ["gold", "--lake", lake], points: of("gold/", "store/file/", "store/absent/") },
  ];
}

async function work(
  campaign: Campaign,
  { args, points }: Part,
  { upstream, killsEach }: { readonly upstream: Promise<void>; readonly killsEach: number },
): Promise<void> {
  let isFed = false;
  const fed = upstream.then(() => (isFed = true));
  for (let killed = 0; ;) {
    const wasFed = isFed;
    const blow: Blow = killed < killsEach ? someBlow(campaign, points) : { at: "never" };
    const hit = await strike(args, blow, { folder: campaign.world.folder });
    if (hit === undefined && wasFed) break;
    // Undisturbed from here on, there is no use in looking again and again before all is there.
    if (hit === undefined && blow.at === "never") await fed;
    if (hit === undefined) continue;
    killed += 1;
    campaign.onHit(hit);
  }
  await fed;
}

/** A fault point or an instant, as likely as one another. */
function someBlow(campaign: Campaign, points: readonly FaultPoint[]): Blow {
  return campaign.atTimes && campaign.chance.below(2) === 0
    ? someTime(campaign)
    : somePoint(campaign, points);
}

function someTime({ chance, world }: Campaign): Blow {
  return { at: "time", afterMs: chance.next() * world.runMs };
}

function somePoint({ chance }: Campaign, points: readonly FaultPoint[]): Blow {
  const point = present(points[chance.below(points.length)], "a fault point");
  return { at: "point", point, passing: 1 + chance.below(PASSINGS_MAX) };
}

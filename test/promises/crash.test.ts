// Promises 1, 2, 5 and 6: the program is killed with SIGKILL wherever it matters, and the lake ends as if it never had been.
//
// `npm run crash -- --kills 200` does the same for longer, and at instants of the clock.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { seededChance } from "../../src/support/chance.ts";
import {
  finishRun,
  killParts,
  killUpkeep,
  newLake,
  RUN_POINTS,
  strikeRun,
  UPKEEP_POINTS,
  type Campaign,
} from "../crash/campaign.ts";
import type { Hit } from "../crash/strike.ts";
import { makeWorld, type World } from "../crash/world.ts";
import { filesIn } from "../support/lake-folder.ts";

let world: World;
const hits: Hit[] = [];
const campaign = (seed: number): Campaign => {
  hits.length = 0;
  const onHit = (hit: Hit): void => void hits.push(hit);
  return {
    world,
    chance: seededChance(seed),
    atTimes: false,
    withUpkeep: true,
    onHit,
    onCompared: () => undefined,
  };
};

before(async () => {
  world = await makeWorld(["511/co2.csv.gz"]);
});
after(async () => world[Symbol.asyncDispose]());

test("killed at every fault point, one after the other, run loses nothing and doubles nothing", async () => {
  const work = campaign(1);
  let lake = await newLake(work);
  for (const point of RUN_POINTS) {
    const blow = { at: "point", point, passing: 1 } as const;
    if (await strikeRun(work, lake, blow)) continue;
    // The lake was complete before it came to this point: a new one comes to all of them.
    await finishRun(work, lake);
    lake = await newLake(work);
    assert.ok(await strikeRun(work, lake, blow), `no run passes ${point}`);
  }
  await finishRun(work, lake);
  assert.deepEqual(
    hits.map((hit) => hit.passed),
    RUN_POINTS,
  );
});

test("killed at ten random moments between its files, run loses nothing and doubles nothing", async () => {
  const work = campaign(20130823);
  const lake = await newLake(work);
  const step = filesIn(world.reference) / 10;
  for (let kill = 0; kill < 10; kill += 1) {
    const wanted = 1 + work.chance.below(Math.ceil(step * 2));
    let before: number | undefined;
    const look = (): boolean => filesIn(lake) - (before ??= filesIn(lake)) >= wanted;
    if (!(await strikeRun(work, lake, { at: "moment", look }))) break;
  }
  assert.ok(hits.length >= 5, `only ${hits.length} moments came before the end`);
  await finishRun(work, lake);
});

test("replay, ingest, refine, gold and upkeep, side by side and each killed at fault points, lose nothing and double nothing", async () => {
  await killParts(campaign(7), 2);
  assert.ok(hits.length >= 3, `only ${hits.length} kills hit`);
});

test("upkeep, killed at every fault point, changes no row, and at last leaves no file that no version names", async () => {
  await killUpkeep(campaign(3));
  const passed = hits.flatMap(({ command, passed: point }) => (command === "upkeep" ? [point] : []));
  assert.deepEqual(passed, UPKEEP_POINTS);
});

// `npm run crash -- --kills 200`: kills the real program with -9, hundreds of times, and compares what is left with an undisturbed run.

import { parseArgs } from "node:util";
import { seededChance } from "../../src/support/chance.ts";
import { FAULT_POINT_NAMES } from "../../src/support/fault-point.ts";
import { killAtPoints, killAtTimes, killParts, killUpkeep, type Campaign } from "./campaign.ts";
import type { Hit } from "./strike.ts";
import { makeWorld } from "./world.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "200" },
    seed: { type: "string", default: "1" },
    upkeep: { type: "boolean", default: false },
  },
});
const wanted = Number(values.kills);
/** Kills on one lake by `run`, and of each part. */
const RUN_KILLS_MAX = 16;
const PART_KILLS = 3;
const SAY_EVERY = 20;

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const hits: Hit[] = [];
let compared = 0;

const startMs = performance.now();
await using world = await makeWorld();
const seconds = (): string => `${((performance.now() - startMs) / 1000).toFixed(0)} s`;
say(
  `${world.messages.toLocaleString("en")} messages (${world.isReal ? "KETI and generated with faults" : "generated with faults"}), ` +
    `an undisturbed run takes ${(world.runMs / 1000).toFixed(1)} s; seed ${values.seed}`,
);
const campaign: Campaign = {
  world,
  chance: seededChance(Number(values.seed)),
  atTimes: true,
  withUpkeep: values.upkeep,
  onHit: (hit) => {
    hits.push(hit);
    if (hits.length % SAY_EVERY === 0) say(`${hits.length} kills, ${compared} lakes compared, ${seconds()}`);
  },
  onCompared: () => (compared += 1),
};
for (let lake = 0; hits.length < wanted; lake += 1) {
  const kind = lake % 3;
  const left = wanted - hits.length;
  if (kind === 0) await killAtPoints(campaign, Math.min(RUN_KILLS_MAX, left));
  else if (kind === 1) await killAtTimes(campaign, Math.min(RUN_KILLS_MAX, left));
  else await killParts(campaign, PART_KILLS);
  if (values.upkeep && kind === 2) await killUpkeep(campaign);
}
say(
  `\n${hits.length} kills, ${compared} lakes compared with the undisturbed one, all the same; ${seconds()}`,
);
say(countsText("killed", (hit) => hit.command));
say(countsText("at a fault point", (hit) => (hit.at === "point" ? hit.passed : undefined)));
say(
  countsText("at random, after", (hit) => (hit.at === "time" ? (hit.passed ?? "no point yet") : undefined)),
);
const missed = FAULT_POINT_NAMES.filter((name) => !hits.some((hit) => hit.passed === name));
if (missed.length > 0) say(`no kill hit at or after: ${missed.join(", ")}`);

function countsText(title: string, keyOf: (hit: Hit) => string | undefined): string {
  const counts = new Map<string, number>();
  for (const hit of hits) {
    const key = keyOf(hit);
    if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const sum = [...counts.values()].reduce((total, count) => total + count, 0);
  const parts = [...counts].toSorted((a, b) => b[1] - a[1]).map(([key, count]) => `${key} ${count}`);
  return `${title}: ${sum} (${parts.join(", ")})`;
}

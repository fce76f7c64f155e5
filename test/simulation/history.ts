// One history from its seed: faults, then rest, then the promises are checked.

import { seededChance } from "../../src/support/chance.ts";
import { messageOf } from "../../src/support/errors.ts";
import {
  finishActor,
  foreignActor,
  goldActor,
  ingestActor,
  readerActor,
  refineActor,
  replayActor,
  upActor,
  upkeepActor,
} from "./actors.ts";
import { checkPromises } from "./checks.ts";
import type { Failure } from "./ledger.ts";
import { makePlan } from "./plan.ts";
import { NO_FAULTS } from "./scheduler.ts";
import { type Tampering, World } from "./world.ts";

/** What came of a history. */
export interface HistoryResult {
  readonly seed: number;
  readonly steps: number;
  /** Of all that happened, in its order. */
  readonly traceHash: number;
  /** Undefined if every promise held. */
  readonly failure: (Failure & { readonly step: number }) | undefined;
}

/** How to run one. */
export interface HistoryOptions {
  readonly tampering?: Tampering;
  /** Hears of every step. */
  readonly onStep?: (line: string) => void;
}

/** Steps in which those that stood still meet their successors. */
const MEETING_STEPS = 250;
/** Far more than it takes. */
const FINISH_STEPS_MAX = 20_000;

/** Runs the history of a seed. */
export async function runHistory(seed: number, options: HistoryOptions = {}): Promise<HistoryResult> {
  const chance = seededChance(seed);
  const plan = makePlan(chance);
  let traceHash = 0x811c9dc5;
  const onStep = (line: string): void => {
    for (let at = 0; at < line.length; at += 1) {
      traceHash = Math.imul(traceHash ^ line.charCodeAt(at), 0x01000193) >>> 0;
    }
    options.onStep?.(line);
  };
  const world = new World({ plan, chance, tampering: options.tampering ?? {}, onStep });
  await live(world).catch((error: unknown) => world.ledger.fail("the simulation itself", stackOf(error)));
  const { step } = world.scheduler;
  const { failure } = world.ledger;
  return { seed, steps: step, traceHash, failure: failure && { ...failure, step } };
}

async function live(world: World): Promise<void> {
  const { scheduler, ledger, plan } = world;
  const hasFailed = (): boolean => ledger.failure !== undefined;
  startAll(world);
  scheduler.faults = plan.faults;
  if (await scheduler.run(hasFailed, plan.faultySteps)) return;
  scheduler.faults = NO_FAULTS;
  world.wakeAll();
  if (await scheduler.run(hasFailed, MEETING_STEPS)) return;
  scheduler.note("ALL ENDS");
  world.killAll();
  if (plan.endsDark) world.powerCut();
  world.start("finish", finishActor, { mayOverlap: false });
  const isOver = (): boolean => hasFailed() || world.isDone("finish");
  if (!(await scheduler.run(isOver, FINISH_STEPS_MAX))) {
    ledger.fail("all work comes to its end", `not within ${FINISH_STEPS_MAX} steps`);
  }
  if (hasFailed()) return;
  await checkPromises(world).catch((error: unknown) => ledger.fail("tables can be read", stackOf(error)));
}

function startAll(world: World): void {
  const never = (): boolean => false;
  if (world.plan.isApart) {
    // One replay at a time: two would send everything twice.
    world.start("replay", replayActor, { mayOverlap: false });
    world.start("foreign", foreignActor, { mayOverlap: false });
    world.start("ingest", ingestActor(never), { mayOverlap: true });
    world.start("refine", refineActor(never), { mayOverlap: true });
    world.start("gold", goldActor, { mayOverlap: true });
    if (world.plan.hasUpkeep) world.start("upkeep", upkeepActor, { mayOverlap: true });
  } else world.start("up", upActor, { mayOverlap: false });
  world.start("reader", readerActor, { mayOverlap: false });
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
}

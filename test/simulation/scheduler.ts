// Decides by a seeded chance which waiting operation happens next, when time passes, and what goes wrong.
//
// Every call to disk or log, and every sleep, is an operation that waits here. Once all that is running waits, one of
// them is chosen. So a history is a list of steps that follows from its seed alone.

import type { Chance } from "../../src/support/chance.ts";
import type { Clock } from "../../src/support/clock.ts";

/** A simulated process: it lives until it is killed, and may stand still meanwhile. */
export interface SimProcess {
  readonly name: string;
  alive: boolean;
  /** It stands still until this step. */
  pausedUntil: number;
  /** Nothing happens to it: it is the simulation's own. */
  readonly isImmortal?: boolean;
}

/** How likely each fault is at a step, 0 to 1. */
export interface Faults {
  readonly kill: number;
  readonly powerCut: number;
  readonly pause: number;
  /** The operation fails without an effect. */
  readonly errorBefore: number;
  /** The operation has its effect, but reports an error. */
  readonly errorAfter: number;
  readonly slow: number;
  /** The wall clock jumps, forward or back. */
  readonly jump: number;
}

/** No faults at all. */
export const NO_FAULTS: Faults = {
  kill: 0,
  powerCut: 0,
  pause: 0,
  errorBefore: 0,
  errorAfter: 0,
  slow: 0,
  jump: 0,
};

/** Who hears of what the scheduler does to processes. */
export interface SchedulerEvents {
  killed(process: SimProcess): void;
  powerCut(): void;
  paused(process: SimProcess): void;
}

/** What is known of an operation beside its effect. */
export interface OperationOptions {
  /** The error of a fault; left out, the operation cannot fail. */
  readonly fault?: () => Error;
  /** What is left where the process is killed in the middle. */
  readonly tear?: () => void;
}

interface Operation {
  readonly process: SimProcess;
  readonly label: string;
  readonly isSleep: boolean;
  readonly options: OperationOptions;
  dueMs: number;
  /** May give a promise of something that has happened already. */
  readonly effect: () => unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** What a scheduler works with. */
export interface SchedulerOptions {
  readonly chance: Chance;
  /** Chance that the process that moved last moves again. */
  readonly stickiness: number;
  /** A step takes up to so long, ms. */
  readonly stepMs: number;
  readonly onStep: (line: string) => void;
}

const WALL_START_MS = Date.UTC(2026, 0, 1);
const SLOW_MS_MAX = 4000;
const PAUSE_STEPS_MAX = 400;
/** Turns of the event loop in which nothing waits here before it counts as a deadlock. */
const IDLE_TURNS_MAX = 1000;

/** One history's order of things. */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #waiting: Operation[] = [];
  #monotonicMs = 1000;
  #wallMs = WALL_START_MS;
  #last: SimProcess | undefined;
  step = 0;
  faults: Faults = NO_FAULTS;
  events: SchedulerEvents | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  nowMs(): number {
    return Math.floor(this.#wallMs);
  }

  /** The clock of a process. */
  clockOf(process: SimProcess): Clock {
    return {
      nowMs: () => Math.floor(this.#wallMs),
      monotonicMs: () => this.#monotonicMs,
      sleep: async (ms, signal) => this.#sleep(process, ms, signal),
    };
  }

  /** Waits for its turn, then happens as a whole. Of a process that was killed it never happens. */
  perform<T>(
    process: SimProcess,
    label: string,
    { effect, ...options }: OperationOptions & { readonly effect: () => T | Promise<T> },
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (!process.alive) return;
      const going = { process, label, isSleep: false, options, dueMs: 0 };
      this.#waiting.push({ ...going, effect, resolve: (result) => resolve(result as T), reject });
    });
  }

  /** Forgets all that the process was about to do. */
  kill(process: SimProcess): void {
    process.alive = false;
    for (let at = this.#waiting.length - 1; at >= 0; at -= 1) {
      if (this.#waiting[at]!.process === process) this.#waiting.splice(at, 1);
    }
  }

  /** Steps until `isDone`, or `stepsMax` more were taken (false). @throws where nothing can go on */
  async run(isDone: () => boolean, stepsMax: number): Promise<boolean> {
    const end = this.step + stepsMax;
    for (let idle = 0; ;) {
      // Everything that can go on does so until it waits here again.
      await new Promise<void>((go) => void setImmediate(go));
      if (isDone()) return true;
      if (this.step >= end) return false;
      if (this.#next()) idle = 0;
      else if ((idle += 1) > IDLE_TURNS_MAX) throw new Error("Deadlock: nothing waits for a step.");
    }
  }

  /** Notes something that is no operation in the trace. */
  note(text: string): void {
    this.#options.onStep(`${this.step} ${text}`);
  }

  #sleep(process: SimProcess, ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise<void>((resolve) => {
      if (!process.alive) return;
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const operation: Operation = {
        process,
        label: "sleep",
        isSleep: true,
        options: {},
        dueMs: this.#monotonicMs + ms,
        effect: () => undefined,
        resolve: () => resolve(),
        reject: () => resolve(),
      };
      this.#waiting.push(operation);
      signal?.addEventListener("abort", () => (operation.dueMs = 0), { once: true });
    });
  }

  /** Takes one step; false if there is none to take. */
  #next(): boolean {
    const { chance } = this.#options;
    const able = this.#waiting.filter((operation) => operation.process.pausedUntil <= this.step);
    if (able.length === 0) {
      // All stand still: the next pause ends now.
      for (const { process } of this.#waiting) process.pausedUntil = Math.min(process.pausedUntil, this.step);
      return this.#waiting.length > 0;
    }
    this.#passTime(able);
    const ready = able.filter((operation) => operation.dueMs <= this.#monotonicMs);
    const own = ready.filter((operation) => operation.process === this.#last);
    const from = own.length > 0 && chance.next() < this.#options.stickiness ? own : ready;
    const chosen = from[chance.below(from.length)]!;
    this.#last = chosen.process;
    this.step += 1;
    this.#take(chosen);
    return true;
  }

  #passTime(able: readonly Operation[]): void {
    const { chance } = this.#options;
    this.#advance(chance.next() * this.#options.stepMs);
    const isReady = able.some((operation) => operation.dueMs <= this.#monotonicMs);
    if (!isReady || chance.next() < 0.02) {
      const later = able.map((operation) => operation.dueMs).filter((dueMs) => dueMs > this.#monotonicMs);
      if (later.length > 0) this.#advance(Math.min(...later) - this.#monotonicMs);
    }
    if (chance.next() < this.faults.jump) {
      const ranges = [2000, 120_000, 90_000_000];
      this.#wallMs += Math.trunc((chance.next() - 0.5) * ranges[chance.below(ranges.length)]!);
      this.note("the wall clock jumps");
    }
  }

  #advance(ms: number): void {
    this.#monotonicMs += ms;
    this.#wallMs += ms;
  }

  #take(chosen: Operation): void {
    const { chance } = this.#options;
    const { faults } = this;
    const { process, label, options } = chosen;
    let roll = process.isImmortal === true ? 1 : chance.next();
    const hits = (probability: number): boolean => (roll -= probability) < 0;
    if (hits(faults.powerCut)) {
      this.note("POWER CUT");
      this.events?.powerCut();
    } else if (hits(faults.kill)) {
      this.#killAt(chosen);
    } else if (hits(faults.pause) && process.pausedUntil <= this.step) {
      process.pausedUntil = this.step + 1 + chance.below(PAUSE_STEPS_MAX);
      this.note(`${process.name} STANDS STILL before ${label}`);
      this.events?.paused(process);
    } else if (hits(faults.slow) && !chosen.isSleep) {
      chosen.dueMs = this.#monotonicMs + chance.next() * SLOW_MS_MAX;
      this.note(`${process.name} slow ${label}`);
    } else {
      this.#waiting.splice(this.#waiting.indexOf(chosen), 1);
      const fault = options.fault;
      if (fault !== undefined && hits(faults.errorBefore)) {
        this.note(`${process.name} FAILS before ${label}`);
        chosen.reject(fault());
      } else if (fault !== undefined && hits(faults.errorAfter)) {
        this.note(`${process.name} FAILS after ${label}`);
        happen(chosen, fault());
      } else {
        this.note(`${process.name} ${label}`);
        happen(chosen);
      }
    }
  }

  /** kill -9 before the operation, in its middle, or after it. */
  #killAt(chosen: Operation): void {
    const { process, label, options } = chosen;
    const moment = this.#options.chance.below(3);
    const when = ["before", "within", "after"][moment];
    this.note(`${process.name} KILLED ${when} ${label}`);
    this.kill(process);
    if (moment === 1) options.tear?.();
    if (moment === 2) happen({ ...chosen, resolve: () => undefined, reject: () => undefined });
    this.events?.killed(process);
  }
}

/** Does it, and goes on with the result, its own error or else the one given. */
function happen({ effect, resolve, reject }: Operation, error?: Error): void {
  const end = error === undefined ? resolve : (): void => reject(error);
  try {
    const result = effect();
    if (result instanceof Promise) result.then(end, reject);
    else end(result);
  } catch (own) {
    reject(own);
  }
}

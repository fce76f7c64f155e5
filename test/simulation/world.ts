// The simulated machine: a disk, a log and processes that are started, killed, put to sleep and started again.

import type { FileSystem } from "../../src/adapters/local/file-system.ts";
import { localObjectStore } from "../../src/adapters/local/object-store.ts";
import { makeMemoryLog } from "../../src/adapters/memory/event-log.ts";
import type { ObjectStore } from "../../src/lakehouse/delta/object-store.ts";
import type { Engine } from "../../src/lakehouse/engine.ts";
import { type Lake, type LakeParts, openLake } from "../../src/lakehouse/lake.ts";
import { localEngine } from "../../src/lakehouse/local-inputs.ts";
import type { EventLog } from "../../src/log/event-log.ts";
import type { TableName } from "../../src/reading/tables.ts";
import type { Chance } from "../../src/support/chance.ts";
import { isAtriumError, messageOf } from "../../src/support/errors.ts";
import { textCodec } from "../support/delta.ts";
import { type Actor, GRACE_MS, type Parts } from "./actors.ts";
import { Disk } from "./disk.ts";
import { isInjected } from "./injected.ts";
import { Ledger, watchedTable } from "./ledger.ts";
import { modelEngine } from "./model-engine.ts";
import type { Plan } from "./plan.ts";
import { Scheduler, type SimProcess } from "./scheduler.ts";
import { simulatedFiles } from "./simulated-files.ts";
import { simulatedLog } from "./simulated-log.ts";

/** Where the lake is on the simulated disk. */
export const LAKE = "/lake";

/** Ways to break the program on purpose, each at a port; see defects.ts. */
export interface Tampering {
  readonly files?: (files: FileSystem) => FileSystem;
  readonly store?: (store: ObjectStore) => ObjectStore;
  readonly log?: (log: EventLog) => EventLog;
  readonly engine?: (engine: Engine) => Engine;
  readonly codec?: (codec: LakeParts["codec"]) => LakeParts["codec"];
  readonly lake?: (lake: Lake) => Lake;
}

/** What a process does, again and again until it is done. */
interface Role {
  readonly name: string;
  readonly actor: Actor;
  /** Two of it may be at work at once: one that stands still, and its successor. */
  readonly mayOverlap: boolean;
  current: SimProcess | undefined;
  incarnations: number;
  /** True once two of it lived at a time: then one may be refused. */
  hadRival: boolean;
}

/** How a world is made. */
export interface WorldOptions {
  readonly plan: Plan;
  readonly chance: Chance;
  readonly tampering: Tampering;
  readonly onStep: (line: string) => void;
}

const RESTART_MS_MAX = 3000;

/** One machine of one history. */
export class World {
  readonly plan: Plan;
  readonly chance: Chance;
  readonly scheduler: Scheduler;
  readonly disk: Disk;
  readonly ledger = new Ledger();
  readonly log: EventLog;
  readonly #tampering: Tampering;
  readonly #own: SimProcess = { name: "simulation", alive: true, pausedUntil: 0, isImmortal: true };
  readonly #roles: Role[] = [];
  readonly #processes = new Set<SimProcess>();

  constructor({ plan, chance, tampering, onStep }: WorldOptions) {
    this.plan = plan;
    this.chance = chance;
    this.#tampering = tampering;
    this.scheduler = new Scheduler({ chance, stickiness: plan.stickiness, stepMs: plan.stepMs, onStep });
    this.disk = new Disk(() => this.scheduler.nowMs());
    this.disk.mkdir("/scratch", true);
    this.log = makeMemoryLog({
      clock: this.scheduler.clockOf(this.#own),
      identity: "log",
      retention: { maxAgeMs: 1000, maxBytes: plan.logBytesMax },
    });
    this.scheduler.events = {
      killed: (process) => this.#ended(process),
      powerCut: () => this.powerCut(),
      paused: (process) => this.#paused(process),
    };
  }

  /** Starts a process, and starts it anew whenever it dies or fails. */
  start(name: string, actor: Actor, options: { readonly mayOverlap: boolean }): void {
    const role: Role = { name, actor, ...options, current: undefined, incarnations: 0, hadRival: false };
    this.#roles.push(role);
    this.#spawn(role);
  }

  /** True once the actor of a role has ended without a failure. */
  isDone(name: string): boolean {
    return this.#roles.some((role) => role.name === name && role.current?.name === DONE);
  }

  /** Ends all processes and starts none anew. */
  killAll(): void {
    for (const process of this.#processes) this.scheduler.kill(process);
    this.#processes.clear();
    this.#roles.length = 0;
  }

  wakeAll(): void {
    for (const process of this.#processes) process.pausedUntil = 0;
  }

  powerCut(): void {
    for (const process of this.#processes) this.scheduler.kill(process);
    this.#processes.clear();
    this.disk.powerCut(this.chance);
    this.ledger.powerCut();
    for (const role of this.#roles) if (role.current?.name !== DONE) this.#restart(role);
  }

  /** A lake for looking at, by files that are no part of the history. */
  async lookingLake(files: FileSystem): Promise<Lake> {
    const store = localObjectStore(LAKE, { files, newId: () => "none" });
    return this.#openLake({ store, files, name: "look", process: this.#own }, false);
  }

  #spawn(role: Role): void {
    role.incarnations += 1;
    const process: SimProcess = { name: `${role.name}${role.incarnations}`, alive: true, pausedUntil: 0 };
    role.current = process;
    this.#processes.add(process);
    this.scheduler.note(`${process.name} STARTS`);
    const ended = (error?: unknown): void => {
      if (!process.alive) return;
      this.scheduler.note(`${process.name} ENDS ${error === undefined ? "" : messageOf(error)}`);
      if (error !== undefined) this.#judge(role, process, error);
      this.scheduler.kill(process);
      if (error === undefined && role.current === process) role.current = { ...process, name: DONE };
      this.#ended(process);
    };
    this.#run(role, process).then(() => ended(), ended);
  }

  async #run(role: Role, process: SimProcess): Promise<void> {
    const { name } = process;
    const { scheduler, disk, chance, plan, ledger } = this;
    const { files: tamperFiles, store: tamperStore, log: tamperLog } = this.#tampering;
    const plain = simulatedFiles({ disk, scheduler, process, chance });
    const files = tamperFiles?.(plain) ?? plain;
    if (!disk.has("/scratch")) disk.mkdir("/scratch", true);
    if (!disk.has(`/scratch/${name}`)) disk.mkdir(`/scratch/${name}`, true);
    const clock = scheduler.clockOf(process);
    let temporaries = 0;
    const newId = (): string => `${name}-t${(temporaries += 1)}`;
    const local = localObjectStore(LAKE, { files, newId });
    const lake = await this.#openLake({ store: tamperStore?.(local) ?? local, files, name, process }, true);
    const log = simulatedLog({ log: this.log, scheduler, process, clock, ledger });
    const parts: Parts = {
      name,
      plan,
      lake,
      log: tamperLog?.(log) ?? log,
      clock,
      chance,
      ledger,
    };
    await role.actor(parts);
  }

  async #openLake(
    {
      store,
      files,
      name,
      process,
    }: {
      readonly store: ObjectStore;
      readonly files: FileSystem;
      readonly name: string;
      readonly process: SimProcess;
    },
    create: boolean,
  ): Promise<Lake> {
    const { engine: tamperEngine, codec: tamperCodec, lake: tamperLake } = this.#tampering;
    let ids = 0;
    const engine = modelEngine({ files, scratchFolder: `/scratch/${name}`, chance: this.chance });
    const parts: LakeParts = {
      store,
      engine: localEngine(tamperEngine?.(engine) ?? engine, store),
      codec: tamperCodec?.(textCodec) ?? textCodec,
      clock: this.scheduler.clockOf(process),
      bronzePartitionBy: this.plan.bronzePartitionBy,
      newId: () => `${name}-${(ids += 1)}`,
    };
    const opened = await openLake(parts, { create });
    const lake = this.#watched(opened, name);
    return tamperLake?.(lake) ?? lake;
  }

  /** The lake with frequent checkpoints, and its commits and snapshots noted. */
  #watched(lake: Lake, writer: string): Lake {
    const configuration = {
      "delta.checkpointInterval": String(this.plan.checkpointInterval),
      "delta.logRetentionDuration": "interval 5 seconds",
      "delta.deletedFileRetentionDuration": `interval ${GRACE_MS} milliseconds`,
    };
    const tables = new Map<TableName, ReturnType<Lake["table"]>>();
    return {
      ...lake,
      definition: (name) => ({ ...lake.definition(name), configuration }),
      table: (name) => {
        const table = tables.get(name) ?? watchedTable(lake.table(name), this.ledger, writer);
        tables.set(name, table);
        return table;
      },
    };
  }

  #ended(process: SimProcess): void {
    this.#processes.delete(process);
    const role = this.#roles.find(({ current }) => current === process);
    if (role !== undefined) this.#restart(role);
  }

  #restart(role: Role): void {
    role.current = undefined;
    const sleep = this.scheduler.clockOf(this.#own).sleep(this.chance.next() * RESTART_MS_MAX);
    void sleep.then(() => {
      if (role.current === undefined && this.#roles.includes(role)) this.#spawn(role);
    });
  }

  /** Somebody believes that the process is gone, and starts it anew. */
  #paused(process: SimProcess): void {
    const role = this.#roles.find(({ current }) => current === process);
    if (role === undefined || !role.mayOverlap) return;
    role.hadRival = true;
    this.#restart(role);
  }

  #judge(role: Role, process: SimProcess, error: unknown): void {
    if (isInjected(error)) return;
    if (isAtriumError(error, "COMMIT_OVERTAKEN") && role.hadRival) return;
    if (isAtriumError(error, "COMMIT_CONFLICT") && (role.hadRival || this.plan.hasUpkeep)) return;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const kind = isAtriumError(error) ? error.code : "error of the program";
    this.ledger.fail(`no ${kind} without a cause`, `${process.name}: ${text}`);
  }
}

const DONE = "done";

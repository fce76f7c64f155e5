// Brings a service up and holds it: start, wait for a real answer, stop, kill, start again on the same ports and data.

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { install, isInstalled } from "./install.ts";
import { withLock } from "./lock.ts";
import { freePorts } from "./ports.ts";
import { end, freeze, isAlive, kill, launch, type ProcessId, signal } from "./process.ts";
import { lastLines, missingOf } from "./program.ts";
import { logOf, type Place, type Say, type Service } from "./service.ts";
import { liveProcess, newState, placeOf, readState, writeState } from "./state.ts";

/** How to start a service. */
export interface StartOptions {
  /** Its own folder, kept when it stops; made if it is not there. */
  readonly folder: string;
  /** Ports that it must have, by their names; the others are free ones. */
  readonly ports?: Readonly<Record<string, number>>;
  /** True: it goes on when the caller ends. Default: it ends with the caller. */
  readonly outlives?: boolean;
  readonly say?: Say;
}

const READY_SECONDS_MAX = 120;
const LOOK_AGAIN_MS = 25;
const STARTS_MAX = 3;

/** A service that was started, and may have been stopped or killed since. */
export class Running implements AsyncDisposable {
  readonly place: Place;
  /** False if it was already running. */
  readonly isNew: boolean;
  readonly #service: Service;
  readonly #options: StartOptions;

  constructor(service: Service, options: StartOptions, { place, isNew }: { place: Place; isNew: boolean }) {
    this.place = place;
    this.isNew = isNew;
    this.#service = service;
    this.#options = options;
  }

  /** The process that was started last. @throws Error if the folder was removed. */
  get process(): ProcessId {
    const known = readState(this.place.folder)?.process;
    if (known === undefined) throw new Error(`${this.place.folder}: no service was started there`);
    return known;
  }

  /** Process id of the service. */
  get pid(): number {
    return this.process.pid;
  }

  /** The settings that lead a program to it, by the names of their environment variables. */
  get settings(): Readonly<Record<string, string>> {
    return this.#service.settings(this.place);
  }

  /** Sends a signal to it alone; waits until it is gone (SIGKILL) or stands still (SIGSTOP). Nothing happens if it is gone. */
  async kill(name: NodeJS.Signals): Promise<void> {
    if (name === "SIGKILL") await kill(this.process);
    else if (name === "SIGSTOP") await freeze(this.process);
    else signal(this.process, name);
  }

  /** Ends it: SIGTERM, after 15 s SIGKILL. Data and ports are kept. Nothing happens if it is gone. */
  async stop(): Promise<void> {
    await end(this.process);
  }

  /** Starts it again on the same ports and data, after stopping it if it runs. @throws Error if a port is taken. */
  async restart(): Promise<void> {
    await this.stop();
    await startService(this.#service, { ...this.#options, ports: this.place.ports });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** What keeps a service from being started here, one line each; undefined if nothing does. What is only not installed yet is no reason. */
export async function missingFor({ needs, packages }: Service): Promise<string | undefined> {
  const toInstall = packages.filter((wanted) => !isInstalled(wanted));
  return missingOf([...needs, ...toInstall.flatMap((wanted) => wanted.needs)]);
}

/** Installs what is needed and missing. @throws Error that names the programs to install first. */
export async function installService(service: Service, say: Say): Promise<void> {
  const missing = await missingFor(service);
  if (missing !== undefined) throw new Error(missing);
  for (const wanted of service.packages) await install(wanted, say);
}

/**
 * Starts a service, if it does not run in that folder already, and waits until it answers (at most 120 s) and has its
 * topics or buckets. Two at once in one folder: one starts it. @throws Error with the end of its log if it does not come up.
 */
export async function startService(service: Service, options: StartOptions): Promise<Running> {
  const folder = resolve(options.folder);
  await installService(service, options.say ?? (() => undefined));
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return withLock(join(folder, "lock"), async () => {
    const known = readState(folder);
    const alive = liveProcess(known);
    if (known === undefined || alive === undefined) {
      return new Running(service, options, {
        place: await bringUp(service, { ...options, folder }),
        isNew: true,
      });
    }
    const place = placeOf(folder, known);
    await untilReady(service, place, alive);
    return new Running(service, options, { place, isNew: false });
  });
}

/** Ends what runs in a service's folder. False if nothing did. */
export async function stopIn(folder: string): Promise<boolean> {
  if (!existsSync(folder)) return false;
  return withLock(join(folder, "lock"), async () => {
    const alive = liveProcess(readState(folder));
    if (alive !== undefined) await end(alive);
    return alive !== undefined;
  });
}

async function bringUp(service: Service, options: StartOptions): Promise<Place> {
  for (let starts = 1; ; starts += 1) {
    const { place, id } = await begin(service, options);
    try {
      await untilReady(service, place, id);
      await service.furnish(place);
      return place;
    } catch (error) {
      await kill(id);
      // Between looking for a free port and taking it, another process may take it.
      const isPortTaken = /address already in use/i.test(tailOf(place));
      if (!isPortTaken || starts === STARTS_MAX || options.ports !== undefined) throw error;
    }
  }
}

async function begin(
  service: Service,
  { folder, ports: wanted = {}, outlives = false }: StartOptions,
): Promise<{ readonly place: Place; readonly id: ProcessId }> {
  const before = readState(folder) ?? newState();
  const ports = await freePorts(service.portNames, { ...before.ports, ...wanted });
  for (const [name, port] of Object.entries(wanted)) {
    if (ports[name] !== port) {
      throw new Error(`${service.title}: port ${port} is taken; end what listens there`);
    }
  }
  const state = { ...before, ports };
  writeState(folder, { ...state, process: undefined });
  const place = placeOf(folder, state);
  const id = await launch(await service.prepare(place), { log: logOf(folder), outlives });
  writeState(folder, { ...state, process: id });
  return { place, id };
}

async function untilReady(service: Service, place: Place, id: ProcessId): Promise<void> {
  const { readySecondsMax = READY_SECONDS_MAX } = service;
  const giveUpMs = performance.now() + readySecondsMax * 1000;
  for (;;) {
    try {
      await service.probe(place);
      if (isAlive(id)) return;
    } catch (cause) {
      if (performance.now() > giveUpMs) {
        const what = `${service.title} does not answer after ${readySecondsMax} s`;
        throw new Error(`${what}. The end of ${logOf(place.folder)}:\n${tailOf(place)}`, { cause });
      }
    }
    if (!isAlive(id)) {
      throw new Error(
        `${service.title} ended while starting. The end of ${logOf(place.folder)}:\n${tailOf(place)}`,
      );
    }
    await delay(LOOK_AGAIN_MS);
  }
}

function tailOf({ folder }: Place): string {
  return existsSync(logOf(folder)) ? lastLines(readFileSync(logOf(folder), "utf8"), 20) : "(none)";
}

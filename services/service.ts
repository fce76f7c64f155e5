// What a service for tests is: a program that can be installed, started on free local ports and asked whether it answers.

import { join } from "node:path";
import type { Package } from "./install.ts";
import type { Program } from "./program.ts";

/** A service is one file that fills this in, and one line in registry.ts. */
export interface Service {
  readonly name: string;
  /** Its full name and version, for people. */
  readonly title: string;
  /** What the cache keeps of it; a later one may need an earlier one. */
  readonly packages: readonly Package[];
  /** What the machine must have to run it; what only its installation needs stands in the package. */
  readonly needs: readonly Program[];
  /** Services that must run before it, where they are started together. */
  readonly follows?: readonly string[];
  /** The ports it listens on, the one that people ask for first. */
  readonly portNames: readonly [string, ...string[]];
  /** It must answer within so many seconds. Default: 120. */
  readonly readySecondsMax?: number;
  /** Writes what the program reads at its start (settings, certificates) and says how to start it. May be called again on kept data. */
  prepare(place: Place): Promise<Command>;
  /** Makes a real request. @throws Error if it does not answer (yet), within a few seconds. */
  probe(place: Place): Promise<void>;
  /** Makes what is expected to be there (topics, buckets), if it is not. */
  furnish(place: Place): Promise<void>;
  /** The settings that lead a program to it, by the names of their environment variables. */
  settings(place: Place): Readonly<Record<string, string>>;
}

/** Where one started service lives. Listens on 127.0.0.1 only. */
export interface Place {
  /** Absolute; data, log, settings and state are all in it. */
  readonly folder: string;
  /** Ports by the names of the service; fixed as long as the folder is kept. */
  readonly ports: Readonly<Record<string, number>>;
  /** Made by chance for this folder: 40 hexadecimal digits. */
  readonly secret: string;
}

/** How to start a program. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** Added to the environment of the caller. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Takes word of what goes on, for people. */
export type Say = (what: string) => void;

/** A port of the place. @throws Error if the service has none of that name. */
export function portOf(place: Place, name: string): number {
  const port = place.ports[name];
  if (port === undefined) throw new Error(`${place.folder} has no port named ${name}`);
  return port;
}

/** Host and port as one word. @throws Error if the service has no port of that name. */
export function addressOf(place: Place, name: string): string {
  return `127.0.0.1:${portOf(place, name)}`;
}

/** The file that takes what the program prints. */
export function logOf(folder: string): string {
  return join(folder, "log");
}

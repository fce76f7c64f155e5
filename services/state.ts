// What is known of a service between two commands: its ports, its secret and its process, in one file of its folder.

import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { isAlive, type ProcessId } from "./process.ts";
import type { Place } from "./service.ts";

/** What the file holds. */
export interface State {
  readonly ports: Readonly<Record<string, number>>;
  readonly secret: string;
  /** The process that was started last; it need not be alive. */
  readonly process: ProcessId | undefined;
}

/** The state of a folder; undefined if no service was ever started in it. */
export function readState(folder: string): State | undefined {
  let text;
  try {
    text = readFileSync(fileOf(folder), "utf8");
  } catch {
    return undefined;
  }
  const state = JSON.parse(text) as unknown;
  if (!isState(state)) {
    throw new Error(`${fileOf(folder)} is not of this version: end what runs there and remove the folder`);
  }
  return state;
}

/** Writes the state, whole or not at all; makes the folder, which only its owner may read. */
export function writeState(folder: string, state: State): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const part = `${fileOf(folder)}.part`;
  writeFileSync(part, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(part, fileOf(folder));
}

/** A state without ports, for a folder that has none yet. */
export function newState(): State {
  return { ports: {}, secret: randomBytes(20).toString("hex"), process: undefined };
}

/** The process of the state, if it is alive. */
export function liveProcess(state: State | undefined): ProcessId | undefined {
  return state?.process !== undefined && isAlive(state.process) ? state.process : undefined;
}

/** The state as a service sees it. */
export function placeOf(folder: string, { ports, secret }: State): Place {
  return { folder: resolve(folder), ports, secret };
}

function fileOf(folder: string): string {
  return join(folder, "service.json");
}

function isState(value: unknown): value is State {
  if (typeof value !== "object" || value === null) return false;
  const { ports, secret, process: id } = value as Record<string, unknown>;
  if (typeof ports !== "object" || ports === null || typeof secret !== "string") return false;
  return Object.values(ports).every((port) => typeof port === "number") && (id === undefined || isId(id));
}

function isId(value: unknown): value is ProcessId {
  if (typeof value !== "object" || value === null) return false;
  const { pid, started } = value as Record<string, unknown>;
  return typeof pid === "number" && pid > 1 && typeof started === "string";
}

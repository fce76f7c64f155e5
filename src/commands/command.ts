// What a command is: data for its help and its flags, and one function that does the work.

import type { Config } from "../config.ts";
import { choice, type Kind } from "../config/kinds.ts";
import type { Setting, SettingName } from "../config/settings.ts";
import type { Clock } from "../support/clock.ts";
import type { ExitCode } from "../support/errors.ts";
import type { Logger } from "../support/logger.ts";
import type { ProgressReporter } from "../support/progress.ts";

/** A flag that belongs to one command; settings have flags of their own. */
export interface Flag<T> extends Setting<T> {
  /** True for a flag without a value. */
  readonly isSwitch?: true;
}

/** Flags by name in camelCase: `asOf` is `--as-of`. */
export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

/** The parsed values of a table of flags. */
export type FlagValues<Flags extends FlagTable> = {
  readonly [Name in keyof Flags]: Flags[Name] extends Flag<infer T> ? T : never;
};

/** An argument without a flag. */
export interface Positional {
  /** For help: `SQL`, `NAME`. */
  readonly name: string;
  readonly doc: string;
  readonly isRequired: boolean;
}

/** What a command gets to work with. */
export interface CommandContext<Flags extends FlagTable = FlagTable> {
  readonly config: Config;
  readonly flags: FlagValues<Flags>;
  /** Arguments in the order of the command's `positionals`; those not given are left out. */
  readonly positionals: readonly string[];
  readonly logger: Logger;
  readonly progress: ProgressReporter;
  readonly clock: Clock;
  /** Aborts on SIGINT and SIGTERM: finish within 5 s with nothing lost. */
  readonly signal: AbortSignal;
  /** Writes results, as they are. */
  readonly stdout: (text: string) => void;
  /** Writes what is for a person, as it is. */
  readonly stderr: (text: string) => void;
  /** True if standard output is read by a person. */
  readonly isTerminal: boolean;
}

/** A command of the command line. */
export interface Command<Flags extends FlagTable = FlagTable> {
  /** What it does, in a few lines of at most 100 characters. */
  readonly about: string;
  readonly positionals?: readonly Positional[];
  /** Its own flags. */
  readonly flags: Flags;
  /** Settings that it takes as flags. LOG_LEVEL and LOG_FORMAT come with every command. */
  readonly settings: readonly SettingName[];
  /** Settings without a default that it cannot do without. */
  readonly needs?: readonly SettingName[];
  /** Its own defaults of settings, in place of those of the table. */
  readonly defaults?: Readonly<Partial<Record<SettingName, string>>>;
  /** Examples for help, without `atrium`. */
  readonly examples?: readonly string[];
  /**
   * Does the work. Wrong use and operating faults are thrown as AtriumErrors; a long-lived command that ends because
   * its signal aborted returns 0.
   */
  run(context: CommandContext<Flags>): Promise<ExitCode>;
}

/** Defines a command; the types of `context.flags` come from its table of flags. */
export function defineCommand<const Flags extends FlagTable>(command: Command<Flags>): Command {
  // dispatch makes the flags that `run` gets from this very table, so they have its types.
  return command;
}

/** A flag without a value: true if it is given. */
export function switchFlag(doc: string): Flag<boolean> {
  return { kind: onOrOff, default: "false", doc, isSwitch: true };
}

/** A flag with a value and a default. */
export function flag<T>(kind: Kind<T>, fallback: string, doc: string): Flag<T> {
  return { kind, default: fallback, doc };
}

/** A flag with a value that may be left out. */
export function optionalFlag<T>(kind: Kind<T>, doc: string): Flag<T | undefined> {
  return { kind, doc };
}

/** How a flag of a table is written, without `--`. */
export function flagName(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

const words = choice(["true", "false"]);
const onOrOff: Kind<boolean> = {
  allowed: words.allowed,
  placeholder: "",
  parse: (text, surroundings) => {
    const parsed = words.parse(text, surroundings);
    return "value" in parsed ? { value: parsed.value === "true" } : parsed;
  },
};

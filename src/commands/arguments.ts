// Takes the arguments of one command apart and names everything that is wrong with them at once.

import { parseArgs } from "node:util";
import { flagOf, type SettingName } from "../config/settings.ts";
import { parseSetting } from "../config/values.ts";
import { AtriumError } from "../support/errors.ts";
import { didYouMean } from "../support/nearest.ts";
import { type Command, type Flag, flagName } from "./command.ts";

/** The switches that every command knows. */
export const GLOBAL_SWITCHES = {
  help: { short: "h", doc: "Shows this help." },
  verbose: { short: "v", doc: "Writes debug lines, and stack traces of errors." },
  quiet: { short: "q", doc: "Writes errors only, and no progress." },
} as const;

/** Settings that every command takes as flags. */
export const GLOBAL_SETTINGS: readonly SettingName[] = ["LOG_LEVEL", "LOG_FORMAT"];

/** Arguments, taken apart and checked. */
export interface ParsedArguments {
  readonly isVerbose: boolean;
  readonly isQuiet: boolean;
  /** The command's own flags by their key in its table, parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** Text of the flags that are settings; loadConfig parses it. */
  readonly settings: Readonly<Partial<Record<SettingName, string>>>;
  readonly positionals: readonly string[];
}

/**
 * Takes the arguments behind a command's name apart.
 * @throws USAGE_INVALID with one line for each problem
 */
export function parseArguments(args: readonly string[], command: Command, cwd: string): ParsedArguments {
  const known = knownFlags(command);
  const { given, positionals, problems } = readTokens(args, known);
  // What follows an unknown flag may be its value: then a word too many is no news.
  if (problems.length === 0) problems.push(...positionalProblems(positionals, command));
  const flags: Record<string, unknown> = {};
  const settings: Partial<Record<SettingName, string>> = {};
  for (const [name, { setting, key, flag }] of known) {
    const text = given.get(name);
    if (setting !== undefined && text !== undefined) settings[setting] = text;
    if (flag === undefined || key === undefined) continue;
    const parsed = parseFlag(flag, text, cwd);
    if ("value" in parsed) flags[key] = parsed.value;
    else problems.push(`--${name} ${text} ${parsed.problem}: allowed is ${flag.kind.allowed}.`);
  }
  if (given.has("verbose") && given.has("quiet")) problems.push("--verbose and --quiet exclude each other.");
  if (problems.length > 0) throw usageError(problems);
  return {
    isVerbose: given.has("verbose"),
    isQuiet: given.has("quiet"),
    flags,
    settings,
    positionals,
  };
}

/** Wrong use: one line for each problem. */
export function usageError(problems: readonly string[]): AtriumError {
  return new AtriumError("USAGE_INVALID", problems.join("\n"), { details: { problems } });
}

interface KnownFlag {
  readonly isSwitch: boolean;
  readonly short?: string;
  readonly setting?: SettingName;
  readonly key?: string;
  readonly flag?: Flag<unknown>;
}

function knownFlags(command: Command): ReadonlyMap<string, KnownFlag> {
  const known = new Map<string, KnownFlag>();
  for (const name of [...command.settings, ...GLOBAL_SETTINGS]) {
    const flag = flagOf(name);
    if (flag !== undefined) known.set(flag, { isSwitch: false, setting: name });
  }
  for (const [key, flag] of Object.entries(command.flags)) {
    known.set(flagName(key), { isSwitch: flag.isSwitch === true, key, flag });
  }
  for (const [name, { short }] of Object.entries(GLOBAL_SWITCHES)) known.set(name, { isSwitch: true, short });
  return known;
}

interface ReadTokens {
  /** Text of each given flag; "true" for a switch. */
  readonly given: ReadonlyMap<string, string>;
  readonly positionals: readonly string[];
  readonly problems: string[];
}

/** parseArgs in its strict form stops at the first problem; here its tokens are judged, to name all of them. */
function readTokens(args: readonly string[], known: ReadonlyMap<string, KnownFlag>): ReadTokens {
  const options = Object.fromEntries(
    [...known].map(([name, { isSwitch, short }]) => {
      const type = isSwitch ? ("boolean" as const) : ("string" as const);
      return [name, short === undefined ? { type } : { type, short }];
    }),
  );
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  const given = new Map<string, string>();
  const positionals: string[] = [];
  const problems: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const { name, rawName, value } = token;
    const wanted = known.get(name);
    if (wanted === undefined) problems.push(`${rawName} is no flag of this command.${hint(rawName, known)}`);
    else if (wanted.isSwitch && value !== undefined) problems.push(`${rawName} takes no value.`);
    else if (!wanted.isSwitch && !isValue(token)) problems.push(`${rawName} needs a value.`);
    else if (given.has(name)) problems.push(`${rawName} is given more than once.`);
    else given.set(name, value ?? "true");
  }
  return { given, positionals, problems };
}

/** `--lake --json` has forgotten its value; `--lake=--json` means it. */
function isValue({
  value,
  inlineValue,
}: {
  value: string | undefined;
  inlineValue: boolean | undefined;
}): boolean {
  if (value === undefined || value.trim() === "") return false;
  return inlineValue === true || !value.startsWith("-");
}

function hint(rawName: string, known: ReadonlyMap<string, KnownFlag>): string {
  return didYouMean(
    rawName,
    [...known.keys()].map((name) => `--${name}`),
  );
}

function parseFlag(
  flag: Flag<unknown>,
  given: string | undefined,
  cwd: string,
): { readonly value: unknown } | { readonly problem: string } {
  const text = given ?? flag.default;
  return text === undefined ? { value: undefined } : parseSetting(flag, text, { cwd });
}

function positionalProblems(positionals: readonly string[], command: Command): readonly string[] {
  const expected = command.positionals ?? [];
  const missing = expected.slice(positionals.length).filter((positional) => positional.isRequired);
  return [
    ...missing.map(({ name, doc }) => `${name} is missing: ${doc}`),
    ...positionals.slice(expected.length).map((value) => `"${value}" is one argument too many.`),
  ];
}

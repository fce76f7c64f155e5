// Finds the value of every setting: flags, then environment, then .env, then default. Collects all problems.

import { parseEnv } from "node:util";
import { didYouMean } from "../support/nearest.ts";
import { HIDDEN } from "../support/secret.ts";
import { COMPOSE_VARIABLES } from "./compose-variables.ts";
import type { Parsed, Surroundings } from "./kinds.ts";
import {
  flagOf,
  isSettingName,
  type Setting,
  SETTING_NAMES,
  settingNamed,
  type SettingName,
  type SettingValues,
} from "./settings.ts";

/** Variables with Atrium's prefix that belong to its checks and its DAG, not to its settings. */
const TOOL_VARIABLES: readonly string[] = [
  "ATRIUM_CACHE",
  "ATRIUM_COMMAND",
  "ATRIUM_IMAGE",
  "ATRIUM_OPERATOR",
  "ATRIUM_REQUIRE_CONTAINERS",
  "ATRIUM_REQUIRE_KETI",
  "ATRIUM_REQUIRE_SERVICES",
  "ATRIUM_TEST_SPARK",
  "ATRIUM_TEST_ENGINE",
  "ATRIUM_TEST_KILLS",
  "ATRIUM_TEST_SEED",
  "ATRIUM_TEST_WORLD",
];

/** Where values may come from. */
export interface Sources {
  /** Values given by flags, by setting. */
  readonly flags?: Readonly<Partial<Record<SettingName, string>>>;
  /** The environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Text of the `.env` file, if there is one. */
  readonly envFileText?: string;
  /** A command's own defaults, in place of those of the table. */
  readonly defaults?: Readonly<Partial<Record<SettingName, string>>>;
  /** Settings that must have a value, although the table gives them none. */
  readonly needs?: readonly SettingName[];
  /** Folder that relative paths start from, absolute. */
  readonly cwd: string;
  /** The user's own folder, absolute. Default: `cwd`. */
  readonly home?: string;
}

/** One thing that is wrong, as a line for the user. */
export interface SettingProblem {
  readonly line: string;
  /** True if a flag is to blame. */
  readonly isFlag: boolean;
}

/** All values and all problems; the values are whole only if there are no problems. */
export interface ResolvedSettings {
  readonly values: SettingValues;
  readonly problems: readonly SettingProblem[];
}

/** Variables with this prefix are meant for Atrium, so an unknown one is a mistake. */
const OWN_PREFIX = "ATRIUM_";

/** Finds and checks the value of every setting. */
export function resolveSettings(sources: Sources): ResolvedSettings {
  const envFile = readEnvFile(sources.envFileText ?? "");
  const problems = [...unknownInFile(envFile), ...unknownInEnvironment(sources.env ?? {})];
  const values: Partial<Record<SettingName, unknown>> = {};
  for (const name of SETTING_NAMES) {
    const given = findValue(name, sources, envFile);
    if (given === undefined) {
      if (sources.needs?.includes(name)) problems.push({ line: missing(name), isFlag: false });
      continue;
    }
    const parsed = parseSetting(settingNamed(name), given.text, sources);
    if ("value" in parsed) values[name] = parsed.value;
    else problems.push({ line: describe(name, given, parsed.problem), isFlag: given.isFlag });
  }
  // Each value was made by the kind of its own row, so the record has the type that the table says.
  return { values: values as SettingValues, problems };
}

/** Parses the text of a setting or flag; blanks around it do not count. */
export function parseSetting<T>(setting: Setting<T>, text: string, surroundings: Surroundings): Parsed<T> {
  return setting.kind.parse(text.trim(), surroundings);
}

interface GivenValue {
  readonly text: string;
  /** How the user wrote it: `LAKE_URL`, `TOPIC_LIGHT`, `--lake`. */
  readonly writtenAs: string;
  readonly origin: string;
  readonly isFlag: boolean;
}

interface EnvFile {
  readonly values: ReadonlyMap<string, string>;
  lineOf(name: string): string;
}

function findValue(name: SettingName, sources: Sources, envFile: EnvFile): GivenValue | undefined {
  const { flags = {}, env = {}, defaults = {} } = sources;
  const flag = flags[name];
  if (flag !== undefined) return { text: flag, writtenAs: `--${flagOf(name)}`, origin: "flag", isFlag: true };
  const row = settingNamed(name);
  const names = row.alias === undefined ? [name] : [name, row.alias];
  for (const writtenAs of names) {
    const text = env[writtenAs];
    if (isGiven(text)) return { text, writtenAs, origin: "environment", isFlag: false };
  }
  for (const writtenAs of names) {
    const text = envFile.values.get(writtenAs);
    if (isGiven(text)) return { text, writtenAs, origin: envFile.lineOf(writtenAs), isFlag: false };
  }
  const text = defaults[name] ?? row.default;
  return text === undefined ? undefined : { text, writtenAs: name, origin: "default", isFlag: false };
}

/** An empty value counts as not set. */
function isGiven(text: string | undefined): text is string {
  return text !== undefined && text.trim() !== "";
}

function describe(name: SettingName, given: GivenValue, problem: string): string {
  const { kind, isSecret } = settingNamed(name);
  const shown = isSecret ? HIDDEN : shorten(given.text.trim());
  const { writtenAs, origin } = given;
  const by = given.isFlag ? `${writtenAs} ${shown}` : `${writtenAs}=${shown} (${origin})`;
  // The reason may quote a part of the value, so a secret's is left out.
  return `${by} ${isSecret ? "is not allowed" : problem}: allowed is ${kind.allowed}.`;
}

function missing(name: SettingName): string {
  const { doc, kind } = settingNamed(name);
  return `${name} is not set: give --${flagOf(name)} ${kind.placeholder}, or set it in the environment or .env. ${doc}`;
}

/** A value for one line: control characters and what is beyond 200 characters left out. */
function shorten(text: string): string {
  const line = JSON.stringify(text).slice(1, -1);
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}

function readEnvFile(text: string): EnvFile {
  const values = new Map(Object.entries(parseEnv(text)).map(([name, value]) => [name, value ?? ""]));
  const lines = text.split("\n");
  return {
    values,
    lineOf: (name) => {
      // A name that is set twice has its last value.
      const index = lines.findLastIndex(
        (line) =>
          line
            .trim()
            .replace(/^export\s+/, "")
            .split("=")[0]
            ?.trim() === name,
      );
      return index === -1 ? ".env" : `.env line ${index + 1}`;
    },
  };
}

function unknownInFile(envFile: EnvFile): SettingProblem[] {
  return [...envFile.values.keys()]
    .filter((name) => !isKnownVariable(name))
    .map((name) => unknown(name, envFile.lineOf(name)));
}

function unknownInEnvironment(env: Readonly<Record<string, string | undefined>>): SettingProblem[] {
  return Object.keys(env)
    .filter((name) => name.startsWith(OWN_PREFIX) && !isKnownVariable(name))
    .map((name) => unknown(name, "environment"));
}

function unknown(name: string, origin: string): SettingProblem {
  const meant = name.startsWith(OWN_PREFIX) ? name.slice(OWN_PREFIX.length) : name;
  return { line: `${name} (${origin}) is no setting.${didYouMean(meant, SETTING_NAMES)}`, isFlag: false };
}

function isKnownVariable(name: string): boolean {
  if (isSettingName(name) || TOOL_VARIABLES.includes(name)) return true;
  if (Object.hasOwn(COMPOSE_VARIABLES, name)) return true;
  return SETTING_NAMES.some((known) => settingNamed(known).alias === name);
}

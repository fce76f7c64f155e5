// The texts of --help, made from the tables of commands, flags and settings.

import { flagOf, type Setting, settingNamed } from "../config/settings.ts";
import { GLOBAL_SETTINGS, GLOBAL_SWITCHES } from "./arguments.ts";
import { type Command, type Flag, flagName } from "./command.ts";

/** Name and summary of a command, known without loading it. */
export interface CommandSummary {
  readonly name: string;
  readonly summary: string;
}

/** Widest first column; what is wider has its explanation on the next line. */
const COLUMN_MAX = 30;

/** Help of the whole: `atrium --help`. */
export function generalHelp(commands: readonly CommandSummary[]): string {
  return [
    "Atrium turns a building's sensor readings into a lakehouse and answers from it.",
    "",
    "Usage: atrium COMMAND [FLAGS]",
    "",
    "Commands:",
    ...rows(commands.map(({ name, summary }) => [name, summary])),
    "",
    "Begin with:",
    "  atrium generate --rooms 8 --days 3 --seed 1 --out ./raw",
    "  atrium run --raw ./raw --lake ./lake",
    '  atrium sql --lake ./lake "select * from gold_room_daily"',
    "",
    "atrium COMMAND --help explains a command; atrium --version tells the version.",
    "Every setting is an environment variable too, and may stand in .env: see .env.example.",
    "Exit codes: 0 done, 1 failed, 2 wrong use or configuration, 99 nothing to do.",
    "",
  ].join("\n");
}

/** Help of one command: `atrium run --help`. */
export function commandHelp(name: string, command: Command): string {
  const { positionals = [], examples = [] } = command;
  const settings = [...command.settings, ...GLOBAL_SETTINGS].flatMap((setting): [string, string][] => {
    const flag = flagOf(setting);
    const fallback = command.defaults?.[setting];
    const row =
      fallback === undefined ? settingNamed(setting) : { ...settingNamed(setting), default: fallback };
    return flag === undefined ? [] : [[usage(flag, row), `${explain(row)} [${setting}]`]];
  });
  return [
    `Usage: ${["atrium", name, ...positionals.map(positionalUsage)].join(" ")} [FLAGS]`,
    "",
    command.about,
    ...part(
      "Arguments",
      positionals.map((positional) => [positional.name, positional.doc]),
    ),
    ...part(
      "Flags",
      Object.entries(command.flags).map(([key, flag]) => [usage(flagName(key), flag), explain(flag)]),
    ),
    ...part("Settings as flags (the variable in brackets)", settings),
    ...part(
      "Always",
      Object.entries(GLOBAL_SWITCHES).map(([flag, { short, doc }]) => [`-${short}, --${flag}`, doc]),
    ),
    ...(examples.length === 0 ? [] : ["", "Examples:", ...examples.map((example) => `  atrium ${example}`)]),
    "",
  ].join("\n");
}

function positionalUsage({ name, isRequired }: { name: string; isRequired: boolean }): string {
  return isRequired ? name : `[${name}]`;
}

function usage(name: string, flag: Flag<unknown>): string {
  return flag.isSwitch ? `--${name}` : `--${name} ${flag.kind.placeholder}`;
}

function explain(
  setting: Setting<unknown> & { readonly isSwitch?: true; readonly defaultNote?: string },
): string {
  const fallback = setting.isSwitch ? undefined : (setting.defaultNote ?? setting.default);
  return fallback === undefined ? setting.doc : `${setting.doc} Default: ${fallback}.`;
}

function part(title: string, entries: readonly (readonly [string, string])[]): readonly string[] {
  return entries.length === 0 ? [] : ["", `${title}:`, ...rows(entries)];
}

function rows(entries: readonly (readonly [string, string])[]): readonly string[] {
  const width = Math.min(COLUMN_MAX, Math.max(...entries.map(([left]) => left.length)));
  return entries.map(([left, right]) => {
    const gap = left.length > width ? `\n${" ".repeat(width + 4)}` : " ".repeat(width - left.length + 2);
    return `  ${left}${gap}${right}`;
  });
}

// The text of .env.example, made from the table of settings; a test keeps the file and the table equal.

import { COMPOSE_VARIABLES } from "../../src/config/compose-variables.ts";
import {
  flagOf,
  SECTIONS,
  SETTING_NAMES,
  settingNamed,
  type SettingName,
} from "../../src/config/settings.ts";

const HEADER = `# Settings of Atrium: copy this file to .env and take away the # where you want another value than the default.
# A flag of the command line wins over the environment, the environment over .env, .env over the default.
# An empty value counts as not set. This file is made from the table in src/config/settings.ts.`;

/** The whole file: every setting and every variable of the containers with its explanation and its default, commented out. */
export function envExample(): string {
  const parts = Object.entries(SECTIONS).map(([section, title]) => {
    const names = SETTING_NAMES.filter((name) => settingNamed(name).section === section);
    return [`# ---- ${title}`, ...names.map(describeSetting)].join("\n\n");
  });
  const compose = Object.entries(COMPOSE_VARIABLES).map(
    ([name, { doc, default: fallback = "" }]) => `# ${doc}\n#${name}=${fallback}`,
  );
  return `${[HEADER, ...parts, "# ---- Containers (compose.yaml alone)", ...compose].join("\n\n")}\n`;
}

function describeSetting(name: SettingName): string {
  const { doc, kind, alias, defaultNote, default: fallback } = settingNamed(name);
  const flag = flagOf(name);
  const facts = [
    `Allowed: ${kind.allowed}.`,
    defaultNote === undefined ? "" : `Default: ${defaultNote}.`,
    flag === undefined ? "No flag, because it is a secret." : `Flag: --${flag}.`,
    alias === undefined ? "" : `Also as ${alias}.`,
  ];
  return [
    `# ${doc}`,
    `# ${facts.filter((fact) => fact !== "").join(" ")}`,
    `#${name}=${fallback ?? ""}`,
  ].join("\n");
}

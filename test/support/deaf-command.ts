// Loaded before main.ts by a test: adds a command that hears of its signal and goes on nevertheless.

import { defineCommand } from "../../src/commands/command.ts";
import type { RegisteredCommand } from "../../src/commands/dispatch.ts";
import { COMMANDS } from "../../src/commands/registry.ts";

const deaf = defineCommand({
  about: "Goes on.",
  flags: {},
  settings: [],
  run: async ({ signal, stdout }) => {
    signal.addEventListener("abort", () => stdout("stopping\n"));
    stdout("ready\n");
    // An hour, so that a failed test leaves nothing behind for ever.
    return new Promise((resolve) => setTimeout(resolve, 3_600_000, 0));
  },
});

const registry: Record<string, RegisteredCommand> = COMMANDS;
registry["deaf"] = { summary: "Goes on.", load: () => Promise.resolve(deaf) };

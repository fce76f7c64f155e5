// Runs the command that the arguments name: help, parsing, configuration, logger, and errors as lines.

import { loadConfig } from "../config.ts";
import type { SettingName } from "../config/settings.ts";
import type { Sources } from "../config/values.ts";
import type { Clock } from "../support/clock.ts";
import { AtriumError, ERROR_CATALOGUE, type ExitCode, isAtriumError, messageOf } from "../support/errors.ts";
import { createLogger } from "../support/logger.ts";
import { didYouMean } from "../support/nearest.ts";
import { progressReporter, silentProgress, type StatusLine, statusLineOf } from "../support/progress.ts";
import { type ParsedArguments, parseArguments } from "./arguments.ts";
import type { Command, CommandContext } from "./command.ts";
import { commandHelp, generalHelp } from "./help.ts";

/** One of the process's output streams. */
export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Width in characters; any number where there is no terminal. */
  columns(): number;
}

/** A command that is loaded when it is wanted. */
export interface RegisteredCommand {
  /** One line for the general help. */
  readonly summary: string;
  load(): Promise<Command>;
}

/** Commands by name, in the order of the general help. */
export type Registry = Readonly<Record<string, RegisteredCommand>>;

/** The process as the command line sees it; tests pass their own. */
export interface CommandLine {
  readonly registry: Registry;
  readonly version: string;
  /** Gives environment, folder and .env file; asked only when a command runs. @throws CONFIG_INVALID */
  sources(): Sources;
  readonly clock: Clock;
  /** Aborts when the process is asked to stop. */
  readonly signal: AbortSignal;
  readonly stdout: Output;
  readonly stderr: Output;
}

/** Runs one command and says how the process ends. Never throws: errors become lines on standard error. */
export async function dispatch(argv: readonly string[], line: CommandLine): Promise<ExitCode> {
  try {
    const [first = "--help", ...rest] = argv;
    if (["--help", "-h", "help"].includes(first)) return await showHelp(rest, line);
    if (["--version", "-V", "version"].includes(first)) {
      line.stdout.write(`atrium ${line.version}\n`);
      return 0;
    }
    return await runCommand({ name: first, args: rest }, line);
  } catch (error) {
    return reportError(error, { line, isVerbose: argv.includes("--verbose") || argv.includes("-v") });
  }
}

/** Writes an error as lines `error CODE: message` and gives the exit code of the catalogue. */
export function reportError(
  error: unknown,
  to: { readonly line: CommandLine; readonly isVerbose: boolean },
): ExitCode {
  const { line, isVerbose } = to;
  if (line.signal.aborted && error instanceof Error && error.name === "AbortError") {
    line.stderr.write("stopped before the end.\n");
    return 1;
  }
  const code = isAtriumError(error) ? error.code : "INTERNAL";
  for (const message of messages(error)) line.stderr.write(`error ${code}: ${message}\n`);
  if (isVerbose) line.stderr.write(`${stackOf(error)}\n`);
  else if (code === "INTERNAL") line.stderr.write("--verbose shows where it happened; please report it.\n");
  return ERROR_CATALOGUE[code].exitCode;
}

async function showHelp([name]: readonly string[], line: CommandLine): Promise<ExitCode> {
  if (name === undefined || name.startsWith("-")) {
    const summaries = Object.entries(line.registry).map(([known, { summary }]) => ({ name: known, summary }));
    line.stdout.write(generalHelp(summaries));
    return 0;
  }
  line.stdout.write(commandHelp(name, await load(name, line.registry)));
  return 0;
}

async function load(name: string, registry: Registry): Promise<Command> {
  const known = Object.hasOwn(registry, name) ? registry[name] : undefined;
  if (known !== undefined) return known.load();
  const what = name.startsWith("-")
    ? `The command comes first, but ${name} is a flag.`
    : `There is no command ${name}.`;
  const hint = didYouMean(name, Object.keys(registry));
  throw new AtriumError("USAGE_INVALID", `${what}${hint} atrium --help lists the commands.`);
}

async function runCommand(
  { name, args }: { readonly name: string; readonly args: readonly string[] },
  line: CommandLine,
): Promise<ExitCode> {
  const command = await load(name, line.registry);
  if (args.includes("--help") || args.includes("-h")) return showHelp([name], line);
  const sources = line.sources();
  const parsed = parseArguments(args, command, sources.cwd);
  const config = loadConfig({
    ...sources,
    flags: { ...parsed.settings, ...levelOf(parsed) },
    needs: command.needs ?? [],
    defaults: command.defaults ?? {},
  });
  const context = await makeContext({ config, parsed, line });
  try {
    return await command.run(context);
  } finally {
    context.progress.end();
  }
}

/** --verbose and --quiet are words for a log level. */
function levelOf({ isVerbose, isQuiet }: ParsedArguments): Partial<Record<SettingName, string>> {
  if (isVerbose) return { LOG_LEVEL: "debug" };
  return isQuiet ? { LOG_LEVEL: "error" } : {};
}

async function makeContext(parts: {
  readonly config: CommandContext["config"];
  readonly parsed: ParsedArguments;
  readonly line: CommandLine;
}): Promise<CommandContext> {
  const { config, parsed, line } = parts;
  const { stdout, stderr, clock, signal } = line;
  const statusLine: StatusLine | undefined = stderr.isTerminal
    ? statusLineOf(
        (text) => stderr.write(text),
        () => stderr.columns(),
      )
    : undefined;
  const write = (text: string): void => (statusLine ?? stderr).write(text);
  const logger = await createLogger({ ...config.logging, isTerminal: stderr.isTerminal, write });
  const everyMs = config.replay.progressEverySeconds * 1000;
  const shown = statusLine === undefined ? {} : { statusLine };
  return {
    config,
    flags: parsed.flags,
    positionals: parsed.positionals,
    logger,
    progress: parsed.isQuiet ? silentProgress : progressReporter({ clock, logger, everyMs, ...shown }),
    clock,
    signal,
    stdout: (text) => stdout.write(text),
    stderr: write,
    isTerminal: stdout.isTerminal,
  };
}

/** Wrong settings and flags are a line each; any other message is made one line. */
function messages(error: unknown): readonly string[] {
  const problems = isAtriumError(error) ? error.details["problems"] : undefined;
  if (Array.isArray(problems)) return problems.map(String);
  return [
    messageOf(error)
      .replaceAll(/\s*\n\s*/g, " ")
      .trim(),
  ];
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const stack = error.stack ?? error.message;
  return error.cause === undefined ? stack : `${stack}\nCaused by: ${stackOf(error.cause)}`;
}

// Where the process starts: streams, signals, and how it ends.

import { type CommandLine, dispatch, type Output, reportError } from "./commands/dispatch.ts";
import { COMMANDS } from "./commands/registry.ts";
import { processSources } from "./config.ts";
import { deadline, systemClock } from "./support/clock.ts";
import { systemCode } from "./support/errors.ts";
import { VERSION } from "./support/version.ts";

/** A command has this long to stop after a signal, and the process to end after its command, ms. */
const STOP_MS_MAX = 5_000;

const stopping = new AbortController();
const argv = process.argv.slice(2);
const line: CommandLine = {
  registry: COMMANDS,
  version: VERSION,
  sources: processSources,
  clock: systemClock,
  signal: stopping.signal,
  stdout: outputOf(process.stdout),
  stderr: outputOf(process.stderr),
};

for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop(signal));
process.on("uncaughtException", (error) => {
  process.exit(reportError(error, { line, isVerbose: argv.includes("--verbose") }));
});
process.exitCode = await dispatch(argv, line);
// Nothing should be open now; if something is, it must not keep the process for ever.
deadline(STOP_MS_MAX, () => process.exit());

/** The first signal asks the command to stop; a second one, or a command that takes too long, ends the process at once. */
function stop(signal: string): void {
  if (stopping.signal.aborted) process.exit(1);
  stopping.abort(new DOMException(`${signal} received`, "AbortError"));
  deadline(STOP_MS_MAX, () => {
    line.stderr.write(`did not stop within ${STOP_MS_MAX / 1000} s of ${signal}: ended at once.\n`);
    process.exit(1);
  });
}

function outputOf(stream: NodeJS.WriteStream): Output {
  stream.on("error", (error) => {
    // Whoever read our output has gone away, as `head` does: nobody is left to write for.
    if (systemCode(error) === "EPIPE") process.exit(0);
    throw error;
  });
  return {
    write: (text) => stream.write(text),
    isTerminal: stream.isTTY,
    columns: () => stream.columns,
  };
}

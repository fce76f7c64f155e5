// The command line with made-up commands: flags, help, errors, exit codes, logs and stopping.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type Command,
  type CommandContext,
  defineCommand,
  flag,
  optionalFlag,
  switchFlag,
} from "../../src/commands/command.ts";
import type { Registry } from "../../src/commands/dispatch.ts";
import { integer, text } from "../../src/config/kinds.ts";
import { AtriumError, type ExitCode } from "../../src/support/errors.ts";
import { dispatched } from "../support/command-line.ts";

/** A registry of one command, `greet`, that runs `run`. */
function greeting(
  run: (context: CommandContext) => Promise<ExitCode>,
  more: Partial<Command> = {},
): Registry {
  const greet = defineCommand({
    about: "Greets somebody.",
    positionals: [{ name: "NAME", doc: "who is greeted", isRequired: false }],
    flags: {
      times: flag(integer(1, 9), "1", "How often."),
      asWhom: optionalFlag(text(), "Who greets."),
      json: switchFlag("Prints JSON."),
    },
    settings: ["LAKE_URL", "SOURCE_URL", "REPLAY_MODE"],
    examples: ["greet World"],
    run,
    ...more,
  });
  return { greet: { summary: "Greets.", load: () => Promise.resolve(greet) } };
}

/** Runs greet with these arguments and returns the context it got. */
async function contextOf(args: readonly string[], more: Partial<Command> = {}): Promise<CommandContext> {
  let seen: CommandContext | undefined;
  const registry = greeting((context) => {
    seen = context;
    return Promise.resolve(0);
  }, more);
  const ended = await dispatched(["greet", ...args], registry);
  assert.equal(ended.stderr, "");
  assert.ok(seen);
  return seen;
}

const nothing = greeting(() => Promise.resolve(0));
const throws = (error: Error): Registry => greeting(() => Promise.reject(error));

describe("flags", () => {
  test("a command gets its flags parsed, with defaults, and settings in its configuration", async () => {
    const { flags, config, positionals } = await contextOf([
      "World",
      "--times=3",
      "--lake",
      "there",
      "--json",
    ]);
    assert.deepEqual(flags, { times: 3, asWhom: undefined, json: true });
    assert.equal(config.lake.url, "/somewhere/there");
    assert.deepEqual(positionals, ["World"]);
    const plain = await contextOf([]);
    assert.deepEqual(plain.flags, { times: 1, asWhom: undefined, json: false });
  });

  test("a flag in camelCase is written in kebab case, and may be given a value that begins with a dash", async () => {
    assert.equal((await contextOf(["--as-whom=-x"])).flags["asWhom"], "-x");
  });

  test("all wrong arguments are told at once, each on a line, with exit code 2", async () => {
    const { code, stderr } = await dispatched(
      ["greet", "--tims", "--as-whom=", "--json=1", "--times", "--lake"],
      nothing,
    );
    assert.equal(code, 2);
    assert.deepEqual(stderr.split("\n"), [
      "error USAGE_INVALID: --tims is no flag of this command. Did you mean --times?",
      "error USAGE_INVALID: --as-whom needs a value.",
      "error USAGE_INVALID: --json takes no value.",
      "error USAGE_INVALID: --times needs a value.",
      "",
    ]);
  });

  test("a flag twice, a value out of bounds and an argument too many are refused", async () => {
    const twice = await dispatched(["greet", "--times", "1", "--times", "2"], nothing);
    assert.match(twice.stderr, /--times is given more than once/);
    const bounds = await dispatched(["greet", "--times", "10"], nothing);
    assert.match(bounds.stderr, /--times 10 is too large: allowed is a whole number from 1 to 9\./);
    const extra = await dispatched(["greet", "a", "b"], nothing);
    assert.match(extra.stderr, /"b" is one argument too many/);
    assert.deepEqual([twice.code, bounds.code, extra.code], [2, 2, 2]);
  });

  test("an argument or setting that a command cannot do without is asked for", async () => {
    const positionals = [{ name: "NAME", doc: "who is greeted", isRequired: true }];
    const missing = await dispatched(
      ["greet"],
      greeting(() => Promise.resolve(0), { positionals }),
    );
    assert.equal(missing.stderr, "error USAGE_INVALID: NAME is missing: who is greeted\n");
    const unset = await dispatched(
      ["greet"],
      greeting(() => Promise.resolve(0), { needs: ["SOURCE_URL"] }),
    );
    assert.match(unset.stderr, /^error CONFIG_INVALID: SOURCE_URL is not set: give --raw DIR/);
    assert.equal(unset.code, 2);
  });

  test("a setting that is no flag of the command is refused as a flag, but heard from the environment", async () => {
    const { stderr, code } = await dispatched(["greet", "--api-port", "1"], nothing);
    assert.match(stderr, /--api-port is no flag of this command/);
    assert.equal(code, 2);
    const ended = await dispatched(
      ["greet"],
      greeting((context) => {
        context.stdout(String(context.config.api.port));
        return Promise.resolve(0);
      }),
      { sources: { env: { API_PORT: "9" } } },
    );
    assert.equal(ended.stdout, "9");
  });

  test("a command's own default of a setting holds, and help shows it", async () => {
    const defaults = { REPLAY_MODE: "max" };
    assert.equal((await contextOf([], { defaults })).config.replay.mode, "max");
    const help = await dispatched(
      ["greet", "--help"],
      greeting(() => Promise.resolve(0), { defaults }),
    );
    assert.match(help.stdout, /--replay-mode rate\|timewarp\|max\s.*Default: max\. \[REPLAY_MODE\]/s);
  });
});

describe("help", () => {
  test("without arguments, and with --help, -h or help, the commands are listed", async () => {
    for (const argv of [[], ["--help"], ["-h"], ["help"]]) {
      const { code, stdout, stderr } = await dispatched(argv, nothing);
      assert.equal(code, 0);
      assert.match(stdout, /^ {2}greet {2}Greets\.$/m);
      assert.equal(stderr, "");
    }
  });

  test("a command's help names its arguments, flags, settings and examples, whatever else is wrong", async () => {
    for (const argv of [
      ["greet", "--help"],
      ["help", "greet"],
      ["greet", "--wrong", "-h"],
    ]) {
      const { code, stdout } = await dispatched(argv, nothing);
      assert.equal(code, 0);
      assert.match(stdout, /^Usage: atrium greet \[NAME\] \[FLAGS\]$/m);
      assert.match(stdout, /--times N {2,}How often\. Default: 1\./);
      assert.match(stdout, /--json {2,}Prints JSON\.\n/);
      assert.match(stdout, /--lake DIR.*\[LAKE_URL\]/);
      assert.match(stdout, /atrium greet World/);
    }
  });

  test("--version tells the version", async () => {
    assert.deepEqual(await dispatched(["--version"], nothing), {
      code: 0,
      stdout: "atrium 1.2.3\n",
      stderr: "",
    });
  });

  test("an unknown command is refused with the one that was meant", async () => {
    const { code, stderr } = await dispatched(["gret"], nothing);
    assert.equal(code, 2);
    assert.equal(
      stderr,
      "error USAGE_INVALID: There is no command gret. Did you mean greet? atrium --help lists the commands.\n",
    );
    assert.match((await dispatched(["--lake", "x", "greet"], nothing)).stderr, /The command comes first/);
    assert.equal((await dispatched(["toString"], nothing)).code, 2);
  });
});

describe("errors", () => {
  test("an error is one line with its code, and the exit code is the catalogue's", async () => {
    const error = new AtriumError("SOURCE_MISSING", "The folder x\n  does not exist: give another.");
    const { code, stdout, stderr } = await dispatched(["greet"], throws(error));
    assert.deepEqual([code, stdout], [2, ""]);
    assert.equal(stderr, "error SOURCE_MISSING: The folder x does not exist: give another.\n");
  });

  test("what is not of the catalogue is INTERNAL with exit code 1", async () => {
    const { code, stderr } = await dispatched(["greet"], throws(new TypeError("oops")));
    assert.equal(code, 1);
    assert.match(stderr, /^error INTERNAL: oops\n/);
    assert.doesNotMatch(stderr, /dispatch\.test/);
  });

  test("--verbose shows the stack traces of the error and of its causes", async () => {
    const error = new AtriumError("STORE_FAILED", "outer", { cause: new Error("inner") });
    const { stderr } = await dispatched(["greet", "--verbose"], throws(error));
    assert.match(stderr, /error STORE_FAILED: outer\n.*dispatch\.test.*Caused by: Error: inner/s);
  });

  test("a wrong .env is told like any other problem", async () => {
    const { code, stderr } = await dispatched(["greet"], nothing, { sources: { envFileText: "LAKE=x" } });
    assert.equal(code, 2);
    assert.match(stderr, /^error CONFIG_INVALID: LAKE \(\.env line 1\) is no setting\./);
  });

  test("help is there even where .env is wrong", async () => {
    const { code } = await dispatched(["greet", "--help"], nothing, { sources: { envFileText: "LAKE=x" } });
    assert.equal(code, 0);
  });
});

describe("logs", () => {
  const logs = greeting(({ logger }) => {
    logger.debug("small");
    logger.info("middle", { rows: 2, offset: 7n, cause: new Error("why") });
    logger.error("large");
    return Promise.resolve(0);
  });

  test("lines are JSON where there is no terminal, with time, level, message and fields", async () => {
    const { stderr, stdout } = await dispatched(["greet"], logs);
    const lines = stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      lines.map(({ msg }) => msg),
      ["middle", "large"],
    );
    const { time, ...rest } = lines[0]!;
    assert.match(String(time), /^\d{4}-\d\d-\d\dT/);
    assert.deepEqual(rest, { level: "info", msg: "middle", rows: 2, offset: "7", cause: "why" });
    assert.equal(stdout, "");
  });

  test("lines are text on a terminal or where the format says so", async () => {
    assert.match(
      (await dispatched(["greet", "--log-format", "text"], logs)).stderr,
      /INFO.*: middle \{"rows":2/,
    );
    assert.match((await dispatched(["greet"], logs, { isTerminal: true })).stderr, /INFO.*middle/);
  });

  test("--verbose adds the small ones, --quiet leaves errors only, and both at once are refused", async () => {
    const count = (stderr: string): number => stderr.trim().split("\n").length;
    assert.equal(count((await dispatched(["greet", "-v"], logs)).stderr), 3);
    assert.equal(count((await dispatched(["greet", "-q"], logs)).stderr), 1);
    assert.equal((await dispatched(["greet", "-q", "-v"], logs)).code, 2);
    assert.equal((await dispatched(["greet", "--log-level", "silent"], logs)).stderr, "");
  });

  test("a status line is taken away when the command ends, also by an error", async () => {
    const state = { message: "m", text: "half", fields: {} };
    for (const end of [() => Promise.resolve<ExitCode>(0), () => Promise.reject(new Error("x"))]) {
      const registry = greeting(({ progress }) => {
        progress.update(() => state);
        return end();
      });
      const { stderr } = await dispatched(["greet"], registry, { isTerminal: true });
      assert.ok(stderr.startsWith("\r\u001b[2Khalf\r\u001b[2K"));
    }
  });
});

describe("stopping", () => {
  test("a command that its signal has interrupted ends with 1 and without an error's line", async () => {
    const signal = AbortSignal.abort();
    const registry = greeting((context) => {
      context.signal.throwIfAborted();
      return Promise.resolve(0);
    });
    const ended = await dispatched(["greet"], registry, { signal });
    assert.deepEqual([ended.code, ended.stderr], [1, "stopped before the end.\n"]);
  });

  test("a long-lived command that returns 0 after its signal ends with 0", async () => {
    const ended = await dispatched(["greet"], nothing, { signal: AbortSignal.abort() });
    assert.deepEqual(ended, { code: 0, stdout: "", stderr: "" });
  });
});

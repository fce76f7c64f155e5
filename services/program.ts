// Programs of the machine: whether they are there and new enough, and running them to their end.

import { execFile } from "node:child_process";
import { stripVTControlCharacters } from "node:util";

/** A program that the machine must have. */
export interface Program {
  readonly title: string;
  readonly command: string;
  /** Arguments with which it prints its version. */
  readonly versionArgs: readonly string[];
  /** The lowest version that is known to do: major, minor. */
  readonly versionMin: readonly [number, number];
  /** How to get it. */
  readonly advice: string;
}

/** How a program ended and what it printed. */
export interface Ended {
  /** null if a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Limits and input of a run. */
export interface RunOptions {
  /** The run is ended after that long. */
  readonly secondsMax: number;
  readonly cwd?: string;
  /** Added to the environment of the caller. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/** Runs a program to its end, whatever its exit code. @throws Error if it cannot be started or takes too long. */
export async function runProgram(
  command: string,
  args: readonly string[],
  { secondsMax, cwd, env, input }: RunOptions,
): Promise<Ended> {
  return new Promise((done, fail) => {
    const options = {
      cwd,
      env: { ...process.env, ...env },
      maxBuffer: OUTPUT_BYTES_MAX,
      timeout: secondsMax * 1000,
    };
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      const { exitCode: code } = child;
      // Below 0: it could not be started.
      if (error !== null && (code === null || code < 0)) {
        const why = error.killed === true ? `took longer than ${secondsMax} s` : error.message;
        fail(new Error(`${command} ${args[0] ?? ""}: ${why}\n${stderr}`.trim(), { cause: error }));
      } else {
        done({ code, stdout, stderr });
      }
    });
    // A program that ends early does not read all its input: its exit code says what happened.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input ?? "");
  });
}

/** Runs a program that must end with exit code 0. @throws Error with the end of its output otherwise. */
export async function mustRun(command: string, args: readonly string[], options: RunOptions): Promise<Ended> {
  const ended = await runProgram(command, args, options);
  if (ended.code === 0) return ended;
  const output = lastLines(`${ended.stdout}\n${ended.stderr}`, 20);
  throw new Error(`${command} ${args.join(" ")} ended with exit code ${ended.code ?? "none"}:\n${output}`);
}

/** What of these programs is missing or too old, one line each with what to do; undefined if all are there. */
export async function missingOf(programs: readonly Program[]): Promise<string | undefined> {
  const lines = (await Promise.all(programs.map(faultOf))).filter((line) => line !== undefined);
  return lines.length === 0 ? undefined : lines.join("\n");
}

/** The last lines of a text, empty ones left out. */
export function lastLines(text: string, count: number): string {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-count)
    .join("\n");
}

async function faultOf({
  title,
  command,
  versionArgs,
  versionMin,
  advice,
}: Program): Promise<string | undefined> {
  const wanted = `${title} ${versionMin.join(".")} or newer is needed`;
  let printed;
  try {
    const { stdout, stderr } = await runProgram(command, versionArgs, { secondsMax: 30 });
    printed = stripVTControlCharacters(`${stdout}\n${stderr}`);
  } catch {
    return `${wanted}, and \`${command}\` is not there or does not run. ${advice}`;
  }
  const version = /(\d+)(?:\.(\d+))?/.exec(printed);
  const [major, minor] = [Number(version?.[1] ?? 0), Number(version?.[2] ?? 0)];
  const isEnough = major > versionMin[0] || (major === versionMin[0] && minor >= versionMin[1]);
  return isEnough ? undefined : `${wanted}, and \`${command}\` is ${major}.${minor}. ${advice}`;
}

// A generated folder for a test, and its files read back by rules that share no code with the generator.

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generate, type GenerateOptions, type GenerateSummary } from "../../src/generator/generate.ts";

/** One line of a raw file. */
export interface RawLine {
  /** Counted from 1. */
  readonly line: number;
  /** The line's bytes as Latin-1, so that any byte survives. */
  readonly text: string;
  /** Set where the line is a reading. */
  readonly reading: { readonly ts: number; readonly value: number } | undefined;
}

/** What was generated and where. */
export interface Generated {
  readonly folder: string;
  readonly summary: GenerateSummary;
}

/** Runs `body` with a temporary folder that is gone afterwards. */
export async function withTempFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "atrium-generate-"));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Generates one clean room and day of seed 1, but for `options`, and runs `body` with it. */
export async function withGenerated<T>(
  options: Partial<GenerateOptions>,
  body: (generated: Generated) => Promise<T>,
): Promise<T> {
  return withTempFolder(async (folder) => {
    const summary = await generate({ rooms: 1, days: 1, seed: 1, faults: false, ...options, outDir: folder });
    return body({ folder, summary });
  });
}

/** The raw files below a folder, `room/type.csv`, in order of their names. */
export async function rawFilesOf(folder: string): Promise<string[]> {
  const files = (await readdir(folder, { recursive: true })).filter((file) =>
    /^[^/\\]+[/\\][a-z0-9]+\.csv$/.test(file),
  );
  return files.map((file) => file.replaceAll("\\", "/")).toSorted();
}

/** Reads a raw file back line by line. */
export async function readRaw(folder: string, file: string): Promise<RawLine[]> {
  const text = await readFile(join(folder, file), "latin1");
  const lines = text.split("\n");
  if (lines.pop() !== "") throw new Error(`${file} does not end with LF`);
  return lines.map((line, index) => ({ line: index + 1, text: line, reading: readingOf(line) }));
}

/** The readings of a file; throws if a line is none. */
export async function readReadings(folder: string, file: string): Promise<{ ts: number; value: number }[]> {
  return (await readRaw(folder, file)).map(({ line, text, reading }) => {
    if (reading === undefined) throw new Error(`${file}:${line} is no reading: ${text}`);
    return reading;
  });
}

function readingOf(text: string): { ts: number; value: number } | undefined {
  const match = /^(\d{9,10}), (-?\d+\.\d\d)$/.exec(text);
  return match === null ? undefined : { ts: Number(match[1]), value: Number(match[2]) };
}

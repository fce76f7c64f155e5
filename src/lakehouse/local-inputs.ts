// For engines that read files of this machine: the lake's files, or their copies, in place of the paths in the lake.

import { isAbsolute } from "node:path";
import { AtriumError, isAtriumError } from "../support/errors.ts";
import { inParallel } from "../support/parallel.ts";
import type { ObjectStore } from "./delta/object-store.ts";
import type { Engine, Input, InputFile } from "./engine.ts";

/** A store, as far as an engine reads from it. */
export type ReadStore = Pick<ObjectStore, "localFile" | "url">;

/** Files that are looked for at a time: so many that a slow store does not make a query wait for each. */
const FILES_AT_ONCE = 64;

/** The engine, for inputs that name files of the lake. */
export function localEngine(engine: Engine, store: ReadStore): Engine {
  return {
    write: async (transform, signal) =>
      engine.write({ ...transform, inputs: await localInputs(store, transform.inputs) }, signal),
    query: async (query, signal) =>
      engine.query({ ...query, inputs: await localInputs(store, query.inputs) }, signal),
    [Symbol.asyncDispose]: async () => engine[Symbol.asyncDispose](),
  };
}

/** The inputs with every file on this machine. @throws TABLE_CORRUPT with `details.isMissing` if one is not there */
export async function localInputs(store: ReadStore, inputs: readonly Input[]): Promise<readonly Input[]> {
  return Promise.all(
    inputs.map(async (input) => {
      if (input.kind === "rows") return input;
      const files = await inParallel(input.files, FILES_AT_ONCE, async (file) => ({
        ...file,
        path: isAbsolute(file.path) ? file.path : await localFile(store, file),
      }));
      return { ...input, files };
    }),
  );
}

/** The error for a data file of the lake that is not there. */
export function missingFile(url: string, path: string, cause: unknown): AtriumError {
  const message =
    `A data file of ${path.split("/").slice(0, 2).join("/")} is missing: ${url}/${path}. Nothing was made without it. ` +
    "Restore it from a backup, or see docs/operate/recovery.md; atrium verify looks for others.";
  return new AtriumError("TABLE_CORRUPT", message, { cause, details: { file: path, isMissing: true } });
}

/** True for the error of a data file that is not there, and not of one that is damaged. */
export function isMissingFile(error: unknown): boolean {
  return isAtriumError(error, "TABLE_CORRUPT") && error.details["isMissing"] === true;
}

async function localFile(store: ReadStore, { path }: InputFile): Promise<string> {
  try {
    return await store.localFile(path);
  } catch (cause) {
    throw isAtriumError(cause, "NOT_FOUND") ? missingFile(store.url, path, cause) : cause;
  }
}

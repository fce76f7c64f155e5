// Errors of Spark that mean something to the lake.

import type { Input } from "../../lakehouse/engine.ts";
import { missingFile } from "../../lakehouse/local-inputs.ts";
import { AtriumError, isAtriumError } from "../../support/errors.ts";
import { type AddressOf, metadataPath } from "./plans.ts";

/** What work reads, and the lake as its user named it. */
export interface Read {
  readonly inputs: readonly Input[];
  readonly addressOf: AddressOf;
  readonly url: string;
}

/** Spark's class of an error (`PATH_NOT_FOUND`); "" if it has none. */
export function errorClassOf(error: unknown): string {
  const found = isAtriumError(error) ? error.details["errorClass"] : undefined;
  return typeof found === "string" ? found : "";
}

/**
 * Runs work; an input that is missing or damaged is named as the lake names it.
 * @throws TABLE_CORRUPT, and what the work throws
 */
export async function explained<T>(read: Read, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fileError(error, read) ?? error;
  }
}

function fileError(error: unknown, { inputs, addressOf, url }: Read): AtriumError | undefined {
  const errorClass = errorClassOf(error);
  if (!isAtriumError(error) || !/^(PATH_NOT_FOUND|FAILED_READ_FILE)/.test(errorClass)) return undefined;
  const message = error.message.replaceAll("file:///", "file:/");
  const files = inputs.flatMap((input) => (input.kind === "files" ? input.files : []));
  const file = files.find(({ path }) =>
    [addressOf(path), metadataPath(addressOf(path))].some((address) => message.includes(address)),
  );
  if (file === undefined) return undefined;
  const { path } = file;
  if (/^PATH_NOT_FOUND|FILE_NOT_EXIST$/.test(errorClass)) return missingFile(url, path, error);
  const text =
    `A data file is damaged: ${path} cannot be read. Nothing was made of it. ` +
    "Restore it from a backup, or see docs/operate/recovery.md; atrium verify looks for others.";
  return new AtriumError("TABLE_CORRUPT", text, { cause: error, details: { file: path } });
}

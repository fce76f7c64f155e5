// Errors of Spark that mean something to the lake.

import { missingFile } from "../../lakehouse/local-inputs.ts";
import { AtriumError, isAtriumError } from "../../support/errors.ts";

/** Spark's class of an error (`PATH_NOT_FOUND`); "" if it has none. */
export function errorClassOf(error: unknown): string {
  const found = isAtriumError(error) ? error.details["errorClass"] : undefined;
  return typeof found === "string" ? found : "";
}

/**
 * Runs work; an input that is missing or damaged is named as the lake names it.
 * @throws TABLE_CORRUPT, and what the work throws
 */
export async function explained<T>(url: string, root: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fileError(error, { url, root }) ?? error;
  }
}

function fileError(
  error: unknown,
  { url, root }: { readonly url: string; readonly root: string },
): AtriumError | undefined {
  const errorClass = errorClassOf(error);
  if (!isAtriumError(error) || !/^(PATH_NOT_FOUND|FAILED_READ_FILE)/.test(errorClass)) return undefined;
  // The message names the file, whatever the parameter is called.
  const address = /(?:file|s3a):\/[^"\s]*\.parquet/.exec(error.message)?.[0];
  const path = decoded(address)
    .replace(`${oneSlash(root)}/`, "")
    .replace(/^file:/, "");
  if (/^PATH_NOT_FOUND|FILE_NOT_EXIST$/.test(errorClass)) return missingFile(url, path, error);
  const message =
    `A data file is damaged: ${path} cannot be read. Nothing was made of it. ` +
    "Restore it from a backup, or see docs/operate/recovery.md; atrium verify looks for others.";
  return new AtriumError("TABLE_CORRUPT", message, { cause: error, details: { file: path } });
}

/** Spark writes `file:/` and `file:///`, encoded or not. */
function decoded(address = ""): string {
  try {
    return oneSlash(decodeURIComponent(address));
  } catch {
    return oneSlash(address);
  }
}

function oneSlash(address: string): string {
  return address.replace(/^file:\/+/, "file:/");
}

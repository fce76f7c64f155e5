// A mark on the files of a bronze version whose rows are known to have distinct keys, so that silver need not count them.

import type { AddFile } from "../delta/actions.ts";

const TAG = "atrium.distinctKeys";

/** The file, marked: no two rows of its version have the same room, sensor type and event time. */
export function markDistinct(file: AddFile): AddFile {
  return { ...file, tags: { ...file.tags, [TAG]: "true" } };
}

/** True if all files carry the mark. It says nothing of rows in other versions. */
export function areDistinct(files: readonly AddFile[]): boolean {
  return files.every((file) => file.tags?.[TAG] === "true");
}

/** The file without the mark: for a version that also has files of others. */
export function unmarkDistinct(file: AddFile): AddFile {
  if (file.tags?.[TAG] === undefined) return file;
  const { [TAG]: _mark, ...tags } = file.tags;
  return { ...file, tags };
}

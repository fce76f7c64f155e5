// Files between their writing and their commit: vacuum cannot tell those of a writer that sleeps from those of a dead one.

import type { Clock } from "../../support/clock.ts";
import { AtriumError } from "../../support/errors.ts";
import type { AddFile } from "./actions.ts";
import type { ObjectStore } from "./object-store.ts";
import { storePath } from "./paths.ts";

/** New files that wait for their commit for longer than this, ms, may have been taken for those of a dead writer. */
const UNCOMMITTED_MS_MAX = 600_000;

/** A writer that slept between its files and its commit looks whether vacuum has left them. @throws COMMIT_CONFLICT */
export async function checkFilesAreThere(
  {
    store,
    clock,
    path: table,
  }: { readonly store: ObjectStore; readonly clock: Clock; readonly path: string },
  adds: readonly AddFile[],
): Promise<void> {
  const oldestMs = Math.min(...adds.map((add) => add.modificationTime));
  if (adds.length === 0 || Math.abs(clock.nowMs() - oldestMs) < UNCOMMITTED_MS_MAX) return;
  for (const add of adds) {
    const path = storePath(table, add.path);
    const found = await store.list(path);
    if (found.some((object) => object.path === path)) continue;
    const message =
      `${path} waited so long for its commit to table ${table} that vacuum has removed it. ` +
      "Nothing was committed: read the table again and repeat it.";
    throw new AtriumError("COMMIT_CONFLICT", message, { details: { table, path } });
  }
}

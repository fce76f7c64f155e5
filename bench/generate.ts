// How fast `generate` writes raw files.

import { join } from "node:path";
import { numbersIn } from "./figures.ts";
import { ATRIUM, measure, type MeasureOptions, removeFolder } from "./measure.ts";
import type { StageUsage } from "./stages.ts";

/** About 3.1 million rows. */
const SIZE = ["--rooms", "8", "--days", "5", "--seed", "1"];

/** Generates rows into a temporary folder; the rows count as readings. */
export async function measureGenerate(options: MeasureOptions): Promise<StageUsage> {
  const folder = join(options.cwd, "raw-of-generate");
  try {
    const { stdout, ...usage } = await measure(
      ATRIUM,
      ["generate", ...SIZE, "--out", folder, "--json"],
      options,
    );
    return { ...usage, readings: numbersIn(stdout, ["rows"]).rows };
  } finally {
    await removeFolder(folder);
  }
}

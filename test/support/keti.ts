// The real readings for tests: the folder in KETI_DIR, or ../shared/data/keti beside the checkout.

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

const CHECKOUT = resolve(import.meta.dirname, "../..");

/** Folder of the real readings; undefined where there is none. */
export const KETI_DIR: string | undefined = [
  process.env["KETI_DIR"],
  join(CHECKOUT, "../shared/data/keti"),
].find((folder) => folder !== undefined && folder !== "" && existsSync(join(folder, "413/co2.csv.gz")));

if (KETI_DIR === undefined && process.env["ATRIUM_REQUIRE_KETI"] === "1") {
  throw new Error("ATRIUM_REQUIRE_KETI=1, but there are no real readings: set KETI_DIR to their folder.");
}

/** Option of a test that needs them: false, or the word with which it is left out. */
export const WITHOUT_KETI: false | string =
  KETI_DIR === undefined ? "no real readings here: set KETI_DIR to the KETI folder to run this" : false;

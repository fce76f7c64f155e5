// What killed writers leave in a lake's folder, found by rules that share no code with vacuum.

import { existsSync, readdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { TABLE_NAMES } from "../../src/reading/tables.ts";
import { filesOf } from "./world.ts";

/** Data files of all tables that no commit ever named, below the lake's folder. */
export function unnamedFiles(lake: string): readonly string[] {
  return TABLE_NAMES.flatMap((name) => {
    const named = namesIn(join(filesOf(lake), name, "_delta_log"));
    return dataFiles(join(filesOf(lake), name)).flatMap((file) =>
      named.has(file) ? [] : [`${name}/${file}`],
    );
  });
}

/** Makes all data files look as if they had been written a month ago. */
export function ageFiles(lake: string): void {
  const longAgo = Date.now() / 1000 - 30 * 86_400;
  for (const name of TABLE_NAMES) {
    const folder = join(filesOf(lake), name);
    for (const file of dataFiles(folder)) utimesSync(join(folder, file), longAgo, longAgo);
  }
}

function dataFiles(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return files.filter((file) => file.endsWith(".parquet") && !file.startsWith("_"));
}

function namesIn(log: string): ReadonlySet<string> {
  const commits = existsSync(log) ? readdirSync(log).filter((file) => /^\d{20}\.json$/.test(file)) : [];
  const paths = commits.flatMap((file) =>
    [...readFileSync(join(log, file), "utf8").matchAll(/"add":\{"path":"([^"]+)"/g)].map((match) =>
      decodeURIComponent(match[1] ?? ""),
    ),
  );
  return new Set(paths);
}

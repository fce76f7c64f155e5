// The readings that are measured: the KETI folder, or a generated one where there is none.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ATRIUM, measure, ROOT, type MeasureOptions } from "./measure.ts";

/** A folder of raw files, `<room>/<type>.csv` or `.csv.gz`, or a part of one. */
export interface Dataset {
  /** The same readings have the same name: `keti`, `generated 413,415` … */
  readonly name: string;
  readonly folder: string;
  /** In the order of their names. */
  readonly rooms: readonly string[];
  /** False if `rooms` are only some of the folder's. */
  readonly isWhole: boolean;
}

/** As many rooms and days as the KETI folder has. */
const GENERATED = ["--rooms", "14", "--days", "9", "--seed", "1"];

/** Finds the readings, or generates them; `rooms` empty means all. Throws if a room is not there. */
export async function openDataset(rooms: readonly string[], options: MeasureOptions): Promise<Dataset> {
  const keti = [process.env["KETI_DIR"], join(ROOT, "../shared/data/keti")].find(
    (folder) => folder !== undefined && folder !== "" && existsSync(join(folder, "413/co2.csv.gz")),
  );
  const whole = keti === undefined ? await generated(options) : datasetOf("keti", keti);
  if (rooms.length === 0) return whole;
  const missing = rooms.filter((room) => !whole.rooms.includes(room));
  if (missing.length > 0) {
    throw new Error(`no room ${missing.join(", ")} here: there are ${whole.rooms.join(", ")}`);
  }
  return someRooms(whole, rooms);
}

/** A part of a data set. */
export function someRooms(dataset: Dataset, wanted: readonly string[]): Dataset {
  const rooms = wanted.toSorted();
  if (rooms.length === dataset.rooms.length) return dataset;
  return { ...dataset, name: `${dataset.name} ${rooms.join(",")}`, rooms, isWhole: false };
}

/** The raw files, absolute paths. */
export function filesOf({ folder, rooms }: Dataset): readonly string[] {
  return rooms.flatMap((room) =>
    readdirSync(join(folder, room))
      .filter((file) => /\.csv(\.gz)?$/.test(file))
      .map((file) => join(folder, room, file)),
  );
}

/** The arguments by which a command reads these readings only. */
export function sourceArguments({ folder, rooms, isWhole }: Dataset): readonly string[] {
  return ["--raw", folder, ...(isWhole ? [] : ["--rooms", rooms.join(",")])];
}

async function generated(options: MeasureOptions): Promise<Dataset> {
  const folder = join(options.cwd, "generated");
  await measure(ATRIUM, ["generate", ...GENERATED, "--out", folder], options);
  return datasetOf("generated", folder);
}

function datasetOf(name: string, folder: string): Dataset {
  const entries = readdirSync(folder, { withFileTypes: true });
  const rooms = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return { name, folder, rooms: rooms.toSorted(), isWhole: true };
}

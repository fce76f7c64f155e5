// Which raw files a replay reads: told by their names, filtered by room and sensor type.

import { SENSOR_TRAITS, SENSOR_TYPES, type SensorType } from "../reading/terms.ts";
import { AtriumError } from "../support/errors.ts";
import type { RawEntry } from "./raw-source.ts";

/** A raw file of one sensor. */
export interface RawFile extends RawEntry {
  readonly room: string;
  readonly sensorType: SensorType;
  /** True for `.csv.gz`. */
  readonly compressed: boolean;
}

/** Which files are wanted; what is left out lets everything through. */
export interface FileFilter {
  /** Names of rooms or beginnings of names: `62` lets 621 and 621A through. */
  readonly rooms?: readonly string[] | undefined;
  readonly sensorTypes?: readonly SensorType[] | undefined;
}

/** A file that is not replayed, and why. */
export interface SkippedFile {
  readonly file: string;
  readonly reason: string;
}

/** The files of a replay, in the order of their paths. */
export interface FileSelection {
  readonly files: readonly RawFile[];
  readonly skipped: readonly SkippedFile[];
}

/** Most files of one replay: each costs a buffer. */
export const FILES_MAX = 20_000;

/**
 * Selects the files to replay among everything that the source `sourceName` lists. Files that are no `.csv` or `.csv.gz`
 * are ignored; a CSV of no known sensor type, and a packed file beside its unpacked one, are skipped with a reason.
 * @throws SOURCE_EMPTY if nothing is left.
 * @throws SOURCE_UNREADABLE if more than 20,000 are.
 */
export function selectFiles(
  sourceName: string,
  entries: readonly RawEntry[],
  filter: FileFilter,
): FileSelection {
  const files: RawFile[] = [];
  const skipped: SkippedFile[] = [];
  const paths = new Set(entries.map((entry) => entry.path));
  for (const entry of entries.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    const named = RAW_PATH.exec(entry.path)?.groups;
    if (named === undefined || !isRoomWanted(named["room"] ?? "", filter)) continue;
    const { room = "", type = "", gz } = named;
    const sensorType = sensorTypeOfFile(type);
    if (sensorType === undefined) {
      skipped.push({
        file: entry.path,
        reason: `"${type}" is no sensor type; known are ${KNOWN_FILE_NAMES}`,
      });
    } else if (filter.sensorTypes?.includes(sensorType) ?? true) {
      const compressed = gz !== undefined;
      if (compressed && paths.has(entry.path.slice(0, -".gz".length))) {
        skipped.push({ file: entry.path, reason: "the same file is there unpacked" });
      } else files.push({ path: entry.path, sizeBytes: entry.sizeBytes, room, sensorType, compressed });
    }
  }
  checkNumber(sourceName, files.length, filter);
  return { files, skipped };
}

const RAW_PATH = /^(?<room>[^/]+)\/(?<type>[^/]+)\.csv(?<gz>\.gz)?$/u;
const KNOWN_FILE_NAMES = SENSOR_TYPES.map((type) => `${SENSOR_TRAITS[type].fileName}.csv`).join(", ");

function isRoomWanted(room: string, filter: FileFilter): boolean {
  return filter.rooms?.some((wanted) => room.startsWith(wanted)) ?? true;
}

/** By the whole name, not by prefix or alias: a file `temp-old.csv` must not become a sensor. */
function sensorTypeOfFile(name: string): SensorType | undefined {
  return SENSOR_TYPES.find((type) => type === name || SENSOR_TRAITS[type].fileName === name);
}

function checkNumber(sourceName: string, count: number, filter: FileFilter): void {
  if (count > FILES_MAX) {
    throw new AtriumError(
      "SOURCE_UNREADABLE",
      `${sourceName} holds ${count} raw files, and one replay takes ${FILES_MAX}. Choose fewer rooms with ROOMS.`,
    );
  }
  if (count > 0) return;
  const rooms = filter.rooms === undefined ? "all rooms" : `rooms ${filter.rooms.join(", ")}`;
  const types =
    filter.sensorTypes === undefined ? "all sensor types" : `sensor types ${filter.sensorTypes.join(", ")}`;
  throw new AtriumError(
    "SOURCE_EMPTY",
    `${sourceName} holds no raw file for ${rooms} and ${types}. A raw folder looks like 413/co2.csv or 413/co2.csv.gz: one folder a room, in it ${KNOWN_FILE_NAMES}. Check SOURCE_URL, ROOMS and SENSORS.`,
    { details: { source: sourceName, rooms: filter.rooms, sensorTypes: filter.sensorTypes } },
  );
}

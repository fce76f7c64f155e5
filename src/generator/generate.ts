// Writes a building's worth of KETI-shaped raw files: the same bytes for the same options, on any machine.
//
//   seed -> room traits -> occupancy -> series by day -> (interval faults -> row faults) -> <room>/<type>.csv

import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { SENSOR_TRAITS, SENSOR_TYPES, type SensorType } from "../reading/terms.ts";
import { AtriumError, systemCode } from "../support/errors.ts";
import { type Calendar, calendarFrom } from "./calendar.ts";
import { type CsvWriter, openCsv, storeError, writerBuffer } from "./csv-writer.ts";
import { FAULT_FILE, type FaultCounts, type FaultTruth, noFaults, openFaultTruth } from "./fault-truth.ts";
import { applyIntervalFaults, planIntervalFaults } from "./interval-faults.ts";
import { drawOccupancy } from "./occupancy.ts";
import { roomTraits } from "./room-traits.ts";
import { rowFaultsOf } from "./row-faults.ts";
import { humiditySeries, temperatureSeries } from "./series-climate.ts";
import { co2Series } from "./series-co2.ts";
import { lightSeries } from "./series-light.ts";
import { pirSeries } from "./series-pir.ts";
import { type DayRows, emptyDay, type RoomContext, type Series } from "./series.ts";
import { streamOf } from "./streams.ts";

/** What to generate. */
export interface GenerateOptions {
  /** 1..1000. */
  readonly rooms: number;
  /** UTC days, 1..400. */
  readonly days: number;
  /** Any whole number up to 2^53: another seed gives another building. */
  readonly seed: number;
  /** Folder for `<room>/<type>.csv`; made if it is not there. */
  readonly outDir: string;
  /** Adds faults and writes the truth about them to `faults.csv`; see fault-truth.ts for its columns. */
  readonly faults: boolean;
  /** First UTC day, YYYY-MM-DD, 2000 to 2098; by default 2013-08-26, a Monday. */
  readonly startDate?: string;
  /** Writes into a folder that holds files: those of the same name are replaced, the others stay. Default false. */
  readonly force?: boolean;
}

/** How far the work is. */
export interface GenerateProgress {
  readonly rowsDone: number;
  readonly roomsDone: number;
  readonly rooms: number;
}

/** What was generated. */
export interface GenerateSummary {
  readonly rooms: number;
  readonly sensors: number;
  /** Raw files; `faults.csv` is not among them. */
  readonly files: number;
  /** Lines of the raw files. Readings: rows less malformed; of these distinct: less duplicate. */
  readonly rows: number;
  /** Size of the raw files. */
  readonly bytes: number;
  /** Lines (duplicate, late, malformed) or intervals (stuck, spiking, offset, dead) by kind: the rows of `faults.csv`. */
  readonly faults: FaultCounts;
}

/** The Monday after the KETI data set begins. */
export const START_DATE = "2013-08-26";

const ROOMS_MAX = 1000;
const DAYS_MAX = 400;

/** Makes the readings of each sensor type; the file names are those of the KETI set. */
const SERIES: Readonly<Record<SensorType, (context: RoomContext) => Series>> = {
  co2: co2Series,
  humidity: humiditySeries,
  luminosity: lightSeries,
  pir: pirSeries,
  temperature: temperatureSeries,
};

/**
 * Writes raw files of `rooms` rooms and `days` days, about 77,700 rows (1.5 MB) a room and day.
 *
 * A room is the same whatever the number of rooms, and without faults its first days whatever the number of days.
 * Memory does not grow with rooms, nor but for the list of visits with days. `report` hears of every finished file.
 * @throws USAGE_INVALID an option is out of its range, or the folder holds files
 * @throws STORE_FULL, STORE_DENIED, STORE_FAILED
 */
export async function generate(
  options: GenerateOptions,
  report?: (progress: GenerateProgress) => void,
): Promise<GenerateSummary> {
  const calendar = checkOptions(options);
  await prepareFolder(options);
  await using truth = options.faults ? await openFaultTruth(join(options.outDir, FAULT_FILE)) : undefined;
  const work: Work = { options, calendar, truth, buffer: writerBuffer(), day: emptyDay() };
  let rowsDone = 0;
  let bytes = 0;
  for (let roomIndex = 0; roomIndex < options.rooms; roomIndex += 1) {
    const context = contextOf(work, roomIndex);
    await makeFolder(join(options.outDir, context.traits.name));
    for (const [index, type] of SENSOR_TYPES.entries()) {
      const written = await writeSensor(work, context, type);
      rowsDone += written.rows;
      bytes += written.bytes;
      const roomsDone = index === SENSOR_TYPES.length - 1 ? roomIndex + 1 : roomIndex;
      report?.({ rowsDone, roomsDone, rooms: options.rooms });
    }
  }
  await truth?.finish();
  const files = options.rooms * SENSOR_TYPES.length;
  return {
    rooms: options.rooms,
    sensors: files,
    files,
    rows: rowsDone,
    bytes,
    faults: truth?.counts() ?? noFaults(),
  };
}

/** What all files of a run share; the buffer and the day are used by one file at a time. */
interface Work {
  readonly options: GenerateOptions;
  readonly calendar: Calendar;
  readonly truth: FaultTruth | undefined;
  readonly buffer: Uint8Array;
  readonly day: DayRows;
}

function contextOf({ options, calendar }: Work, roomIndex: number): RoomContext {
  const { seed, days } = options;
  const traits = roomTraits(seed, roomIndex);
  const chance = streamOf(seed, roomIndex, "occupancy");
  const occupancy = drawOccupancy({ calendar, days, activity: traits.activity, chance });
  return { seed, roomIndex, traits, occupancy, calendar };
}

async function writeSensor(
  work: Work,
  context: RoomContext,
  type: SensorType,
): Promise<{ rows: number; bytes: number }> {
  const file = `${context.traits.name}/${SENSOR_TRAITS[type].fileName}.csv`;
  await using writer = await openCsv(join(work.options.outDir, file), work.buffer);
  const series = SERIES[type](context);
  if (work.truth === undefined) await writeClean(work, series, writer);
  else await writeFaulty({ work, context, type, file, truth: work.truth }, series, writer);
  await writer.flush();
  return { rows: writer.lines, bytes: writer.bytes };
}

async function writeClean({ options, day: rows }: Work, series: Series, writer: CsvWriter): Promise<void> {
  for (let day = 0; day < options.days; day += 1) {
    series.fillDay(day, rows);
    writer.rows(rows);
    await writer.flushIfLarge();
  }
}

interface FaultyFile {
  readonly work: Work;
  readonly context: RoomContext;
  readonly type: SensorType;
  readonly file: string;
  readonly truth: FaultTruth;
}

async function writeFaulty(
  { work, context, type, file, truth }: FaultyFile,
  series: Series,
  writer: CsvWriter,
): Promise<void> {
  const { options, day: rows } = work;
  const source = { file, room: context.traits.name, sensorType: type };
  const intervals = planIntervalFaults({ context, type, days: options.days });
  const rowFaults = rowFaultsOf({ context, type, source, intervals, truth, writer });
  for (let day = 0; day < options.days; day += 1) {
    series.fillDay(day, rows);
    applyIntervalFaults(intervals, rows);
    rowFaults.write(rows);
    await writer.flushIfLarge();
    await truth.flushIfLarge();
  }
  rowFaults.finish();
}

function checkOptions(options: GenerateOptions): Calendar {
  checkRange("rooms", options.rooms, { min: 1, max: ROOMS_MAX });
  checkRange("days", options.days, { min: 1, max: DAYS_MAX });
  checkRange("seed", options.seed, { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });
  return calendarFrom(options.startDate ?? START_DATE);
}

function checkRange(
  name: string,
  value: number,
  { min, max }: { readonly min: number; readonly max: number },
): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new AtriumError("USAGE_INVALID", `${name} is ${value}: give a whole number from ${min} to ${max}.`);
}

async function prepareFolder({ outDir, force = false }: GenerateOptions): Promise<void> {
  const held = await entriesOf(outDir);
  if (held.length > 0 && !force) {
    throw new AtriumError(
      "USAGE_INVALID",
      `The folder ${outDir} is not empty (it holds ${held[0]}): name an empty or new one, or use --force to replace files in it.`,
      { details: { outDir } },
    );
  }
  await makeFolder(outDir);
  // The truth about files that are being replaced would be wrong about the new ones.
  const stale = join(outDir, FAULT_FILE);
  await rm(stale, { force: true }).catch((error: unknown) => {
    throw storeError(error, stale);
  });
}

async function entriesOf(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    if (systemCode(error) === "ENOTDIR") {
      throw new AtriumError("USAGE_INVALID", `${folder} is a file: name a folder to write to.`, {
        cause: error,
      });
    }
    throw storeError(error, folder);
  }
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw storeError(error, folder);
  }
}

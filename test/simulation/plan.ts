// What a history is made of: its raw files, its messages from elsewhere, its sizes and its faults, all from the seed.

import type { OutgoingBatch } from "../../src/log/event-log.ts";
import { partitionOf } from "../../src/log/partitioner.ts";
import { recordsOf, type KeyedValue } from "../../src/log/records.ts";
import { SENSOR_TRAITS, SENSOR_TYPES, type SensorType } from "../../src/reading/terms.ts";
import type { Chance } from "../../src/support/chance.ts";
import type { Faults } from "./scheduler.ts";

/** Partitions of every topic. */
export const PARTITIONS = 2;

/** The plan of one history. */
export interface Plan {
  /** Path -> text of the raw files. */
  readonly raw: Readonly<Record<string, string>>;
  /** Appends of a producer that is no replay: odd bytes, other fields, readings of the same sensors. */
  readonly foreign: readonly (readonly OutgoingBatch[])[];
  /** One process for each stage, or one for all. */
  readonly isApart: boolean;
  readonly isPaced: boolean;
  /** Messages of an append, rows of a batch of ingestion, rows of a batch of refinement. */
  readonly appendRows: number;
  readonly ingestRows: number;
  readonly refineRows: number;
  /** Bytes that the log holds. */
  readonly logBytesMax: number;
  readonly bronzePartitionBy: readonly string[];
  readonly checkpointInterval: number;
  readonly stickiness: number;
  readonly stepMs: number;
  /** Tables are compacted, cleaned and vacuumed beside all else. */
  readonly hasUpkeep: boolean;
  /** Of a compacted file. */
  readonly targetBytes: number;
  readonly faults: Faults;
  /** Steps with faults. */
  readonly faultySteps: number;
  /** The power fails once more before all is finished. */
  readonly endsDark: boolean;
}

/** Makes a plan by chance. */
export function makePlan(chance: Chance): Plan {
  const pick = <T>(...choices: readonly T[]): T => choices[chance.below(choices.length)]!;
  const sensors = sensorsOf(chance);
  const hasUpkeep = chance.below(2) === 0;
  const faults = faultsOf(chance);
  return {
    raw: Object.fromEntries(sensors.map((sensor) => [pathOf(sensor), rawFile(chance)])),
    foreign: Array.from({ length: chance.below(4) }, () => foreignAppend(chance, sensors)),
    isApart: chance.below(3) > 0,
    isPaced: chance.below(4) === 0,
    appendRows: pick(2, 5, 12),
    ingestRows: pick(3, 8, 30),
    refineRows: pick(1, 10, 40),
    logBytesMax: pick(1500, 4000, 1_000_000),
    bronzePartitionBy: pick(["event_date"], ["event_date"], ["event_date", "room", "sensor_type"]),
    checkpointInterval: pick(2, 3, 10),
    stickiness: pick(0, 0.5, 0.9),
    stepMs: hasUpkeep ? pick(20, 200) : 4,
    hasUpkeep,
    targetBytes: pick(2000, 1_000_000),
    // How old a file is nobody knows when the clock jumps: then upkeep waits, and files that are on their way must not.
    faults: hasUpkeep ? { ...faults, jump: 0 } : faults,
    faultySteps: 200 + chance.below(1800),
    endsDark: chance.below(2) === 0,
  };
}

/** Each kind of fault is left out of some histories, so that each also comes alone. */
function faultsOf(chance: Chance): Faults {
  const maybe = (probability: number): number =>
    chance.below(3) === 0 ? 0 : probability * 2 * chance.next();
  return {
    kill: maybe(1 / 250),
    powerCut: maybe(1 / 600),
    pause: maybe(1 / 300),
    errorBefore: maybe(1 / 400),
    errorAfter: maybe(1 / 400),
    slow: maybe(1 / 100),
    jump: maybe(1 / 300),
  };
}

interface Sensor {
  readonly room: string;
  readonly type: SensorType;
}

function sensorsOf(chance: Chance): readonly Sensor[] {
  const rooms = ["413", "4 15"].slice(0, 1 + chance.below(2));
  const all = rooms.flatMap((room) => SENSOR_TYPES.map((type) => ({ room, type })));
  return all.filter((_, index) => index === 0 || chance.below(3) === 0);
}

function pathOf({ room, type }: Sensor): string {
  return `${room}/${SENSOR_TRAITS[type].fileName}.csv`;
}

/** 2013-08-23T21:00:00Z, s: three hours before a day ends. */
const START = 1_377_291_600;
const HOUR = 3600;

/** Readings over two days, some late, some twice, some lines that are none. */
function rawFile(chance: Chance): string {
  let ts = START + chance.below(HOUR);
  const lines: string[] = [];
  for (let count = 2 + chance.below(10); count > 0; count -= 1) {
    ts += chance.below(6 * HOUR);
    const kind = chance.below(12);
    if (kind === 0) lines.push(pickLine(chance));
    else if (kind === 1) lines.push(`${ts - chance.below(30 * HOUR)}, ${chance.below(45)}`);
    else lines.push(`${ts}, ${chance.below(9000) / 4}`);
    if (kind < 3) lines.push(`${ts}, ${chance.below(40)}`);
  }
  return `${lines.join("\n")}\n`;
}

function pickLine(chance: Chance): string {
  const lines = ["no reading", "1377299108, nan", "1377299108", "-5, 1", "99999999999, 3", ",,,"];
  return lines[chance.below(lines.length)]!;
}

function foreignAppend(chance: Chance, sensors: readonly Sensor[]): readonly OutgoingBatch[] {
  const items = Array.from({ length: 1 + chance.below(4) }, () => foreignMessage(chance, sensors));
  const byPlace = Map.groupBy(items, ({ topic, partition }) => `${topic}/${partition}`);
  return [...byPlace.values()].map((group) => {
    const { topic, partition } = group[0]!;
    return { topic, partition, records: recordsOf(group) };
  });
}

function foreignMessage(
  chance: Chance,
  sensors: readonly Sensor[],
): KeyedValue & { readonly topic: string; readonly partition: number } {
  const { room, type } = sensors[chance.below(sensors.length)]!;
  const ts = START + chance.below(40) * HOUR;
  const reading = { room, sensor: type, ts, value: chance.below(60) };
  const odd: readonly (string | Uint8Array)[] = [
    Uint8Array.of(0xff, 0x0a, 0x00),
    JSON.stringify({ ...reading, ts: ts * 1000 + chance.below(1000), battery: 3 }),
    JSON.stringify({ ...reading, value: null }),
    "two\nlines",
  ];
  const value = chance.below(3) > 0 ? JSON.stringify(reading) : odd[chance.below(odd.length)]!;
  const key = `${room}:${type}`;
  return { key, value, topic: SENSOR_TRAITS[type].topic, partition: partitionOf(key, PARTITIONS) };
}

// What makes one room differ from the next: its name, its levels, its window, its use.

import { along, type Points } from "./shapes.ts";
import { streamOf } from "./streams.ts";

/** The constants of one room. */
export interface RoomTraits {
  readonly name: string;
  /** CO2 of the empty room as its sensor reads it, ppm. */
  readonly co2Base: number;
  /** Rise of CO2 while occupied, ppm a minute. */
  readonly co2Rise: number;
  /** Median temperature, °C, and how far the daily shape swings (1.2 is the building's mean). */
  readonly temperatureBase: number;
  readonly temperatureSwing: number;
  /** Median humidity, %, and the swing of its daily shape. */
  readonly humidityBase: number;
  readonly humiditySwing: number;
  /** Light of the dark room, and what the lamp adds while there is motion, lux. */
  readonly lightDark: number;
  readonly lightLamp: number;
  /** Daylight at its peak on a clear day, lux (0 in an interior room), and the local hour of the peak. */
  readonly daylightPeak: number;
  readonly daylightPeakHour: number;
  /** Use of the room; 1 is the building's mean. */
  readonly activity: number;
  /** Whether the gateway's outage reaches this room. */
  readonly inOutage: boolean;
}

const FLOOR_LOWEST = 4;
const FLOORS = 4;
const ROOMS_PER_FLOOR = 45;

// Source of the three lines below: KETI, p5/50/95 of the rooms' night medians, and p10/50/90 of their rise.
// The lowest 12 % stand for the sensors with a constant offset.
const CO2_BASE: Points = [
  [0, 100],
  [0.05, 253],
  [0.12, 335],
  [0.5, 385],
  [0.95, 468],
  [1, 500],
];
const CO2_RISE: Points = [
  [0, 0.4],
  [0.1, 0.8],
  [0.5, 2.2],
  [0.9, 3.7],
  [1, 4.5],
];
const WINDOW_SHARE = 0.35;

/** The name of room number `roomIndex` (0..999): floors 4 to 7, odd numbers, a wing after 180 rooms (411, 413 … 4111). */
export function roomName(roomIndex: number): string {
  const wing = Math.floor(roomIndex / (FLOORS * ROOMS_PER_FLOOR));
  const inWing = roomIndex % (FLOORS * ROOMS_PER_FLOOR);
  const floor = FLOOR_LOWEST + Math.floor(inWing / ROOMS_PER_FLOOR);
  return `${floor}${wing === 0 ? "" : wing}${11 + 2 * (inWing % ROOMS_PER_FLOOR)}`;
}

/** The traits of room number `roomIndex` under a seed. */
export function roomTraits(seed: number, roomIndex: number): RoomTraits {
  const chance = streamOf(seed, roomIndex, "traits");
  const between = (low: number, high: number): number => low + (high - low) * chance.next();
  const around = (middle: number, deviation: number): number =>
    middle + deviation * Math.max(-2.5, Math.min(2.5, chance.normal()));
  return {
    name: roomName(roomIndex),
    co2Base: along(CO2_BASE, chance.next()),
    co2Rise: along(CO2_RISE, chance.next()),
    temperatureBase: around(23.1, 0.9),
    temperatureSwing: between(0.6, 1.8),
    humidityBase: around(57, 3),
    humiditySwing: between(0.6, 1.8),
    lightDark: between(2.5, 4.5),
    lightLamp: between(27, 53),
    daylightPeak: chance.next() < WINDOW_SHARE ? between(60, 500) : 0,
    daylightPeakHour: between(10.5, 15.5),
    activity: Math.exp(around(-0.08, 0.4)),
    inOutage: chance.next() < 0.96,
  };
}

// The words of the field and the one table of sensor types; everything else refers to it.
//
//   reading      one value of one sensor at one event time
//   sensor       one type in one room; its id is `room-type`
//   sensor type  co2, humidity, luminosity, pir or temperature
//   message      a reading as JSON in the log
//   position     topic, partition, offset
//   batch        messages read and committed together
//   event time   when it was measured (UTC); log time: when it entered the log;
//                ingest time: when bronze committed it
//   late         arrived after its day's gold was made
//   rejected     a message that is not a reading, kept whole with its reason
//   version      a table's commit number

/** The sensor types, in the order of their names. */
export const SENSOR_TYPES = ["co2", "humidity", "luminosity", "pir", "temperature"] as const;

/** A kind of measurement. */
export type SensorType = (typeof SENSOR_TYPES)[number];

/** What is known of a sensor type. */
export interface SensorTypeTraits {
  readonly unit: string;
  /** Name of its raw file, without `.csv`. */
  readonly fileName: string;
  /** Other names that the SENSORS setting accepts. */
  readonly aliases: readonly string[];
  readonly topic: string;
  /** Smallest plausible value; see `minIsPlausible`. */
  readonly min: number;
  /** Largest plausible value, itself plausible. */
  readonly max: number;
  /** False where `min` itself is already out of range (0 ppm CO2 is no measurement). */
  readonly minIsPlausible: boolean;
  /** True where only whole numbers are plausible. */
  readonly integer: boolean;
  /** Seconds between two samples of a healthy sensor, for coverage. */
  readonly samplePeriodSeconds: number;
}

/** Traits by sensor type: units, raw file names, topics and the plausible range that silver judges by. */
export const SENSOR_TRAITS: Readonly<Record<SensorType, SensorTypeTraits>> = {
  co2: {
    unit: "ppm",
    fileName: "co2",
    aliases: [],
    topic: "iot.co2",
    min: 0,
    max: 5000,
    minIsPlausible: false,
    integer: false,
    samplePeriodSeconds: 5,
  },
  humidity: {
    unit: "%",
    fileName: "humidity",
    aliases: ["hum", "rh"],
    topic: "iot.humidity",
    min: 0,
    max: 100,
    minIsPlausible: true,
    integer: false,
    samplePeriodSeconds: 5,
  },
  luminosity: {
    unit: "lux",
    fileName: "light",
    aliases: ["light"],
    topic: "iot.luminosity",
    min: 0,
    max: 3000,
    minIsPlausible: true,
    integer: false,
    samplePeriodSeconds: 5,
  },
  pir: {
    unit: "count",
    fileName: "pir",
    aliases: ["motion"],
    topic: "iot.pir",
    min: 0,
    max: 30,
    minIsPlausible: true,
    integer: true,
    samplePeriodSeconds: 10,
  },
  temperature: {
    unit: "°C",
    fileName: "temperature",
    aliases: ["temp"],
    topic: "iot.temperature",
    min: 10,
    max: 40,
    minIsPlausible: true,
    integer: false,
    samplePeriodSeconds: 5,
  },
};

/** The sensor type that a name, an alias, a raw file name or an unambiguous prefix of one of them means. */
export function sensorTypeNamed(name: string): SensorType | undefined {
  const wanted = name.trim().toLowerCase();
  if (wanted === "") return undefined;
  const namesOf = (type: SensorType): readonly string[] => [
    type,
    SENSOR_TRAITS[type].fileName,
    ...SENSOR_TRAITS[type].aliases,
  ];
  const exact = SENSOR_TYPES.find((type) => namesOf(type).includes(wanted));
  if (exact !== undefined) return exact;
  const matches = SENSOR_TYPES.filter((type) => namesOf(type).some((known) => known.startsWith(wanted)));
  return matches.length === 1 ? matches[0] : undefined;
}

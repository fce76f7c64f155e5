// The kinds of values that settings and flags have: each says what it allows and turns text into a value.

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { SENSOR_TYPES, type SensorType, sensorTypeNamed } from "../reading/terms.ts";
import { parseCron } from "../support/cron.ts";
import { isS3Url, parseS3Url, s3UrlOf } from "../support/s3-url.ts";
import { type Secret, secret } from "../support/secret.ts";

/** A parsed value, or what is wrong with the text (a phrase such as `is not a number`). */
export type Parsed<T> = { readonly value: T } | { readonly problem: string };

/** What a parser may know beside the text. */
export interface Surroundings {
  /** Folder that relative paths start from, absolute. */
  readonly cwd: string;
}

/** A kind of value. */
export interface Kind<T> {
  /** What is allowed, as a phrase: `a whole number from 1 to 100`. */
  readonly allowed: string;
  /** Placeholder for help: N, DIR, NAME … */
  readonly placeholder: string;
  /** Turns trimmed, not empty text into a value. */
  parse(text: string, surroundings: Surroundings): Parsed<T>;
}

/** Most items in a list. */
const LIST_ITEMS_MAX = 10_000;
/** Longest text, in characters. */
const TEXT_LENGTH_MAX = 4_096;

const problem = (what: string): { readonly problem: string } => ({ problem: what });

/** Text of one line, at most 4,096 characters; with a pattern, only what fits it whole. */
export function text(
  placeholder = "TEXT",
  rule?: { readonly pattern: RegExp; readonly allowed: string },
): Kind<string> {
  return {
    allowed: rule?.allowed ?? "text",
    placeholder,
    parse: (given) => {
      if (given.length > TEXT_LENGTH_MAX) return problem("is too long");
      return rule === undefined || rule.pattern.test(given) ? { value: given } : problem("is not allowed");
    },
  };
}

/** One of a few words. */
export function choice<const Word extends string>(words: readonly Word[]): Kind<Word> {
  return {
    allowed: words.length === 1 ? words.join("") : `one of ${words.join(", ")}`,
    placeholder: words.join("|"),
    parse: (given) => {
      const lower = given.toLowerCase();
      const word = words.find((known) => known.toLowerCase() === lower);
      if (word !== undefined) return { value: word };
      return problem("is not allowed");
    },
  };
}

/** A whole number from `min` to `max`, both allowed. */
export function integer(min: number, max: number): Kind<number> {
  return numberWithin({ min, max, name: "a whole number", pattern: /^[+-]?\d+$/ });
}

/** A number from `min` to `max`, both allowed; exponents are fine, infinity is not. */
export function decimal(min: number, max: number): Kind<number> {
  return numberWithin({ min, max, name: "a number", pattern: /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i });
}

function numberWithin(rule: { min: number; max: number; name: string; pattern: RegExp }): Kind<number> {
  const { min, max, name, pattern } = rule;
  return {
    allowed: `${name} from ${min} to ${max}`,
    placeholder: "N",
    parse: (given) => {
      if (!pattern.test(given)) return problem(`is not ${name}`);
      const value = Number(given);
      if (value < min) return problem("is too small");
      return value > max ? problem("is too large") : { value };
    },
  };
}

/** Items separated by commas, without empty ones and repetitions. */
export function list<T>(item: Kind<T>, name: string): Kind<readonly T[]> {
  return {
    allowed: `${name}, separated by commas`,
    placeholder: `${item.placeholder},…`,
    parse: (given, surroundings) => {
      const words = [...new Set(given.split(",").map((word) => word.trim()))].filter((word) => word !== "");
      if (words.length > LIST_ITEMS_MAX) return problem(`has more than ${LIST_ITEMS_MAX} items`);
      const values: T[] = [];
      for (const word of words) {
        const parsed = item.parse(word, surroundings);
        if ("problem" in parsed) return problem(`${parsed.problem} (${word})`);
        values.push(parsed.value);
      }
      return values.length === 0 ? problem("holds nothing") : { value: values };
    },
  };
}

/** Sensor types by name, alias or unambiguous prefix, in the order of SENSOR_TYPES. */
export const sensorTypes: Kind<readonly SensorType[]> = {
  allowed: `${SENSOR_TYPES.join(", ")}, or an alias (light, motion, temp, hum, rh), separated by commas`,
  placeholder: "TYPE,…",
  parse: (given) => {
    const words = given.split(",").filter((word) => word.trim() !== "");
    const unknown = words.find((word) => sensorTypeNamed(word) === undefined);
    if (unknown !== undefined) return problem(`names no sensor type (${unknown.trim()})`);
    const wanted = new Set(words.map(sensorTypeNamed));
    return wanted.size === 0
      ? problem("holds nothing")
      : { value: SENSOR_TYPES.filter((type) => wanted.has(type)) };
  },
};

/** The columns that bronze may be partitioned by, in the order that they must have. */
export const BRONZE_PARTITION_COLUMNS = ["event_date", "room", "sensor_type"] as const;

/** A column that bronze may be partitioned by. */
export type BronzePartitionColumn = (typeof BRONZE_PARTITION_COLUMNS)[number];

/** Partition columns of bronze: event_date, then room and sensor_type or not. */
export const partitionColumns: Kind<readonly BronzePartitionColumn[]> = {
  allowed: "event_date, then room and sensor_type or one of them or none, separated by commas",
  placeholder: "COLUMN,…",
  parse: (given) => {
    const words = given.split(",").map((word) => word.trim());
    const columns = BRONZE_PARTITION_COLUMNS.filter((column) => words.includes(column));
    const isAllowed = columns[0] === "event_date" && columns.join() === words.join();
    return isAllowed ? { value: columns } : problem("is not allowed");
  },
};

/** An IANA time zone, such as America/Los_Angeles. */
export const timeZone: Kind<string> = {
  allowed: "an IANA time zone such as America/Los_Angeles or UTC",
  placeholder: "ZONE",
  parse: (given) => {
    // Offsets such as +02:00 are refused: they know no daylight saving, so local days would be wrong.
    if (/^[+-]/.test(given)) return problem("is an offset, not a time zone");
    try {
      return { value: new Intl.DateTimeFormat("en", { timeZone: given }).resolvedOptions().timeZone };
    } catch {
      return problem("is no time zone that is known here");
    }
  },
};

/** A share of partitions: number `index`, from 0, of `count`. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

const SHARDS_MAX = 1_024;

/** A share as i/n, such as 0/4 to 3/4. */
export const shard: Kind<Shard> = {
  allowed: `i/n with n from 1 to ${SHARDS_MAX} and i from 0 to n - 1, such as 0/2 and 1/2`,
  placeholder: "I/N",
  parse: (given) => {
    const match = /^(\d{1,4})\/(\d{1,4})$/.exec(given);
    if (match === null) return problem("is not i/n");
    const [index, count] = [Number(match[1]), Number(match[2])];
    if (count < 1 || count > SHARDS_MAX) return problem("has too few or too many shares");
    return index < count ? { value: { index, count } } : problem("names a share that is not there");
  },
};

/** A folder on this machine, made absolute. */
export const folder: Kind<string> = {
  allowed: "a folder",
  placeholder: "DIR",
  parse: (given, { cwd }) => {
    if (isS3Url(given)) return problem("is on S3, and only a folder on this machine will do");
    try {
      const path = given.startsWith("file:") ? fileURLToPath(given) : given;
      if (/^[a-z][a-z0-9+.-]+:\/\//i.test(path)) return problem("is not a folder on this machine");
      return { value: resolve(cwd, path) };
    } catch {
      return problem("is not a folder on this machine");
    }
  },
};

/** A folder on this machine, made absolute, or a place on S3, as `s3://bucket/prefix` without a slash at its end. */
export const folderOrS3: Kind<string> = {
  allowed: "a folder, or a place on S3 such as s3://bucket/prefix",
  placeholder: "DIR|URL",
  parse: (given, surroundings) => {
    if (/^s3[an]:/i.test(given)) return problem("is an address for Spark: write s3://");
    if (!isS3Url(given)) return folder.parse(given, surroundings);
    const place = parseS3Url(given);
    return place === undefined ? problem("is no place on S3") : { value: s3UrlOf(place) };
  },
};

/** A file on this machine, made absolute. */
export const file: Kind<string> = {
  allowed: "a file",
  placeholder: "FILE",
  parse: (given, { cwd }) => ({ value: resolve(cwd, given) }),
};

/** A day of the calendar, YYYY-MM-DD, from 1970-01-01 to 2999-12-31. */
export const day: Kind<string> = {
  allowed: "a day as YYYY-MM-DD, from 1970 on",
  placeholder: "YYYY-MM-DD",
  parse: (given) => {
    if (!/^(19[7-9]\d|2\d{3})-\d{2}-\d{2}$/.test(given)) return problem("is not a day");
    const ms = Date.parse(`${given}T00:00:00Z`);
    // Date.parse takes 2013-02-30 for 2 March: such a day does not come back as it went in.
    const isReal = !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(given);
    return isReal ? { value: given } : problem("is not a day of the calendar");
  },
};

/** A cron expression in UTC that is due at some time. */
export const cron: Kind<string> = {
  allowed:
    'a cron expression in UTC such as "* * * * *" or "30 3 * * *", seconds in front if there are six fields',
  placeholder: "CRON",
  parse: (given) => {
    const times = parseCron(given);
    if (times === undefined) return problem("is no cron expression");
    return times.nextMs(0) === undefined ? problem("is never due") : { value: given };
  },
};

/** A version of a table, or a time (ms since the epoch). */
export type VersionOrTime = { readonly version: number } | { readonly timeMs: number };

/** Date, then maybe a time of day, then maybe its offset from UTC. */
const MOMENT = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(Z|[+-]\d{2}:\d{2})?)?$/i;

/** A version's number, or a time; a day alone is its beginning, and a time without an offset is UTC. */
export const versionOrTime: Kind<VersionOrTime> = {
  allowed: "a version such as 12, or a time such as 2026-11-24T12:00:00Z or 2026-11-24 (its beginning, UTC)",
  placeholder: "VERSION|TIME",
  parse: (given, surroundings) => {
    if (/^\d+$/.test(given)) {
      const version = integer(0, Number.MAX_SAFE_INTEGER).parse(given, surroundings);
      return "problem" in version ? version : { value: { version: version.value } };
    }
    const [, date = "", time = "00:00", offset = "Z"] = MOMENT.exec(given) ?? [];
    const parsed = day.parse(date, surroundings);
    const timeMs = Date.parse(`${date}T${time}${offset}`);
    if ("problem" in parsed || Number.isNaN(timeMs)) return problem("is neither a version nor a time");
    return { value: { timeMs } };
  },
};

/** A topic of the log. */
export const topic = text("TOPIC", {
  pattern: /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/,
  allowed: "1 to 249 letters, digits, dots, dashes and underscores",
});

/** A room by its name, which is also that of its folder. */
export const room = text("ROOM", {
  // eslint-disable-next-line no-control-regex -- control characters are what is refused
  pattern: /^[^/\\\u0000-\u001f]{1,64}$/,
  allowed: "room names of up to 64 characters without slashes",
});

/** A host, with its port or without. */
export const host = text("HOST", {
  pattern: /^[A-Za-z0-9.:_-]{1,253}$/,
  allowed: "a host name or an IP address",
});

/** An http or https address. */
export const httpUrl = text("URL", {
  pattern: /^https?:\/\/[^\s/@]+(\/\S*)?$/,
  allowed: "an http or https address without a password in it",
});

/** A secret without spaces, of at least `lengthMin` characters. */
export function secretText(lengthMin = 1): Kind<Secret> {
  return {
    allowed:
      lengthMin > 1 ? `at least ${lengthMin} characters without spaces or commas` : "text without spaces",
    placeholder: "SECRET",
    parse: (given) => {
      if (/\s/.test(given)) return problem("holds a space");
      return given.length < lengthMin ? problem("is too short") : { value: secret(given) };
    },
  };
}

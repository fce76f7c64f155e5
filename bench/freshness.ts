// How old a message is when it can be read: from its log time to the commit of its batch, while replay keeps a steady rate.

import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isRecord } from "./figures.ts";
import { brokerFlags, type BrokerOptions } from "./kafka.ts";
import { ATRIUM, measure, type MeasureOptions, start } from "./measure.ts";

/** What one profile gave. */
export interface Freshness {
  readonly profile: string;
  readonly messages: number;
  readonly commits: number;
  /** From log time to committed, ms. */
  readonly ageMs: Quantiles;
  /** Messages in the log and not committed, looked at ten times a second. */
  readonly lag: Quantiles;
}

interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

const PROFILES = [
  { profile: "default", flags: [] },
  { profile: "low latency", flags: ["--bronze-partition-by", "event_date", "--batch-seconds", "1"] },
] as const;
const RATE = 5000;
const SECONDS = 40;
const LOOK_EVERY_MS = 100;
/** Enough rooms and days for the rate; rows are sent at it, whatever their event times. */
const SIZE = ["--rooms", "8", "--days", "1", "--seed", "2"];

const TYPES = ["co2", "humidity", "luminosity", "pir", "temperature"];

/** Replays into topics of the profile's own at 5,000 messages/s, with ingestion running beside. */
export async function measureFreshness({ broker, say, ...options }: BrokerOptions): Promise<Freshness[]> {
  const raw = join(options.cwd, "raw-of-freshness");
  await measure(ATRIUM, ["generate", ...SIZE, "--out", raw], options);
  const pace = ["--replay-mode", "rate", "--rate-msg-per-sec", `${RATE}`];
  const found: Freshness[] = [];
  for (const { profile, flags } of PROFILES) {
    say(`freshness at ${RATE}/s, ${profile}`);
    const name = profile.replace(" ", "-");
    const topics = TYPES.flatMap((type) => [`--topic-${type}`, `${name}.${type}`]);
    const shared = [...brokerFlags(broker), ...topics];
    const lake = join(options.cwd, `lake-${name}`);
    const replaying = start(ATRIUM, ["replay", "--raw", raw, ...pace, ...shared], options);
    const ingesting = start(ATRIUM, ["ingest", "--lake", lake, ...shared, ...flags], options);
    await Promise.race([delay(SECONDS * 1000), replaying.ended, ingesting.ended]);
    for (const { child, ended } of [replaying, ingesting]) {
      child.kill("SIGTERM");
      await ended;
    }
    found.push({ profile, ...(await freshnessIn(lake, options)) });
  }
  return found;
}

/** Batches and the commits that brought them are in one order; ingest times are one for all rows of a batch. */
async function freshnessIn(lake: string, options: MeasureOptions): Promise<Omit<Freshness, "profile">> {
  const inLake = ["--lake", lake, "--json"];
  const history = await measure(
    ATRIUM,
    ["table", "history", "bronze/readings", "--limit", "1000", ...inLake],
    options,
  );
  const commits = recordsIn(history.stdout).filter(({ rows_added: rows }) => Number(rows) > 0);
  const times = commits.map(({ committed }) => `(timestamptz '${String(committed)}')`).join(", ");
  const sql = `
    with commits as (select row_number() over (order by made_at) as n, made_at from (values ${times}) given(made_at)),
    batches as (select row_number() over (order by ingest_ts) as n, ingest_ts from
      (select distinct ingest_ts from bronze_readings)),
    aged as (select log_ts, made_at from bronze_readings join batches using (ingest_ts) join commits using (n)),
    looks as (select unnest(generate_series(min(log_ts), max(made_at), interval ${LOOK_EVERY_MS} milliseconds)) as look from aged),
    lags as (select look, count(*) filter (where log_ts <= look and made_at > look) as lag from looks, aged group by look)
    select (select count(*) from aged) as messages, (select count(*) from commits) as commits,
      (select quantile_disc(epoch_ms(made_at) - epoch_ms(log_ts), 0.5) from aged) as age_p50,
      (select quantile_disc(epoch_ms(made_at) - epoch_ms(log_ts), 0.99) from aged) as age_p99,
      (select quantile_disc(lag, 0.5) from lags) as lag_p50, (select quantile_disc(lag, 0.99) from lags) as lag_p99`;
  const [row = {}] = recordsIn((await measure(ATRIUM, ["sql", sql, ...inLake], options)).stdout);
  const of = (name: string): number => Number(row[name]);
  return {
    messages: of("messages"),
    commits: of("commits"),
    ageMs: { p50: of("age_p50"), p99: of("age_p99") },
    lag: { p50: of("lag_p50"), p99: of("lag_p99") },
  };
}

function recordsIn(json: string): readonly Readonly<Record<string, unknown>>[] {
  const parsed: unknown = JSON.parse(json);
  return Array.isArray(parsed) ? parsed.filter(isRecord) : [];
}
